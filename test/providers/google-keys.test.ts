// Gemini API keys and Vertex: URLs, keys, minted tokens, pictures.
import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { test } from 'node:test';
import type { HttpClient, HttpOptions } from '../../src/net/http.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { upstream as gemini } from '../../src/providers/gemini/upstream.ts';
import { provider as vertexProvider } from '../../src/providers/vertex/index.ts';
import { serviceAccountToken } from '../../src/providers/vertex/token.ts';
import { upstream as vertex } from '../../src/providers/vertex/upstream.ts';
import { Secret } from '../../src/secret.ts';
import { callOf, configOf, credentialOf, now, sent } from './stand-ins.ts';

const contents = [{ role: 'user', parts: [{ text: 'hi' }] }];
const key = credentialOf({ provider: 'gemini' });
const vertexKey = credentialOf({ provider: 'vertex' });

test('a Gemini key goes in its header, the model into the path', () => {
  const { url, headers, json } = sent(
    gemini,
    { model: 'x', contents, session_id: 's' },
    callOf({ credential: key, model: 'gemini-2.5-pro' }),
  );
  assert.equal(url, 'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent');
  assert.equal(headers['x-goog-api-key'], 'key-of-upstream');
  assert.deepEqual(Object.keys(json).sort(), ['contents', 'safetySettings']);
});

test('streams are asked for as events', () => {
  const { url, headers } = sent(gemini, { contents }, callOf({ credential: key, stream: true }));
  assert.match(url, /:streamGenerateContent\?alt=sse$/);
  assert.equal(headers.accept, 'text/event-stream');
});

test('a Gemini count holds contents alone, or everything in generateContentRequest', () => {
  const call = callOf({ credential: key, operation: 'count-tokens', model: 'g' });
  assert.deepEqual(sent(gemini, { model: 'g', contents, generationConfig: {} }, call).json, { contents });
  const systemInstruction = { parts: [{ text: 's' }] };
  assert.deepEqual(sent(gemini, { contents, systemInstruction }, call).json, {
    generateContentRequest: { model: 'models/g', contents, systemInstruction },
  });
});

test('a 429 of a Gemini key is believed about its wait', () => {
  const body = JSON.stringify({
    error: { code: 429, details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '33.4s' }] },
  });
  assert.equal(gemini.classify({ status: 429, headers: {}, body }, callOf()).retryAfterMs, 33_400);
});

test('a Vertex key asks the global publisher path', () => {
  const { url, headers } = sent(vertex, { contents }, callOf({ credential: vertexKey, model: 'gemini-2.5-pro' }));
  assert.equal(url, 'https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-pro:generateContent');
  assert.equal(headers['x-goog-api-key'], 'key-of-upstream');
});

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

function account(over: JsonObject = {}): JsonObject {
  return {
    client_email: 'sa@p.iam',
    private_key: privateKey,
    project_id: 'proj',
    token_uri: 'https://token.example/t',
    ...over,
  };
}

function serviceAccount(fields: JsonObject, location = 'europe-west4') {
  return credentialOf({
    provider: 'vertex',
    kind: 'service-account',
    projectId: 'proj',
    location,
    fields: new Secret(fields),
  });
}

