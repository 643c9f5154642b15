// The end of both Codex logins: code → tokens → credential file (auth.md §3.4).
import type { Credential } from '../../credentials/credential.ts';
import { formatInstant } from '../../credentials/expiry.ts';
import { loginError } from '../../oauth/errors.ts';
import { codexFileName } from '../../oauth/file-name.ts';
import type { RemoteContext } from '../../oauth/flow.ts';
import { saveLogin } from '../../oauth/save.ts';
import { sendForJson } from '../../oauth/token-request.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { endpoint, oauthClient } from '../endpoints.ts';
import { objectOf, parseObject, textOf } from '../fields.ts';
import { lifetimeOf } from '../token-exchange.ts';

export interface CodexGrant {
  code: string;
  verifier: string;
  redirectUri: string;
}

export async function exchangeAndSave(context: RemoteContext, grant: CodexGrant): Promise<Credential> {
  const { config } = context;
  const step = 'code_exchange_failed';
  const reply = await sendForJson(context, endpoint(config, 'codex', 'token'), {
    step,
    prefix: 'codex token',
    method: 'POST',
    form: {
      grant_type: 'authorization_code',
      client_id: oauthClient(config, 'codex').id,
      code: grant.code,
      redirect_uri: grant.redirectUri,
      code_verifier: grant.verifier,
    },
  });
  const accessToken = textOf(reply.access_token);
  if (accessToken === '') throw loginError(step, 'codex token: missing access token in response');
  const idToken = textOf(reply.id_token);
  const who = readIdToken(idToken);
  if (who.email === '') throw loginError('user_info_failed', 'codex token: no e-mail in the id token');
  const now = context.now();
  const fields: JsonObject = {
    access_token: accessToken,
    account_id: who.accountId,
    disabled: false,
    email: who.email,
    expired: formatInstant(now + lifetimeOf(reply) * 1_000),
    id_token: idToken,
    last_refresh: formatInstant(now),
    refresh_token: textOf(reply.refresh_token),
    type: 'codex',
  };
  return saveLogin(context.store, codexFileName(who.email, who.accountId, who.plan), fields);
}

export interface CodexIdentity {
  email: string;
  accountId: string;
  plan: string;
}

/** Claims of the id token, each read for itself: one of an unexpected type must not lose the others. */
export function readIdToken(idToken: string): CodexIdentity {
  const payload = idToken.split('.')[1] ?? '';
  const claims = parseObject(Buffer.from(payload, 'base64url').toString('utf8')) ?? {};
  const auth = objectOf(claims['https://api.openai.com/auth']);
  const profile = objectOf(claims['https://api.openai.com/profile']);
  return {
    email: textOf(claims.email) || textOf(profile?.email),
    accountId: textOf(auth?.chatgpt_account_id),
    plan: textOf(auth?.chatgpt_plan_type),
  };
}
