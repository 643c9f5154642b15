// How streams end, for every pair of client protocol and upstream protocol: what was cut is never called complete, what
// was complete has its client's full ending, and nothing follows it.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { chatStream, dialects, type Lab, openLab, until } from './lab.ts';

let lab: Lab;
before(async () => {
  lab = await openLab();
});
after(() => lab.close());

const event = (data: { type?: string } & object): string =>
  `${data.type === undefined ? '' : `event: ${data.type}\n`}data: ${JSON.stringify(data)}\n\n`;
const candidate = (more: object) => event({ candidates: [{ index: 0, ...more }], modelVersion: 'gemini' } as object);
const message = (text: string) => ({
  type: 'message',
  id: 'i',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
});

interface Upstream {
  begun: string;
  end: string;
  error: string;
  /** An event of the same protocol, to be sent when it is too late. */
  late: string;
}

const upstreams: Record<'chat' | 'claude' | 'gemini' | 'codex', Upstream> = {
  chat: {
    begun: chatStream.head + chatStream.text(),
    end: chatStream.end,
    error: 'data: {"error":{"message":"Overloaded","type":"server_error"}}\n\n',
    late: chatStream.text(9),
  },
  claude: {
    begun:
      event({
        type: 'message_start',
        message: {
          id: 'm',
          type: 'message',
          role: 'assistant',
          model: 'claude',
          content: [],
          stop_reason: null,
          usage: { input_tokens: 1, output_tokens: 0 },
        },
      } as object) +
      event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } } as object) +
      event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'xxxxx' } } as object),
    end:
      event({ type: 'content_block_stop', index: 0 } as object) +
      event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } } as object) +
      event({ type: 'message_stop' }),
    error: event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } } as object),
    late: event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'xxxxxxxxx' } } as object),
  },
  gemini: {
    begun: candidate({ content: { role: 'model', parts: [{ text: 'xxxxx' }] } }),
    end: candidate({ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP' }),
    error: event({ error: { code: 503, message: 'Overloaded', status: 'UNAVAILABLE' } } as object),
    // Gemini has no end mark: its end is that of the body, and usage may follow the reason.
    late: '',
  },
  codex: {
    begun:
      event({ type: 'response.created', response: { id: 'r', model: 'codex', status: 'in_progress' } } as object) +
      event({ type: 'response.output_item.added', output_index: 0, item: { ...message(''), content: [] } } as object) +
      event({
        type: 'response.content_part.added',
        item_id: 'i',
        output_index: 0,
        content_index: 0,
        part: { type: 'output_text', text: '' },
      } as object) +
      event({
        type: 'response.output_text.delta',
        item_id: 'i',
        output_index: 0,
        content_index: 0,
        delta: 'xxxxx',
      } as object),
    end:
      event({ type: 'response.output_item.done', output_index: 0, item: message('xxxxx') } as object) +
      event({
        type: 'response.completed',
        response: { id: 'r', object: 'response', status: 'completed', model: 'codex', output: [message('xxxxx')] },
      } as object),
    error: event({
      type: 'response.failed',
      response: { id: 'r', status: 'failed', error: { code: 'server_is_overloaded', message: 'Overloaded' } },
    } as object),
    late: event({
      type: 'response.output_text.delta',
      item_id: 'i',
      output_index: 0,
      content_index: 0,
      delta: 'xxxxxxxxx',
    } as object),
  },
};

const clients = {
  chat: { end: 'data: [DONE]', error: /data: \{"error":/ },
  responses: { end: '"type":"response.completed"', error: /"type":"(error|response\.failed)"/ },
  messages: { end: '"type":"message_stop"', error: /event: error\n/ },
  gemini: { end: '"finishReason":"STOP"', error: /"error"\s*:\s*\{/ },
} as const;

type ClientName = keyof typeof clients;
const names = Object.keys(clients) as ClientName[];

async function stream(client: ClientName, model: string, answer: (response: ServerResponse) => void) {
  lab.answerWith((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    answer(response);
  });
  const body = client === 'gemini' ? dialects.gemini.body() : dialects[client].body(model, true);
  const route = client === 'gemini' ? `/v1beta/models/${model}:streamGenerateContent?alt=sse` : dialects[client].route;
  const response = await lab.post(route, body);
  return { status: response.status, text: await response.text() };
}

const failures = (): number =>
  Object.values(lab.router.save().credentials).reduce((sum, { failed = 0 }) => sum + failed, 0);

for (const [model, upstream] of Object.entries(upstreams)) {
  describe(`a stream of ${model}`, () => {
    const cuts: Record<string, (response: ServerResponse) => void> = {
      'ends inside an event': (response) => void response.end(`${upstream.begun}data: {"id"`),
      'is closed inside an event': (response) =>
        void response.write(`${upstream.begun}data: {"id"`, () => response.socket?.destroy()),
      'is reset inside an event': (response) =>
        void response.write(`${upstream.begun}data: {"id"`, () => response.socket?.resetAndDestroy()),
      'ends between events, without its own end': (response) => void response.end(upstream.begun),
      'tells an error after text': (response) => void response.end(upstream.begun + upstream.error),
    };
    for (const [what, cut] of Object.entries(cuts)) {
      test(`that ${what} ends with the error of each client protocol, and counts as failed`, async () => {
        for (const client of names) {
          const failed = failures();
          const { text, status } = await stream(client, model, cut);
          const told = `${client}: ${text.slice(-300)}`;
          assert.ok(!text.includes(clients[client].end), told);
          // A reset may overtake what was sent before it; then there is nothing to go on with, and the status says so.
          if (status === 200) assert.match(text, clients[client].error, told);
          else assert.equal(status, 502, told);
          assert.ok(!text.includes('{"id"\n') && !text.endsWith('{"id"'), told);
          await until(() => failures() === failed + 1, `${client}: a failure`);
        }
      });
    }

    test('that is complete has the whole ending of each client protocol, once, and nothing of what comes later', async () => {
      for (const client of names) {
        const { text } = await stream(client, model, (response) =>
          response.end(upstream.begun + upstream.end + upstream.late),
        );
        assert.equal(text.split(clients[client].end).length, 2, `${client}: ${text.slice(-400)}`);
        assert.doesNotMatch(text, /x{9}/, client);
        assert.doesNotMatch(text, clients[client].error);
      }
    });
  });
}

test('a chat stream without [DONE] but with its reason gets the whole ending of each client protocol', async () => {
  for (const client of names) {
    const { text } = await stream(client, 'chat', (response) =>
      response.end(upstreams.chat.begun + chatStream.end.replace('data: [DONE]\n\n', '')),
    );
    assert.equal(text.split(clients[client].end).length, 2, `${client}: ${text.slice(-400)}`);
  }
});
