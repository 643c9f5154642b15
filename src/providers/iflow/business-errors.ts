// iFlow reports many failures inside a 200 (upstreams.md §2.1, §8 row 5).
import { Failure, type FailureKind } from '../../failure.ts';
import type { Json, JsonObject } from '../../protocols/neutral.ts';
import { arrayOf, numberOf, objectOf, parseObject, textOf } from '../fields.ts';

const kinds: Readonly<Record<number, FailureKind>> = {
  400: 'invalid-request',
  401: 'unauthorized',
  402: 'forbidden',
  403: 'forbidden',
  404: 'not-found',
  422: 'invalid-request',
  429: 'quota',
  503: 'overloaded',
  529: 'overloaded',
};

/** iFlow's own word for "too many requests". */
const rateLimited = 449;

/** The failure that a 200 body really is; undefined for an answer. */
export function businessError(body: JsonObject): Failure | undefined {
  if (Array.isArray(body.choices)) return brokenChoice(body.choices);
  const said = message(body);
  if (said === undefined && body.status === undefined && body.error === undefined) return undefined;
  const status = statusOf(body);
  return new Failure({
    kind: kinds[status] ?? 'transient',
    status,
    message: said ?? `iFlow answered without a completion (status ${status})`,
    ...(status === 429 ? { code: 'rate_limit_exceeded' } : {}),
  });
}

function statusOf(body: JsonObject): number {
  const error = objectOf(body.error);
  for (const value of [body.status, body.code, error?.status, error?.code]) {
    const status = numberOf(value);
    if (status === rateLimited) return 429;
    if (status !== undefined && status >= 400 && status <= 599) return status;
  }
  return 502;
}

function message(body: JsonObject): string | undefined {
  const error = objectOf(body.error);
  const candidates: readonly (Json | undefined)[] = [error?.message, body.error, body.msg, body.message];
  for (const candidate of candidates) {
    const text = textOf(candidate);
    if (text !== '') return text.slice(0, 300);
  }
  return undefined;
}

const lostConnection = 'iFlow lost its connection to the model';

/** `finish_reason: "network_error"` without any content is a lost connection behind iFlow, not an answer. */
function brokenChoice(choices: readonly Json[]): Failure | undefined {
  const choice = objectOf(choices[0]);
  if (textOf(choice?.finish_reason) !== 'network_error') return undefined;
  const answer = objectOf(choice?.message) ?? objectOf(choice?.delta);
  const empty =
    textOf(answer?.content) === '' &&
    textOf(answer?.reasoning_content) === '' &&
    arrayOf(answer?.tool_calls).length === 0;
  if (!empty) return undefined;
  return new Failure({ kind: 'transient', status: 502, message: lostConnection });
}

/** The same in a stream: the chunk that says so becomes the error it is. Anything else comes back as it was. */
export function unmaskChunk(data: string): string {
  if (!data.includes('network_error')) return data;
  const choice = objectOf(arrayOf(parseObject(data)?.choices)[0]);
  if (choice?.finish_reason !== 'network_error' || choice.delta === undefined) return data;
  return JSON.stringify({ error: { message: lostConnection, type: 'upstream_error', code: 'network_error' } });
}
