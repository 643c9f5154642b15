// Antigravity's services, with the backend's own demands on the body (upstreams.md §2.8).
import type { Call } from '../call.ts';
import { asObject, asText } from '../model.ts';
import type { FakeProvider } from '../types.ts';
import { googleRoutes } from './google.ts';

export const antigravity: FakeProvider = {
  id: 'antigravity',
  endpoints: {
    authorize: '/o/oauth2/v2/auth',
    token: '/token',
    'user-info': '/oauth2/v1/userinfo',
    onboard: '',
    api: '',
  },
  routes: googleRoutes('antigravity', complaint),
};

function complaint(call: Call): string {
  const { json } = call;
  const request = asObject(json.request);
  const claude = asText(json.model).includes('claude');
  if (!/^(agent-|image_gen\/)/.test(asText(json.requestId))) return 'requestId';
  if (json.requestType === 'agent' && !/^-\d+$/.test(asText(request.sessionId))) return 'request.sessionId';
  if (request.safetySettings !== undefined) return 'request.safetySettings';
  if (!claude && asObject(request.generationConfig).maxOutputTokens !== undefined) return 'maxOutputTokens';
  const mode = asObject(asObject(request.toolConfig).functionCallingConfig).mode;
  if (claude && request.tools !== undefined && mode !== 'VALIDATED') return 'functionCallingConfig.mode';
  return JSON.stringify(request.tools ?? []).includes('"$schema"') ? 'JSON Schema keywords in tools' : '';
}
