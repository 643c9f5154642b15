import type { Failure } from '../failure.ts';
import type { ChatRequest, JsonObject, ProtocolId, StreamPart } from './neutral.ts';

/**
 * What one wire protocol can do. All functions are pure and synchronous: no I/O, no promise, no timer.
 * Request functions throw `Failure` (kind `invalid-request`) for what the protocol does not allow.
 */
export interface Protocol {
  readonly id: ProtocolId;

  // requests
  /** Client body → neutral form. Lenient about unknown fields, strict about types it must read. */
  decodeRequest(body: JsonObject): ChatRequest;
  /** Neutral form → upstream body. Thinking is NOT written here: `thinking/` does that for every upstream. */
  encodeRequest(request: ChatRequest, target: EncodeTarget): JsonObject;

  // answers from an upstream
  /** A whole (non-stream) answer → the same parts a stream would give. */
  decodeResponse(body: JsonObject): StreamPart[];
  streamDecoder(emit: Emit): StreamDecoder;

  // answers to a client
  /** Parts of a whole answer → body. Must end with `finish`. */
  encodeResponse(parts: readonly StreamPart[], context: AnswerContext): JsonObject;
  streamEncoder(context: AnswerContext): StreamEncoder;

  // errors to a client (protocols.md §3.6)
  encodeError(failure: Failure): { status: number; body: JsonObject };
}

export type Emit = (part: StreamPart) => void;

/** Facts about the upstream that an encoder may need; all optional so that tests stay short. */
export interface EncodeTarget {
  /** Upstream model name. */
  model: string;
  /** Whether the upstream leg streams (may differ from `request.stream`). */
  stream: boolean;
  /** `codex` (Responses dialect of the Codex backend), `gemini-cli`, `antigravity`, `vertex`... for the few dialect rules. */
  provider: string;
}

export interface AnswerContext {
  /** Model name to show to the client. */
  model: string;
  /** The client's request, already decoded; encoders echo parts of it (Responses) and map tool names back. */
  request?: ChatRequest;
  /** Unix ms; fixed by tests. */
  now?: () => number;
  /** Makes ids (`chatcmpl-…` tails); fixed by tests. */
  newId?: () => string;
}

/** One parsed server-sent event. `event` is `''` when the stream names none. */
export interface SseEvent {
  event: string;
  data: string;
}

/**
 * Reads an upstream's stream, one event at a time, and emits parts.
 * `end()` is called once at the end of the body: it emits what is still open. It must emit `finish` only if the
 * protocol's own end was seen (upstreams.md §8 row 2): openai `finish_reason` or `[DONE]`; Responses
 * `response.completed` / `incomplete` / `done`; anthropic `message_stop`; gemini `finishReason`.
 */
export interface StreamDecoder {
  event(event: SseEvent): void;
  end(): void;
  /** True once the native end was seen. */
  readonly finished: boolean;
}

/**
 * Writes a client's stream. `write` returns the bytes (as text) for one part, often `''`.
 * After `finish` was written, `end()` returns the protocol's terminator (`data: [DONE]`, `message_stop` …).
 * `fail()` returns the protocol's own error event instead (protocols.md §3.5) and nothing may follow it.
 */
export interface StreamEncoder {
  write(part: StreamPart): string;
  end(): string;
  fail(failure: Failure): string;
}
