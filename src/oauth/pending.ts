// An authorization whose set-up failed is kept, switched off, so that the next login can go on from there (auth.md R7).
import type { Credential, ProviderId } from '../credentials/credential.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { pendingFileName } from './file-name.ts';
import { LoginError, type RemoteContext } from './flow.ts';
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

/** Removes the file of a login that has been completed. */
export async function dropPending(context: Context, pending: PendingLogin | undefined): Promise<void> {
  if (pending !== undefined) await context.store.remove(pending.name).catch(() => false);
}
