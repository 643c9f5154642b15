// The built program between clients of all four protocols and all providers: every pair answers, and no service has
// anything to complain about.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningServer, startProxy } from '../world/binary.ts';
import { type FakeProviderId, startWorld, type World } from '../world/index.ts';
import { pieces } from './pieces.ts';

const models = {
  iflow: 'glm-4.6',
  qwen: 'coder-model',
  kimi: 'kimi-k2',
  claude: 'claude-sonnet-4-5-20250929',
  codex: 'gpt-5',
  'gemini-cli': 'gemini-2.5-pro',
  antigravity: 'gemini-3-flash',
  vertex: 'gemini-2.5-flash',
} as const;
type Id = keyof typeof models;
const ids = Object.keys(models) as Id[];

const schema = { type: 'object', properties: { q: { type: 'string' } } };

interface Client {
  path(model: string, stream: boolean): string;
  body(model: string, stream: boolean, text: string, tool: boolean): object;
  /** The last thing a complete stream has. */
  end: RegExp;
}

const clients: Record<string, Client> = {
  'chat completions': {
    path: () => '/v1/chat/completions',
    body: (model, stream, text, tool) => ({
      model,
      stream,
      messages: [
        { role: 'system', content: 'be kind' },
        { role: 'user', content: text },
      ],
      ...(tool ? { tools: [{ type: 'function', function: { name: 'look', parameters: schema } }] } : {}),
    }),
    end: /data: \[DONE\]\s*$/,
  },
  responses: {
    path: () => '/v1/responses',
    body: (model, stream, text, tool) => ({
      model,
      stream,
      input: text,
      ...(tool ? { tools: [{ type: 'function', name: 'look', parameters: schema }] } : {}),
    }),
    end: /response\.completed/,
  },
  messages: {
    path: () => '/v1/messages',
    body: (model, stream, text, tool) => ({
      model,
      stream,
      max_tokens: 4_000,
      messages: [{ role: 'user', content: text }],
      ...(tool ? { tools: [{ name: 'look', input_schema: schema }] } : {}),
    }),
    end: /message_stop/,
  },
  gemini: {
    path: (model, stream) => `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: (_model, _stream, text, tool) => ({
      contents: [{ role: 'user', parts: [{ text }] }],
      ...(tool ? { tools: [{ functionDeclarations: [{ name: 'look', parameters: schema }] }] } : {}),
    }),
    end: /"finishReason":\s*"STOP"/,
  },
};

let world: World;
let proxy: RunningServer;

before(async () => {
  world = await startWorld();
  const authFiles: Record<string, unknown> = {
    'vertex-p.json': {
      type: 'vertex',
      project_id: 'p',
      location: 'us-central1',
      email: 'sa@p.test',
      prefix: 'vertex',
      service_account: world.serviceAccount('p'),
    },
  };
  for (const id of ids) {
    if (id === 'vertex') continue;
    const { name, fields } = world.file(world.account(id));
    authFiles[name] = { ...fields, prefix: id };
  }
  proxy = await startProxy({ config: { 'api-keys': ['sk-test'], endpoints: world.endpoints }, authFiles });
});
after(async () => {
  // Also when the start failed: what is left open would keep the test process alive.
  await proxy?.stop();
  await world?.close();
});

function post(path: string, body: object): Promise<Response> {
  return fetch(proxy.url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: 'Bearer sk-test',
      'anthropic-version': '2023-06-01',
    },
    body: JSON.stringify(body),
  });
}

for (const id of ids) {
  const model = `${id}/${models[id]}`;
  for (const [name, client] of Object.entries(clients)) {
    for (const stream of [false, true]) {
      const how = stream ? 'as a stream' : 'whole';
      test(`${id} answers ${name}, ${how}: text, then a tool call with thoughts`, async () => {
        const seen = world.log.length;
        for (const [text, tool] of [
          ['hello', false],
          ['think, then use-tool', true],
        ] as const) {
          const response = await post(client.path(model, stream), client.body(model, stream, text, tool));
          const answer = await response.text();
          assert.equal(response.status, 200, answer);
          if (stream) assert.match(answer, client.end);
          if (tool) assert.match(answer, /look/);
          else assert.match(pieces(answer), /echo: hello ✓é漢😀/);
        }
        const asked = world.log.slice(seen);
        assert.deepEqual(
          asked.flatMap((entry) => entry.problems),
          [],
        );
        const chats = asked.filter((entry) => entry.kind === 'chat');
        assert.deepEqual(
          chats.map((entry) => entry.provider),
          [id, id] satisfies FakeProviderId[],
        );
        for (const { headers } of chats) assert.match(headers['user-agent'] ?? '', /^cliproxy\//);
      });
    }
  }

  test(`${id} counts tokens for clients that ask`, async () => {
    const seen = world.log.length;
    const messages = await post('/v1/messages/count_tokens', { model, messages: [{ role: 'user', content: 'hi' }] });
    const counted = (await messages.json()) as { input_tokens?: number };
    assert.ok((counted.input_tokens ?? 0) > 0, JSON.stringify(counted));
    const gemini = await post(`/v1beta/models/${model}:countTokens`, {
      contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
    });
    const total = (await gemini.json()) as { totalTokens?: number };
    assert.ok((total.totalTokens ?? 0) > 0, JSON.stringify(total));
    assert.deepEqual(
      world.log.slice(seen).flatMap((entry) => entry.problems),
      [],
    );
  });
}

test('Vertex signs one token for many requests', () => {
  assert.equal(world.select({ provider: 'vertex', kind: 'token' }).length, 1);
});

test('a token that ends is refreshed before it is used, one that is refused once more after that', async () => {
  for (const id of ['iflow', 'qwen', 'kimi', 'claude', 'codex', 'gemini-cli', 'antigravity'] as const) {
    const account = world.account(id);
    const before = account.refreshes;
    world.revoke(account, id === 'iflow' ? 'api-key' : 'access');
    const model = `${id}/${models[id]}`;
    const body = { model, messages: [{ role: 'user', content: 'again' }] };
    const response = await post('/v1/chat/completions', body);
    assert.equal(response.status, 200, `${id}: ${await response.text()}`);
    assert.equal(account.refreshes, before + 1, id);
  }
});
