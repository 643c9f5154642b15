// Runs logins whose browser is elsewhere: starts them, takes their one callback, exchanges it, keeps the outcome
// (auth.md §5.2–5.6). Knows nothing about HTTP routes and nothing about providers.
import { purgeCallbackFiles, takeCallbackFile, writeCallbackFile } from './callback-file.ts';
import { sleepFor } from './device.ts';
import { plain } from './errors.ts';
import type { RemoteContext, RemoteDone, RemoteLogin, RemoteStart } from './flow.ts';
import type { OAuthSession, OAuthSessions, Refusal } from './sessions.ts';
import { createState } from './state.ts';

export interface RemoteLoginsOptions {
  sessions: OAuthSessions;
  /** Without `signal`: each session has its own. */
  context: Omit<RemoteContext, 'signal'>;
  /** The folder may change with a reload of the configuration. */
  authDir: () => string;
  /** ms between looks for a callback file that another program may have written. */
  lookEveryMs?: number;
}

export interface StartedLogin {
  session: OAuthSession;
  start: RemoteStart;
}

export interface CallbackInput {
  state: string;
  /** Canonical; absent: taken from the session. */
  provider?: string;
  code?: string;
  error?: string;
}

export type Delivery =
  /** `done`: the session once its flow has ended. */
  { ok: true; done: Promise<OAuthSession | undefined> } | { ok: false; refusal: Refusal | 'not-persisted' };

export interface RemoteLogins {
  readonly sessions: OAuthSessions;
  /** Rejects with `LoginError` when the URL cannot be made; no session is left behind then. */
  start(login: RemoteLogin, options?: { email?: string; projectId?: string }): Promise<StartedLogin>;
  deliver(input: CallbackInput): Promise<Delivery>;
  close(): void;
}

/** A callback file that nobody took within the lifetime of a session is a leftover. */
const leftoverMs = 600_000;

export function createRemoteLogins({
  sessions,
  context,
  authDir,
  lookEveryMs = 500,
}: RemoteLoginsOptions): RemoteLogins {
  const flows = new Map<string, { login: RemoteLogin; start: RemoteStart }>();
  const purgeFiles = () => void purgeCallbackFiles(authDir(), leftoverMs, context.now());
  const purgeTimer = setInterval(purgeFiles, 60_000);
  purgeTimer.unref();
  purgeFiles();

  const finish = async (state: string, run: (signal: AbortSignal) => Promise<RemoteDone>): Promise<void> => {
    try {
      const { file, path, email } = await run(sessions.signal(state));
      sessions.complete(state, email === undefined ? { file, path } : { file, path, email });
    } catch (error) {
      sessions.fail(state, error instanceof Error ? error.message : 'login failed');
    } finally {
      flows.delete(state);
    }
  };

  /** Exchanges what the callback brought. The session is claimed already. */
  const proceed = async (state: string, callback: { code: string; error: string }): Promise<void> => {
    const flow = flows.get(state);
    if (flow === undefined) return;
    if (callback.error !== '') {
      sessions.fail(state, plain(callback.error));
      flows.delete(state);
      return;
    }
    await finish(state, (signal) => {
      if (flow.start.complete === undefined) throw new Error('provider uses device flow');
      return flow.start.complete(callback.code, signal);
    });
  };

  /** An external writer of the callback file completes the login as well: the format is documented. */
  const watchFile = async (state: string, canonical: string): Promise<void> => {
    const signal = sessions.signal(state);
    while (!signal.aborted) {
      await sleepFor(lookEveryMs, signal);
      if (signal.aborted || sessions.get(state)?.claimed !== false) break;
      const found = await takeCallbackFile(authDir(), canonical, state);
      if (found === undefined) continue;
      if ('session' in sessions.claim(state, canonical)) await proceed(state, found);
      break;
    }
    if (sessions.get(state)?.status !== 'wait') flows.delete(state);
  };

  return {
    sessions,
    async start(login, options = {}) {
      const state = createState();
      const ended = new AbortController();
      const start = await login.start({ ...context, signal: ended.signal }, { ...options, state });
      const session = sessions.open({
        state,
        provider: login.canonical,
        kind: login.kind,
        ...(start.expiresAt === undefined ? {} : { expiresAt: start.expiresAt }),
      });
      sessions.signal(state).addEventListener('abort', () => ended.abort(), { once: true });
      flows.set(state, { login, start });
      const { poll } = start;
      if (poll !== undefined) void finish(state, (signal) => poll(signal));
      else void watchFile(state, login.canonical);
      return { session, start };
    },
    async deliver({ state, provider, code = '', error = '' }) {
      const claimed = sessions.claim(state, provider);
      if ('refusal' in claimed) return { ok: false, refusal: claimed.refusal };
      const canonical = claimed.session.provider;
      try {
        const first = await writeCallbackFile(authDir(), canonical, { state, code, error });
        if (!first) {
          sessions.release(state);
          return { ok: false, refusal: 'not-pending' };
        }
      } catch {
        sessions.release(state);
        return { ok: false, refusal: 'not-persisted' };
      }
      const taken = await takeCallbackFile(authDir(), canonical, state);
      const done = proceed(state, taken ?? { code, error }).then(() => sessions.get(state));
      return { ok: true, done };
    },
    close() {
      clearInterval(purgeTimer);
      sessions.close();
      flows.clear();
    },
  };
}
