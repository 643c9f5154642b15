// `POST iflow-auth-url`: a cookie from a form instead of a terminal (auth.md §5.7).
import path from 'node:path';
import { LoginError, type RemoteContext } from '../../oauth/flow.ts';
import { parseIflowCookie } from '../../providers/iflow/cookie.ts';
import { fileWithBxAuth, keyForCookie, saveCookieLogin } from '../../providers/iflow/cookie-login.ts';
import { CookieError, type CookieLogin } from './deps.ts';

export async function cookieLogin(context: RemoteContext, text: string, email?: string): Promise<CookieLogin> {
  const parsed = parseIflowCookie(text);
  if (!parsed.ok) throw new CookieError('no-bxauth', parsed.reason);
  const existing = fileWithBxAuth(context.store, parsed.cookie.bxAuth);
  if (existing !== undefined) throw new CookieError('duplicate', 'duplicate BXAuth found', path.basename(existing));
  try {
    const key = await keyForCookie(context, parsed.cookie);
    const account = email?.trim() || key.name;
    const saved = await saveCookieLogin(context, parsed.cookie, key, account);
    return {
      file: saved.id,
      path: saved.path ?? saved.id,
      email: account,
      expired: key.expireRaw || key.expired || '',
    };
  } catch (error) {
    if (!(error instanceof LoginError)) throw error;
    const prefix = 'iflow cookie authentication: ';
    throw new CookieError('refused', error.message.startsWith(prefix) ? error.message : `${prefix}${error.message}`);
  }
}
