// An authorization whose set-up failed is kept, switched off, so that the next login can go on from there (auth.md R7).
import type { Credential, ProviderId } from '../credentials/credential.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { pendingFileName } from './file-name.ts';
import { type LoginContext, LoginError, type LoginRequest, type RemoteContext } from './flow.ts';
import { filesOf, saveUnderFreeName } from './save.ts';

type Context = Pick<RemoteContext, 'store' | 'now'>;

export interface PendingLogin {
  name: string;
  fields: JsonObject;
}

/** Logins of the provider that wait for their set-up, newest first. */
export function pendingLogins(context: Context, provider: ProviderId): PendingLogin[] {
  return filesOf(context.store, provider)
    .filter(({ name, fields }) => name.startsWith('pending-') && typeof fields.pending === 'string')
    .sort((a, b) => (a.name < b.name ? 1 : -1));
}

/** Keeps `fields` and gives the error with a word about it; the error alone when that fails too. */
export async function keepPending(
  context: Context,
  provider: string,
  fields: JsonObject,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof LoginError) || error.code === 'aborted' || error.code === 'save_failed') return error;
  try {
    const kept: Credential = await saveUnderFreeName(
      context.store,
      (attempt) => pendingFileName(provider, context.now() + (attempt - 1) * 1_000),
      { ...fields, disabled: true, pending: error.code },
    );
    const message = `${error.message}. The login itself is kept in ${kept.id} and is continued the next time`;
    return new LoginError(message, { exit: error.exit, code: error.code, cause: error });
  } catch {
    return error;
  }
}

/** Removes what is left of unfinished logins of an account that has now logged in. */
export async function dropPending(context: Context, provider: ProviderId, email: string): Promise<void> {
  for (const { name, fields } of pendingLogins(context, provider)) {
    if (fields.email === email) await context.store.remove(name).catch(() => false);
  }
}

/**
 * Takes up an unfinished login, of the account that `-email` names if it names one, before a new one is asked for.
 * Undefined when there is none, or when it cannot be finished now either: then a new login is the way.
 */
export async function resumePending<T>(
  context: LoginContext,
  provider: ProviderId,
  request: LoginRequest,
  finish: (pending: PendingLogin) => Promise<T>,
): Promise<T | undefined> {
  const wanted = request.email?.trim().toLowerCase();
  const pending = pendingLogins(context, provider).find(
    ({ fields }) => !wanted || !fields.email || String(fields.email).toLowerCase() === wanted,
  );
  if (pending === undefined) return undefined;
  const { terminal } = context;
  terminal.print(
    `Continuing the unfinished login of ${String(pending.fields.email || 'an account')} (${pending.name}).`,
  );
  try {
    const finished = await finish(pending);
    await context.store.remove(pending.name).catch(() => false);
    return finished;
  } catch (error) {
    if (!(error instanceof Error) || context.signal.aborted) throw error;
    terminal.warn(
      `That did not work: ${error.message}. A new login starts now; delete ${pending.name} to forget the old one.`,
    );
    return undefined;
  }
}
