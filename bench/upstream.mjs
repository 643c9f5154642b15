// A fake upstream that speaks all four protocols. The prompt steers it: `#chunks=1000 gap=0#` (events, ms between them).
import http from 'node:http';

const text = 'The quick brown fox jumps over it. ';
const usage = { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 };
const event = (data, name) => `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
const named = (data) => event(data, data.type);
const message = (content, stop) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'bench',
  content,
  stop_reason: stop,
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: 20 },
});
const response = (status, output) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status,
  model: 'bench',
  output,
  usage: { input_tokens: 10, output_tokens: 20, total_tokens: 30 },
});
const item = (content) => ({ id: 'item_1', type: 'message', role: 'assistant', status: 'completed', content });
const output = (words) => ({ type: 'output_text', text: words, annotations: [] });
const chunk = (delta, finish, more = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'bench',
  choices: [{ index: 0, delta, finish_reason: finish }],
  ...more,
});
const candidate = (words, more = {}) => ({
  candidates: [{ index: 0, content: { role: 'model', parts: [{ text: words }] }, ...more }],
  modelVersion: 'bench',
});
const geminiUsage = { usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 20, totalTokenCount: 30 } };
const place = { item_id: 'item_1', output_index: 0, content_index: 0 };

/** Per protocol: the whole answer, and the first, each middle and the last part of a stream. */
const spoken = {
  chat: {
    whole: {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'bench',
      choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
      usage,
    },
    first: event(chunk({ role: 'assistant', content: '' }, null)),
    each: event(chunk({ content: text }, null)),
    last: `${event(chunk({}, 'stop'))}${event({ ...chunk({}, null), choices: [], usage })}data: [DONE]\n\n`,
  },
  messages: {
    whole: message([{ type: 'text', text }], 'end_turn'),
    first:
      named({ type: 'message_start', message: message([], null) }) +
      named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    each: named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
    last:
      named({ type: 'content_block_stop', index: 0 }) +
      named({
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: 20 },
      }) +
      named({ type: 'message_stop' }),
  },
  responses: {
    whole: response('completed', [item([output(text)])]),
    first:
      named({ type: 'response.created', response: response('in_progress', []) }) +
      named({ type: 'response.output_item.added', output_index: 0, item: { ...item([]), status: 'in_progress' } }) +
      named({ type: 'response.content_part.added', ...place, part: output('') }),
    each: named({ type: 'response.output_text.delta', ...place, delta: text }),
    last:
      named({ type: 'response.output_text.done', ...place, text }) +
      named({ type: 'response.output_item.done', output_index: 0, item: item([output(text)]) }) +
      named({ type: 'response.completed', response: response('completed', [item([output(text)])]) }),
  },
  gemini: {
    whole: { ...candidate(text, { finishReason: 'STOP' }), ...geminiUsage },
    first: event(candidate(text)),
    each: event(candidate(text)),
    last: event({ ...candidate(text, { finishReason: 'STOP' }), ...geminiUsage }),
  },
};

function protocolOf(path) {
  if (path.includes('/chat/completions')) return 'chat';
  if (path.includes('/messages')) return 'messages';
  return path.includes('/responses') ? 'responses' : 'gemini';
}

function stream(reply, { first, each, last }, chunks, gap) {
  reply.writeHead(200, { 'content-type': 'text/event-stream' });
  reply.write(first);
  let sent = 0;
  if (gap > 0) {
    const timer = setInterval(() => {
      if (++sent <= chunks) reply.write(each);
      else {
        clearInterval(timer);
        reply.end(last);
      }
    }, gap);
    reply.on('close', () => clearInterval(timer));
    return;
  }
  const burst = each.repeat(50);
  const more = () => {
    while (sent < chunks) {
      sent += 50;
      if (!reply.write(burst)) {
        reply.once('drain', more);
        return;
      }
    }
    reply.end(last);
  };
  more();
}

const server = http.createServer({ requestTimeout: 0 }, (request, reply) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const head = Buffer.concat(pieces).subarray(-2000).toString('latin1') + pieces[0]?.toString('latin1', 0, 2000);
    const [, chunks = '20', gap = '0'] = /#chunks=(\d+) gap=(\d+)#/.exec(head) ?? [];
    const protocol = spoken[protocolOf(request.url)];
    if (/"stream":\s*true/.test(head) || request.url.includes('streamGenerateContent')) {
      stream(reply, protocol, Number(chunks), Number(gap));
      return;
    }
    const body = JSON.stringify(protocol.whole);
    reply.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    reply.end(body);
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => console.log(server.address().port));
