// Renewing an Antigravity login (auth.md §3.7), and finding its project when the file has none.
import { HttpError } from '../../net/http.ts';
import type { JsonObject } from '../../protocols/neutral.ts';
import { userAgent } from '../../version.ts';
import { endpoint } from '../endpoints.ts';
import { objectOf, textOf } from '../fields.ts';
import { refreshGoogle } from '../google-token.ts';
import type { RefreshContext, RefreshPolicy } from '../provider.ts';
import { lifetimeOf, tokenFields } from '../token-exchange.ts';

export const refresh: RefreshPolicy = {
  leadMs: 5 * 60_000,
  requestLeadMs: 3_000_000,
  canRefresh: (fields) => textOf(fields.refresh_token) !== '',
  refresh: refreshAntigravity,
};

async function refreshAntigravity(fields: JsonObject, context: RefreshContext): Promise<JsonObject> {
  const proxyUrl = textOf(fields.proxy_url);
  const reply = await refreshGoogle(
    { provider: 'antigravity', displayName: 'Antigravity', token: fields, proxyUrl },
    context,
  );
  const renewed: JsonObject = {
    ...tokenFields('Antigravity', reply, context),
    expires_in: lifetimeOf(reply),
    timestamp: context.now(),
    type: 'antigravity',
  };
  if (textOf(fields.project_id) === '') {
    const project = await findProject(textOf(renewed.access_token), proxyUrl, context);
    if (project !== '') renewed.project_id = project;
  }
  return renewed;
}

/** `''` when Google names none: the new token is kept all the same. */
async function findProject(accessToken: string, proxyUrl: string, context: RefreshContext): Promise<string> {
  try {
    const response = await context.http.request(
      `${endpoint(context.config, 'antigravity', 'onboard')}/v1internal:loadCodeAssist`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${accessToken}`, 'user-agent': userAgent },
        json: { metadata: { ideType: 'ANTIGRAVITY', platform: 'PLATFORM_UNSPECIFIED', pluginType: 'GEMINI' } },
        ...(proxyUrl === '' ? {} : { proxyUrl }),
        ...(context.signal === undefined ? {} : { signal: context.signal }),
      },
    );
    const project = response.json?.cloudaicompanionProject;
    return textOf(project) || textOf(objectOf(project)?.id);
  } catch (error) {
    if (error instanceof HttpError) return '';
    throw error;
  }
}
