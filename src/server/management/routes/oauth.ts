// Remote logins: start, take the callback, tell how it goes (auth.md §5.2–5.7).
import * as z from 'zod';
import { LoginError, type RemoteLogin } from '../../../oauth/flow.ts';
import type { OAuthSession, Refusal } from '../../../oauth/sessions.ts';
import { isValidState } from '../../../oauth/state.ts';
import { openForwarder } from '../callback-forwarder.ts';
import { CookieError } from '../deps.ts';
import { type ApiError, loginError } from '../errors.ts';
import {
  callbackPaths,
  canonicalProvider,
  failureText,
  type LoginKey,
  loginKeys,
  providerAliases,
} from '../login-providers.ts';
import { flagParam, textParam } from '../query.ts';
import { type Call, type Route, route } from '../route.ts';
import { okBody } from '../schemas.ts';

const tag = 'Logins';
/** What `isValidState` takes, beside the length: letters, digits, `_ - .`, no two dots in a row. */
const statePattern = '^[A-Za-z0-9_-]*(\\.[A-Za-z0-9_-]+)*\\.?$';
const seconds = (ms: number): number => Math.floor(ms / 1000);

const startBody = z.looseObject({
  status: z.literal('ok'),
  url: z.string(),
  auth_url: z.string(),
  state: z.string(),
  expires_at: z.int().describe('Unix seconds'),
  user_code: z.string().optional(),
  verification_uri: z.string().optional(),
  expires_in: z.number().optional(),
  interval: z.number().optional(),
});

const emailText = textParam.pipe(z.string().max(254));

function startRoute(key: LoginKey): Route {
  return route({
    method: 'GET',
    path: `${key}-auth-url`,
    tag,
    login: true,
    summary: `Start a login: ${key}`,
    description:
      'Gives the URL to open. `is_webui` also listens on the port of the registered redirect URI on loopback and ' +
      'sends the browser on to us.',
    scope: 'admin',
    query: z.object({
      is_webui: flagParam.optional(),
      ...(key === 'iflow' ? { email: emailText.optional() } : {}),
      ...(key === 'gemini-cli' ? { project_id: emailText.optional() } : {}),
    }),
    responses: {
      200: { description: 'The login waits for its callback until `expires_at`.', schema: startBody },
      500: { description: 'The provider could not be asked, or the callback port is taken.' },
      503: { description: 'This provider is not available.' },
    },
    async answer(call) {
      const query = call.query as { is_webui?: boolean; email?: string; project_id?: string };
      const login = (await call.deps.logins()).find((candidate) => candidate.key === key);
      if (!login) throw loginError(503, 'provider not available');
      const { session, start } = await begin(call, login, query);
      if (query.is_webui && login.callback) await forward(call, login, session);
      call.note({ changed: [`login/${key}`] });
      call.deps.events.publish('login', { provider: session.provider, state: session.state, status: 'wait' });
      watch(call, session.state);
      const device = {
        user_code: start.userCode,
        verification_uri: start.verificationUri,
        expires_in: start.expiresIn,
        interval: start.interval,
      };
      return {
        json: {
          status: 'ok',
          url: start.url,
          auth_url: start.url,
          state: session.state,
          expires_at: seconds(session.expiresAt),
          ...Object.fromEntries(Object.entries(device).filter(([, value]) => value !== undefined)),
        },
      };
    },
  });
}

async function begin(call: Call, login: RemoteLogin, query: { email?: string; project_id?: string }) {
  try {
    return await call.deps.remote.start(login, {
      ...(query.email?.trim() ? { email: query.email.trim() } : {}),
      ...(query.project_id?.trim() ? { projectId: query.project_id.trim() } : {}),
    });
  } catch (error) {
    const message = error instanceof LoginError ? error.message : 'The login could not be started.';
    throw loginError(500, 'failed to generate authorization url', { message });
  }
}

async function forward(call: Call, login: RemoteLogin, session: OAuthSession): Promise<void> {
  const path = callbackPaths[login.canonical];
  const target = (): string | undefined => {
    const server = call.deps.serverUrl();
    return server === undefined ? undefined : `${server}${path}`;
  };
  const { sessions } = call.deps.remote;
  if (target() === undefined) {
    sessions.fail(session.state, 'callback server unavailable');
    throw loginError(500, 'callback server unavailable');
  }
  try {
    const host = call.deps.config.current()['oauth-callback-host'];
    await openForwarder(login.callback?.port ?? 0, target, sessions.signal(session.state), host);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    sessions.fail(session.state, 'failed to start callback server');
    throw loginError(500, 'failed to start callback server', {
      message: `Port ${login.callback?.port} cannot be listened on${code ? ` (${code})` : ''}.`,
    });
  }
}

/** Tells the panel when a login has ended. */
function watch(call: Call, state: string): void {
  const { sessions } = call.deps.remote;
  sessions.signal(state).addEventListener(
    'abort',
    () => {
      const session = sessions.get(state);
      call.deps.events.publish('login', { provider: session?.provider, state, status: session?.status ?? 'error' });
    },
    { once: true },
  );
}

