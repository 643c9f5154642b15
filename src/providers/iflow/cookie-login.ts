// Logging in to iFlow with the cookies of a browser session (auth.md §3.2): the session gives an API key.
import { formatInstant, parseInstant } from '../../credentials/expiry.ts';
import type { HttpResponse } from '../../net/http.ts';
import { isEmail } from '../../oauth/email.ts';
import { answerError, loginError, plain, redact } from '../../oauth/errors.ts';
import { iflowFileName } from '../../oauth/file-name.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteContext } from '../../oauth/flow.ts';
import { filesOf, pathOf, saveUnderFreeName } from '../../oauth/save.ts';
import { send } from '../../oauth/token-request.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import { bxAuthOf, type IflowCookie, parseIflowCookie } from './cookie.ts';

/** The API key that belongs to a session, freshly rotated. */
export interface IflowKey {
  apiKey: string;
  /** Name under which iFlow lists the key; needed to rotate it again. */
  name: string;
  /** RFC 3339; absent when iFlow named no readable time. */
  expired?: string;
  /** As iFlow wrote it. */
  expireRaw: string;
}

export async function logInWithCookie(context: LoginContext, request: LoginRequest): Promise<LoginResult> {
  const { terminal, store } = context;
  const pasted = await terminal.ask('Enter iFlow Cookie (from browser cookies): ', {
    multiline: true,
    signal: context.signal,
  });
  if (context.signal.aborted) throw loginError('aborted', 'cancelled');
  const parsed = parseIflowCookie(pasted ?? '');
  if (!parsed.ok) throw loginError('login_failed', `iFlow cookie authentication failed: ${parsed.reason}`);
  const existing = fileWithBxAuth(store, parsed.cookie.bxAuth);
  if (existing !== undefined) {
    terminal.print(`Duplicate BXAuth found, authentication already exists: ${existing}`);
    return {};
  }
  const key = await keyForCookie(context, parsed.cookie).catch((error: unknown) => {
    throw prefixed('iFlow cookie authentication failed: ', error);
  });
  const email = await emailFor(context, request, key.name);
  const saved = await saveCookieLogin(context, parsed.cookie, key, email);
  // The one place where a key is shown: the documented dialogue says so (auth.md R19).
  terminal.print(`Authentication successful! API key: ${key.apiKey}`);
  terminal.print(`Expires at: ${key.expired ?? (key.expireRaw || 'unknown')}`);
  terminal.print(`Authentication saved to: ${pathOf(saved)}`);
  return { path: pathOf(saved) };
}

/** Name of the credential file that already holds this session, looked for before any call (auth.md §3.2). */
export function fileWithBxAuth(store: LoginContext['store'], bxAuth: string): string | undefined {
  return filesOf(store, 'iflow').find(({ fields }) => bxAuthOf(fields) === bxAuth)?.name;
}

/** Asks iFlow which key the session has, then rotates it: an old key would answer 406 sooner or later. */
export async function keyForCookie(context: RemoteContext, cookie: IflowCookie): Promise<IflowKey> {
  const url = endpoint(context.config, 'iflow', 'api-key');
  const origin = new URL(url).origin;
  const headers = {
    accept: 'application/json, text/plain, */*',
    'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8',
    cookie: cookie.text,
  };
  const step = 'code_exchange_failed';
  const first = 'iflow cookie authentication: fetch initial API key info failed: iflow cookie: GET';
  const known = successOf(first, await send(context, url, { step, prefix: first, headers }));
  const name = textOf(known.name);
  const second = 'iflow cookie authentication: refresh API key failed: iflow cookie refresh:';
  if (name === '') throw loginError(step, `${second} name is empty`);
  const rotated = successOf(
    `${second} POST`,
    await send(context, url, {
      step,
      prefix: `${second} POST`,
      method: 'POST',
      headers: { ...headers, origin, referer: `${origin}/` },
      json: { name },
    }),
  );
  const apiKey = textOf(rotated.apiKey);
  if (apiKey === '')
    throw loginError(step, `${second} iFlow returned no API key; check that the account has API access`);
  const expireRaw = textOf(rotated.expireTime);
  const expires = parseInstant(expireRaw);
  const key: IflowKey = { apiKey, name: textOf(rotated.name) || name, expireRaw };
  return expires === undefined ? key : { ...key, expired: formatInstant(expires) };
}

function successOf(prefix: string, response: HttpResponse): JsonObject {
  const step = 'code_exchange_failed';
  if (response.status !== 200) {
    throw answerError(step, `${prefix} request failed with status ${response.status}`, response);
  }
  if (response.json === undefined) {
    throw answerError(
      step,
      `${prefix.replace(/ (GET|POST)$/, '')} decode ${/(GET|POST)$/.exec(prefix)?.[0]} response failed`,
      response,
    );
  }
  if (response.json.success !== true) {
    throw loginError(step, `${prefix} request not successful: ${redact(plain(textOf(response.json.message)))}`);
  }
  return objectOf(response.json.data) ?? {};
}

/** `-email`, else the key's name when it is an address, else the answer to the question; never a failure. */
async function emailFor(context: LoginContext, request: LoginRequest, name: string): Promise<string> {
  const given = request.email?.trim();
  if (given) return given;
  if (isEmail(name) || !context.terminal.interactive) return name;
  const answer = (await context.terminal.ask('Enter your email address: ', { signal: context.signal }))?.trim();
  return answer ? answer : name;
}

export function saveCookieLogin(
  context: Pick<RemoteContext, 'store' | 'now'>,
  cookie: IflowCookie,
  key: IflowKey,
  email: string,
) {
  const now = context.now();
  return saveUnderFreeName(context.store, (attempt) => iflowFileName(email, now, attempt), {
    access_token: '',
    api_key: key.apiKey,
    bx_auth: cookie.bxAuth,
    cookie: cookie.text,
    disabled: false,
    email,
    expire_raw: key.expireRaw,
    expired: key.expired ?? '',
    key_name: key.name,
    last_refresh: formatInstant(now),
    refresh_token: '',
    scope: '',
    token_type: '',
    type: 'iflow',
  });
}

function prefixed(prefix: string, error: unknown): unknown {
  if (error instanceof Error) error.message = `${prefix}${error.message}`;
  return error;
}
