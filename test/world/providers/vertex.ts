// Vertex AI: tokens for service accounts by signed JWT (RFC 7523), Gemini by project and location (upstreams.md §2.7).
import { verify } from 'node:crypto';
import type { JsonObject } from '../../../src/protocols/neutral.ts';
import type { Call } from '../call.ts';
import { asText } from '../model.ts';
import type { FakeProvider } from '../types.ts';
import { gemini, readGemini, serveGemini, serveGeminiCount } from '../wire/gemini.ts';
import { oauth } from '../wire/oauth.ts';

const modelPath = /^\/v1\/projects\/([^/]+)\/locations\/([^/]+)\/publishers\/google\/models\/([^/:]+):(\w+)$/;
const jwtGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

export const vertex: FakeProvider = {
  id: 'vertex',
  endpoints: { api: '', token: '/token' },
  routes: [
    { method: 'POST', path: '/token', kind: 'token', wire: oauth, serve: serveToken },
    {
      method: 'POST',
      path: modelPath,
      kind: 'chat',
      wire: gemini,
      identify(call) {
        const [project = '', , model = '', action = ''] = call.groups;
        call.authenticate(call.bearer());
        readGemini(call, call.json, model);
        if (action === 'countTokens') call.entry.kind = 'count';
        if (call.account !== undefined && call.account.name !== project) call.refuse(`project ${project}`);
        call.note('location', call.groups[1] ?? '');
      },
      async serve(call) {
        if (call.groups[3] === 'countTokens') return serveGeminiCount(call);
        await serveGemini(call, { envelope: false });
      },
    },
  ],
};

function serveToken(call: Call) {
  const why = call.param('grant_type') === jwtGrant ? assertionProblem(call) : `grant_type ${call.param('grant_type')}`;
  if (why !== '') {
    call.problem(why);
    return call.reply(400, { error: 'invalid_grant', error_description: why });
  }
  const { identity } = call.world;
  const service = identity.serviceAccounts.get(asText(claimsOf(call).iss));
  const account = identity.account('vertex', service?.project ?? '');
  identity.issue(account, { rotate: false });
  call.entry.account = account.name;
  call.reply(200, { access_token: account.accessToken, expires_in: 3_599, token_type: 'Bearer' });
}

function claimsOf(call: Call): JsonObject {
  try {
    return JSON.parse(Buffer.from(call.param('assertion').split('.')[1] ?? '', 'base64url').toString()) as JsonObject;
  } catch {
    return {};
  }
}

function assertionProblem(call: Call): string {
  const [header = '', payload = '', signature = ''] = call.param('assertion').split('.');
  const claims = claimsOf(call);
  const service = call.world.identity.serviceAccounts.get(asText(claims.iss));
  if (service === undefined) return `unknown issuer ${JSON.stringify(claims.iss)}`;
  const signed = Buffer.from(`${header}.${payload}`);
  if (!verify('RSA-SHA256', signed, service.publicKey, Buffer.from(signature, 'base64url'))) return 'wrong signature';
  if (claims.aud !== `${call.world.origin}/vertex/token`) return `aud ${JSON.stringify(claims.aud)}`;
  if (!asText(claims.scope).includes('cloud-platform')) return `scope ${JSON.stringify(claims.scope)}`;
  const { iat, exp } = claims;
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > 3_600) return 'life of the assertion';
  return exp * 1_000 > Date.now() ? '' : 'expired assertion';
}
