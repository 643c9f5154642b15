// What the scenarios ask of an SDK, whichever it is. Each test file says it in one SDK's own words.
import type { JsonObject } from '../../src/protocols/neutral.ts';

export interface FunctionSpec {
  name: string;
  description: string;
  parameters: JsonObject;
}

export interface Ask {
  model: string;
  prompt: string;
  system?: string;
  tools?: readonly FunctionSpec[];
  /** A PNG as base64. */
  image?: string;
  /** The answer must be JSON of this shape. */
  schema?: JsonObject;
  think?: boolean;
  /** The model's turn with its calls, and their results in the same order. */
  after?: { answer: SdkAnswer; results: readonly string[] };
  signal?: AbortSignal;
}

export interface SdkAnswer {
  text: string;
  reasoning: string;
  calls: SdkCall[];
  finish: 'stop' | 'tools' | 'other';
  /** Tokens, cached and reasoning ones included. */
  input: number | undefined;
  output: number | undefined;
  /** The SDK's own object for the history. */
  native: unknown;
}

export interface SdkCall {
  id: string;
  name: string;
  arguments: unknown;
}

export interface SdkClient {
  /** One answer, whole. `ask.schema`: through the SDK's own way to structured output, `text` is its JSON. */
  ask(ask: Ask): Promise<SdkAnswer>;
  /** One answer, streamed; `seen` gets every piece of text. */
  stream(ask: Ask, seen: (text: string) => void): Promise<SdkAnswer>;
  /** HTTP status that the SDK tells of an error it raised. */
  status(error: unknown): number | undefined;
  /** The SDK's field for reasoning text does not exist (Vercel's OpenAI chat model). */
  readonly hidesReasoning?: boolean;
}

/** A client for one proxy, retries switched off. */
export type Connect = (options: { url: string; key: string }) => SdkClient;

/** `response.status`, as most SDKs have it. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { status, statusCode, lastError } = error as { status?: unknown; statusCode?: unknown; lastError?: unknown };
  if (typeof status === 'number') return status;
  if (typeof statusCode === 'number') return statusCode;
  return lastError === undefined ? undefined : statusOf(lastError);
}

/** Arguments of a call; what is no JSON stays text, so that a test shows it. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
