// The comparator itself: it accepts the recorded expectation and notices what is lost or altered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAnswer, checkRequest, type SeenAnswer, type SeenRequest } from './compare.ts';
import { type JsonObject, loadPairs, type Vector, type WireEvent } from './format.ts';

const vectors = new Map(loadPairs().flatMap((pair) => pair.vectors.map((vector) => [vector.id, vector])));

function vectorOf(id: string): Vector {
  const vector = vectors.get(id);
  assert.ok(vector, id);
  return vector;
}

function recordedRequest(vector: Vector, change: (body: JsonObject) => void = () => {}): SeenRequest[] {
  const expected = vector.expected_upstream_request;
  assert.ok(expected);
  const body = structuredClone(expected.body);
  change(body);
  return [{ ...expected, body: JSON.stringify(body) }];
}

function recordedAnswer(vector: Vector, change: (text: string) => string = (text) => text): SeenAnswer {
  const { status, content_type, json, sse } = vector.expected_client_response;
  const body = sse ? sse.map(written).join('') : JSON.stringify(json);
  return { status, contentType: content_type, body: change(body) };
}

function written(event: WireEvent): string {
  if ('raw' in event) return event.raw;
  const data = typeof event.data === 'string' ? event.data : JSON.stringify(event.data);
  return `${event.event ? `event: ${event.event}\n` : ''}data: ${data}\n\n`;
}

test('the recorded upstream request of every vector is accepted', () => {
  for (const vector of vectors.values()) {
    if (!vector.expected_upstream_request) continue;
    assert.deepEqual(checkRequest(vector, recordedRequest(vector)), [], vector.id);
  }
});

const history = vectorOf('openai__claude/req/tool_history');

test('a lost message, a changed argument and a lost result are noticed', () => {
  const messages = (body: JsonObject) => body.messages as JsonObject[];
  assert.deepEqual(checkRequest(history, recordedRequest(history)), []);
  assert.ok(
    checkRequest(
      history,
      recordedRequest(history, (body) => messages(body).shift()),
    ).length > 0,
  );
  const altered = (from: string, to: string) => {
    const [request] = recordedRequest(history);
    assert.ok(request);
    assert.ok(request.body.includes(from));
    return checkRequest(history, [{ ...request, body: request.body.replace(from, to) }]);
  };
  assert.ok(altered('Oslo', 'Bergen').length > 0);
  assert.ok(altered('12C', '13C').length > 0);
});

test('a call that must not be made, a missing one and a second one are noticed', () => {
  const none = vectorOf('openai__none/err/missing_key');
  assert.ok(checkRequest(none, recordedRequest(history)).length > 0);
  assert.ok(checkRequest(history, []).length > 0);
  assert.ok(checkRequest(history, [...recordedRequest(history), ...recordedRequest(history)]).length > 0);
});

const stream = vectorOf('openai__claude/rep/text.stream');

test('changed text, finish reason and order of a stream are noticed', () => {
  assert.deepEqual(checkAnswer(stream, recordedAnswer(stream)), []);
  const with_ = (from: string, to: string) =>
    checkAnswer(
      stream,
      recordedAnswer(stream, (text) => text.replace(from, to)),
    );
  assert.ok(with_('"Hello"', '"Hallo"').length > 0);
  assert.ok(with_('"stop"', '"length"').length > 0);
  assert.ok(with_('data: [DONE]', ': gone').length > 0);
  assert.ok(with_('chat.completion.chunk', 'chat.completion').length > 0);
});

test('usage that is off by one is noticed where it was asked for', () => {
  const vector = vectorOf('claude__gemini/rep/text_then_tool');
  assert.deepEqual(checkAnswer(vector, recordedAnswer(vector)), []);
  const off = recordedAnswer(vector, (text) => text.replace('"input_tokens":21', '"input_tokens":22'));
  assert.ok(checkAnswer(vector, off).length > 0);
});

test('an error with another status, type or message is noticed', () => {
  const vector = vectorOf('claude__codex/err/429');
  assert.deepEqual(checkAnswer(vector, recordedAnswer(vector)), []);
  assert.ok(checkAnswer(vector, { ...recordedAnswer(vector), status: 500 }).length > 0);
  const typed = recordedAnswer(vector, (text) => text.replace('rate_limit_error', 'api_error'));
  assert.ok(checkAnswer(vector, typed).length > 0);
});

test('a stream that breaks and looks complete is noticed', () => {
  const vector = vectorOf('openai__claude/rep/mid_stream_error.stream');
  assert.deepEqual(checkAnswer(vector, recordedAnswer(vector)), []);
  const silent = recordedAnswer(vector, (text) => text.replace(/data: \{"error".*\n\n/, ''));
  assert.ok(checkAnswer(vector, silent).length > 0);
});