const text = z.string().max(8192).nullish();
const callbackBody = z.object({
  provider: z
    .string()
    .max(64)
    .nullish()
    .meta({ wire: { type: 'string', enum: providerAliases } }),
  redirect_url: text,
  code: text,
  state: z.string().max(8192).nullish(),
  error: text,
});

const filled = z.string().min(1).max(8192).regex(/\S/);
const toldCommon = {
  provider: z.string().meta({ enum: providerAliases }).optional(),
  state: z.string().min(1).max(128).regex(new RegExp(statePattern)),
};
const toldCallback = z.union([z.object({ ...toldCommon, code: filled }), z.object({ ...toldCommon, error: filled })]);

interface Callback {
  provider?: string;
  state: string;
  code: string;
  error: string;
}

/** The checks of auth.md §5.3, 2 to 6. */
export function readCallback(body: z.output<typeof callbackBody>): Callback {
  const named = (body.provider ?? '').trim();
  const provider = named === '' ? undefined : canonicalProvider(named);
  if (named !== '' && provider === undefined) throw loginError(400, 'unsupported provider');
  const from = redirectParameters((body.redirect_url ?? '').trim());
  const pick = (own: string | null | undefined, name: string): string => own?.trim() || from.get(name)?.trim() || '';
  let [code, state] = [pick(body.code, 'code'), pick(body.state, 'state')];
  const error = pick(body.error, 'error') || from.get('error_description')?.trim() || '';
  // Claude's code page shows CODE#STATE (auth.md §2.5).
  if (code.includes('#')) {
    const [front = '', back = ''] = code.split('#');
    if (state === '' || state === back) [code, state] = [front, back || state];
  }
  if (state === '') throw loginError(400, 'state is required');
  if (!isValidState(state)) throw loginError(400, 'invalid state');
  if (code === '' && error === '') throw loginError(400, 'code or error is required');
  return { provider, state, code, error };
}

function redirectParameters(url: string): URLSearchParams {
  if (url === '') return new URLSearchParams();
  try {
    const parsed = new URL(url);
    decodeURIComponent(parsed.pathname + parsed.search);
    const parameters = new URLSearchParams(parsed.search);
    for (const [name, value] of new URLSearchParams(parsed.hash.slice(1))) {
      if (!parameters.has(name)) parameters.append(name, value);
    }
    return parameters;
  } catch {
    throw loginError(400, 'invalid redirect_url');
  }
}

const refusals: Readonly<Record<Refusal | 'not-persisted', () => ApiError>> = {
  'invalid-state': () => loginError(400, 'invalid state'),
  unknown: () => loginError(404, 'unknown or expired state'),
  'not-pending': () => loginError(409, 'oauth flow is not pending'),
  'already-completed': () => loginError(409, 'oauth flow is not pending', { code: 'already_completed' }),
  'provider-mismatch': () => loginError(400, 'provider does not match state'),
  'device-flow': () => loginError(400, 'provider uses device flow'),
  'not-persisted': () => loginError(500, 'failed to persist oauth callback'),
};

const callback = route({
  method: 'POST',
  path: 'oauth-callback',
  tag,
  login: true,
  summary: 'Hand over what the provider sent back',
  description: '`redirect_url` fills the fields that are not given. `provider` may be left out.',
  scope: 'admin',
  body: { kind: 'json', schema: callbackBody, documented: toldCallback },
  responses: {
    200: { description: 'Taken; the outcome is at get-auth-status.', schema: okBody },
    404: { description: 'No login waits for this state.' },
    409: { description: 'The login has ended or is being completed.' },
  },
  errors: { 400: 'Something is missing or does not fit.' },
  async answer(call) {
    const { provider, state, code, error } = readCallback(call.body);
    const session = call.deps.remote.sessions.get(state);
    if (!session) throw refusals.unknown();
    if (session.status === 'ok') throw refusals['already-completed']();
    if (session.status === 'error') throw refusals['not-pending']();
    const delivery = await call.deps.remote.deliver({ state, provider, code, error });
    if (!delivery.ok) throw refusals[delivery.refusal]();
    void delivery.done.catch(() => undefined);
    call.note({ changed: [`login/${session.provider}`] });
    return { json: { status: 'ok' } };
  },
});

function shownSession(session: OAuthSession): Record<string, unknown> {
  return {
    provider: session.provider,
    state: session.state,
    status: session.status,
    created_at: seconds(session.createdAt),
    expires_at: seconds(session.expiresAt),
    ...(session.status === 'error' ? { error: failureText(session.provider, session.error ?? '') } : {}),
    ...(session.file === undefined ? {} : { auth_file: session.file }),
  };
}