test('a service account asks its region, `global` the common host', () => {
  const url = (location: string) =>
    sent(vertex, { contents }, callOf({ credential: serviceAccount({}, location), model: 'm' })).url;
  assert.equal(
    url('europe-west4'),
    'https://europe-west4-aiplatform.googleapis.com/v1/projects/proj/locations/europe-west4/publishers/google/models/m:generateContent',
  );
  assert.match(url('global'), /^https:\/\/aiplatform\.googleapis\.com\/v1\/projects\/proj\/locations\/global\//);
});

interface Asked {
  url: string;
  options: HttpOptions | undefined;
}

function tokenEndpoint(answer: () => { status: number; json: JsonObject }) {
  const asked: Asked[] = [];
  const http: HttpClient = {
    async request(url, options) {
      asked.push({ url, options });
      const { status, json } = answer();
      return { status, headers: {}, text: JSON.stringify(json), json };
    },
  };
  return { http, asked };
}

test('a token is minted with a signed assertion, once for many requests, anew before it ends', async () => {
  let clock = now;
  let minted = 0;
  const { http, asked } = tokenEndpoint(() => ({
    status: 200,
    json: { access_token: `t${++minted}`, expires_in: 3600 },
  }));
  const credential = serviceAccount({ service_account: account({ marker: 'one' }) });
  const context = { http, config: configOf(), now: () => clock };
  const many = await Promise.all([1, 2, 3].map(() => serviceAccountToken(credential, context)));
  assert.deepEqual(many, ['t1', 't1', 't1']);
  assert.equal(asked.length, 1);
  assert.equal(asked[0]?.url, 'https://token.example/t');
  const [header = '', claims = '', signature = ''] = (asked[0]?.options?.form?.assertion ?? '').split('.');
  assert.ok(verify('RSA-SHA256', Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url')));
  assert.deepEqual(JSON.parse(Buffer.from(claims, 'base64url').toString()), {
    iss: 'sa@p.iam',
    scope: 'https://www.googleapis.com/auth/cloud-platform',
    aud: 'https://token.example/t',
    iat: now / 1000,
    exp: now / 1000 + 3600,
  });
  clock = now + 54 * 60_000;
  assert.equal(await serviceAccountToken(credential, context), 't1');
  clock = now + 56 * 60_000;
  assert.equal(await serviceAccountToken(credential, context), 't2');
});

test('a token endpoint of the config beats the file’s', async () => {
  const { http, asked } = tokenEndpoint(() => ({ status: 200, json: { access_token: 't', expires_in: 3600 } }));
  const config = configOf({ endpoints: { vertex: { token: 'http://mirror/token' } } });
  await serviceAccountToken(serviceAccount({ service_account: account({ marker: 'two' }) }), {
    http,
    config,
    now: () => now,
  });
  assert.equal(asked[0]?.url, 'http://mirror/token');
});

test('a refused assertion fails without the key in its message, and is tried again next time', async () => {
  const { http, asked } = tokenEndpoint(() => ({ status: 400, json: { error: 'invalid_grant' } }));
  const credential = serviceAccount({ service_account: account({ marker: 'three' }) });
  const context = { http, config: configOf(), now: () => now };
  const attempt = () =>
    assert.rejects(serviceAccountToken(credential, context), (error: Error & { status?: number }) => {
      assert.equal(error.status, 500);
      assert.ok(!error.message.includes('PRIVATE'));
      return true;
    });
  await attempt();
  await attempt();
  assert.equal(asked.length, 2);
});

test('an imported key file names project and place', () => {
  const facts = vertexProvider.readCredential({ type: 'vertex', service_account: account() });
  assert.ok(!Array.isArray(facts));
  assert.deepEqual(
    [facts.kind, facts.projectId, facts.location, facts.label],
    ['service-account', 'proj', 'us-central1', 'sa@p.iam'],
  );
});

test('Imagen is asked to predict and answers as content', () => {
  const call = callOf({ credential: serviceAccount({}), model: 'imagen-4.0', stream: true });
  const request = sent(vertex, { contents, generationConfig: { imageConfig: { aspectRatio: '16:9' } } }, call);
  assert.match(request.url, /imagen-4\.0:predict$/);
  assert.equal(request.stream, false);
  assert.deepEqual(request.json, {
    instances: [{ prompt: 'hi' }],
    parameters: { sampleCount: 1, aspectRatio: '16:9' },
  });
  const answer = vertex.unwrap?.('{"predictions":[{"bytesBase64Encoded":"QQ==","mimeType":"image/png"}]}') ?? '';
  assert.deepEqual(JSON.parse(answer).candidates[0].content.parts, [
    { inlineData: { mimeType: 'image/png', data: 'QQ==' } },
  ]);
  assert.throws(() => sent(vertex, { contents: [] }, call), /text prompt/);
});
