// Every decoder, fed with damaged requests, answers and streams: it reads them or says `Failure`, never anything else, in
// bounded time; and what it read can be written again in every protocol.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../src/failure.ts';
import { protocols } from '../../src/protocols/index.ts';
import type { JsonObject, ProtocolId, StreamPart } from '../../src/protocols/neutral.ts';
import { damaged, runs } from './json.ts';
import { answers, requests, streams } from './templates.ts';

const ids = Object.keys(protocols) as ProtocolId[];
/** Far above what a request of this size takes (< 1 ms), far below what anybody would wait. */
const mostMs = 1000;

/** What `work` gives, or undefined when it refused with a `Failure`. */
function readOrRefuse<T>(work: () => T, kinds: readonly Failure['kind'][]): T | undefined {
  const started = performance.now();
  try {
    return work();
  } catch (error) {
    assert.ok(error instanceof Failure, `not a Failure: ${error instanceof Error ? error.stack : String(error)}`);
    assert.ok(kinds.includes(error.kind), `${error.kind}: ${error.message}`);
    return undefined;
  } finally {
    assert.ok(performance.now() - started < mostMs, 'took too long');
  }
}

function asJson(value: unknown): void {
  assert.doesNotThrow(() => JSON.parse(JSON.stringify(value)));
}

for (const id of ids) {
  test(`${id}: a damaged request is read or refused with 400, and written for every upstream or refused`, () => {
    fc.assert(
      fc.property(damaged(requests[id]), (body) => {
        const neutral = readOrRefuse(() => protocols[id].decodeRequest(structuredClone(body)), ['invalid-request']);
        if (neutral === undefined) return;
        for (const target of ids) {
          const encode = () =>
            protocols[target].encodeRequest(neutral, { model: 'm', stream: true, provider: 'openai-compatibility' });
          const written = readOrRefuse(encode, ['invalid-request']);
          if (written !== undefined) asJson(written);
        }
      }),
      runs,
    );
  });

  test(`${id}: any JSON object at all is read or refused with 400`, () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (body) => {
        readOrRefuse(() => protocols[id].decodeRequest(body as JsonObject), ['invalid-request']);
      }),
      runs,
    );
  });

  test(`${id}: a damaged whole answer is read or refused, and written for every client`, () => {
    fc.assert(
      fc.property(damaged(answers[id]), (body) => {
        const parts = readOrRefuse(
          () => protocols[id].decodeResponse(structuredClone(body)),
          ['transient', 'invalid-request', 'internal'],
        );
        if (parts === undefined || parts.some((part) => part.type === 'error')) return;
        for (const target of ids) asJson(protocols[target].encodeResponse(parts, { model: 'm' }));
      }),
      runs,
    );
  });

  test(`${id}: a stream with damaged events becomes a well-formed stream for every client, or a failure`, () => {
    const event = fc
      .nat(streams[id].length - 1)
      .chain((at) => fc.record({ at: fc.constant(at), json: damaged(streams[id][at] as JsonObject) }));
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 2 }), fc.boolean(), (changes, cut) => {
        const events = streams[id].map((json, at) => changes.find((change) => change.at === at)?.json ?? json);
        if (cut) events.splice(changes[0]?.at ?? 0);
        const parts: StreamPart[] = [];
        const decoder = protocols[id].streamDecoder((part) => parts.push(part));
        readOrRefuse(() => {
          for (const json of events) {
            const name = typeof json.type === 'string' ? json.type : '';
            decoder.event({ event: name, data: JSON.stringify(json) });
          }
          decoder.end();
        }, ['transient', 'invalid-request', 'internal']);
        for (const target of ids) {
          const encoder = protocols[target].streamEncoder({ model: 'm' });
          let text = '';
          for (const part of parts) if (part.type !== 'error') text += encoder.write(part);
          for (const line of text.split('\n')) {
            if (line.startsWith('data: ') && line !== 'data: [DONE]')
              assert.doesNotThrow(() => JSON.parse(line.slice(6)));
          }
        }
      }),
      runs,
    );
  });

  test(`${id}: event data that is not JSON is a failure of the upstream, not of ours`, () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (event, data) => {
        const decoder = protocols[id].streamDecoder(() => {});
        try {
          decoder.event({ event, data });
          decoder.end();
        } catch (error) {
          // A parse error is turned into a failure by whoever reads the stream.
          assert.ok(error instanceof Failure || error instanceof SyntaxError, String(error));
        }
      }),
      runs,
    );
  });
}