const statusRoute = route({
  method: 'GET',
  path: 'get-auth-status',
  tag,
  login: true,
  summary: 'How a login goes, or all logins',
  description: 'With `state`: `wait`, `ok` or `error` of that login. Without: the list, filtered by `provider`.',
  scope: 'admin',
  query: z.object({
    state: textParam.meta({ wire: { type: 'string', pattern: statePattern, maxLength: 128 } }).optional(),
    provider: textParam.meta({ wire: { type: 'string', enum: providerAliases } }).optional(),
  }),
  responses: {
    200: {
      description: 'The state of the login; an unknown or expired one is `error`.',
      schema: z.looseObject({
        status: z.enum(['ok', 'wait', 'error']),
        error: z.string().optional(),
        provider: z.string().optional(),
        expires_at: z.int().optional(),
        auth_file: z.string().optional(),
        sessions: z.array(z.looseObject({ provider: z.string(), state: z.string(), status: z.string() })).optional(),
      }),
    },
  },
  errors: { 400: 'Not a state, or no such provider.' },
  answer(call) {
    const named = call.query.provider?.trim() ?? '';
    const provider = named === '' ? undefined : canonicalProvider(named);
    if (named !== '' && provider === undefined) throw loginError(400, 'unsupported provider');
    const { sessions } = call.deps.remote;
    const state = call.query.state?.trim() ?? '';
    if (state === '') return { json: { status: 'ok', sessions: sessions.list(provider).map(shownSession) } };
    if (!isValidState(state)) throw loginError(400, 'invalid state');
    const session = sessions.get(state);
    if (!session || (provider !== undefined && session.provider !== provider)) {
      return { json: { status: 'error', error: 'unknown or expired state', code: 'unknown_state' } };
    }
    const { status, error, auth_file, expires_at } = shownSession(session);
    return { json: { status, provider: session.provider, expires_at, error, auth_file } };
  },
});

const cancel = route({
  method: 'DELETE',
  path: 'oauth-session',
  tag,
  login: true,
  summary: 'End a login that waits',
  scope: 'admin',
  query: z.object({
    state: textParam.meta({ wire: { type: 'string', pattern: statePattern, minLength: 1, maxLength: 128 } }),
  }),
  responses: {
    200: { description: 'Ended.', schema: okBody },
    404: { description: 'No such login.' },
    409: { description: 'It has ended before.' },
  },
  errors: { 400: 'No state, or not a state.' },
  answer(call) {
    const state = call.query.state.trim();
    if (state === '') throw loginError(400, 'state is required');
    if (!isValidState(state)) throw loginError(400, 'invalid state');
    const { sessions } = call.deps.remote;
    const session = sessions.get(state);
    if (!session) throw refusals.unknown();
    if (session.status !== 'wait') throw refusals['not-pending']();
    sessions.fail(state, 'cancelled');
    call.note({ changed: [`login/${session.provider}`] });
    return { json: { status: 'ok' } };
  },
});

const cookieStatus = { missing: 400, 'no-bxauth': 400, duplicate: 409, refused: 400 } as const;

const cookie = route({
  method: 'POST',
  path: 'iflow-auth-url',
  tag,
  login: true,
  summary: 'Log in to iFlow with a browser cookie',
  scope: 'admin',
  body: {
    kind: 'json',
    optional: true,
    invalid: 'cookie is required',
    schema: z.object({
      cookie: z.string().max(16_384).nullish(),
      email: z.string().max(254).nullish(),
    }),
    documented: z.object({
      cookie: z
        .string()
        .max(16_384)
        .regex(/(^|;)\s*BXAuth=[A-Za-z0-9_-]+/),
      email: z.string().max(254).nullish(),
    }),
  },
  responses: {
    200: {
      description: 'Stored.',
      schema: z.looseObject({
        status: z.literal('ok'),
        type: z.literal('iflow'),
        email: z.string(),
        expired: z.string(),
        saved_path: z.string(),
      }),
    },
    409: { description: 'This cookie is stored already.' },
  },
  errors: { 400: 'No usable cookie, or iFlow refused it.' },
  async answer(call) {
    const given = call.body?.cookie?.trim() ?? '';
    if (given === '') throw loginError(400, 'cookie is required');
    try {
      const stored = await call.deps.cookieLogin(given, call.body?.email?.trim() || undefined);
      call.note({ changed: [`auth-files/${stored.file}`] });
      call.deps.events.publish('credential', { change: 'added', name: stored.file });
      return {
        json: {
          status: 'ok',
          type: 'iflow',
          email: stored.email,
          expired: stored.expired,
          saved_path: stored.path,
        },
      };
    } catch (error) {
      if (error instanceof CookieError) {
        const extra = error.existingFile === undefined ? {} : { existing_file: error.existingFile };
        throw loginError(cookieStatus[error.kind], error.message, {
          code: `cookie_${error.kind.replace('-', '_')}`,
          extra,
        });
      }
      const cause = error instanceof Error ? error.message.slice(0, 300) : 'failed';
      throw loginError(400, `iflow cookie authentication: ${cause}`, { code: 'cookie_refused' });
    }
  },
});

export const oauthRoutes: readonly Route[] = [...loginKeys.map(startRoute), cookie, callback, statusRoute, cancel];
