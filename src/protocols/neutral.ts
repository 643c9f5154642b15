/**
 * The neutral form: what every wire protocol is decoded to and encoded from. Facts: spec/protocols.md §2, §3.
 * Plain data, no classes, so that tests can write it by hand.
 */

export type ProtocolId = 'openai-chat' | 'openai-responses' | 'anthropic' | 'gemini';

/** JSON as it comes out of JSON.parse. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** What one request asks for. `messages` keeps the client's order; system text stays where the client put it. */
export interface ChatRequest {
  model: string;
  stream: boolean;
  messages: Message[];
  tools: Tool[];
  /** Absent means `auto`. */
  toolChoice?: ToolChoice;
  /** Only ever `false` when the client forbade parallel calls; absent otherwise. */
  parallelToolCalls?: boolean;
  /** Limit of the answer, in tokens. */
  maxTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  stop?: string[];
  candidates?: number;
  seed?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  logprobs?: boolean;
  topLogprobs?: number;
  /** End-user id as the client sent it; never invented. */
  user?: string;
  thinking?: Thinking;
  /** Whether thoughts should be in the answer (Gemini `includeThoughts`); absent = yes when thinking. */
  includeThoughts?: boolean;
  responseFormat?: ResponseFormat;
  /** OpenAI `stream_options.include_usage`: the client wants the usage chunk. */
  includeUsage?: boolean;
  /** Cache affinity key of the client (`prompt_cache_key`). */
  promptCacheKey?: string;
  serviceTier?: string;
  metadata?: JsonObject;
  /** What has no place above, by protocol; only the same protocol writes it back. */
  extras?: Partial<Record<ProtocolId, JsonObject>>;
}

export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool';

/** `tool` messages hold `tool-result` parts only. A user message may hold tool results too (Anthropic, Gemini). */
export interface Message {
  role: Role;
  parts: Part[];
}

export type Part = TextPart | FilePart | ToolCallPart | ToolResultPart | ReasoningPart | RefusalPart;

export interface TextPart {
  type: 'text';
  text: string;
  cache?: CacheMark;
  /** Gemini `thoughtSignature` on the part. */
  signature?: string;
}

/** Images, PDFs, audio and other documents. */
export interface FilePart {
  type: 'file';
  /** MIME type, `image/*` when only known to be an image, `''` when unknown. */
  mediaType: string;
  data:
    | { kind: 'base64'; base64: string }
    | { kind: 'url'; url: string }
    | { kind: 'text'; text: string }
    | { kind: 'id'; id: string };
  filename?: string;
  /** OpenAI image detail: `low`, `high`, `auto`. */
  detail?: string;
  cache?: CacheMark;
}

export interface ToolCallPart {
  type: 'tool-call';
  /** `''` when the client's protocol has no ids (Gemini); the decoder then makes one per call and links results. */
  id: string;
  name: string;
  /** JSON text exactly as the client sent it; may be empty or malformed. Encoders that need an object use `{}` then. */
  arguments: string;
  /** Gemini `thoughtSignature`. */
  signature?: string;
  cache?: CacheMark;
}

export interface ToolResultPart {
  type: 'tool-result';
  callId: string;
  /** Name of the function; filled by the decoder from the call history when the wire has none. */
  name: string;
  content: Array<TextPart | FilePart>;
  isError?: boolean;
  /** The structured result of a Gemini `functionResponse.response`, when there was one. */
  json?: Json;
  cache?: CacheMark;
}

export interface ReasoningPart {
  type: 'reasoning';
  text: string;
  /** Opaque proof of the provider that made it: Anthropic `signature`, Responses `encrypted_content`, Gemini `thoughtSignature`. */
  signature?: string;
  /** Anthropic `redacted_thinking.data`; `text` is empty then. */
  redacted?: string;
  /** Which protocol's upstream made it; a signature is only valid there. */
  origin: ProtocolId;
  /** Responses item id. */
  id?: string;
}

export interface RefusalPart {
  type: 'refusal';
  text: string;
}

/** Anthropic `cache_control`. */
export interface CacheMark {
  type: 'ephemeral';
  ttl?: string;
}

export type Tool = FunctionTool | BuiltinTool;

export interface FunctionTool {
  type: 'function';
  name: string;
  description?: string;
  /** JSON Schema as sent; absent means an object without properties. */
  parameters?: Json;
  strict?: boolean;
  cache?: CacheMark;
  /** What it is in the client's protocol when it is no plain function there; only that protocol looks. */
  form?: ToolForm;
}

/** Responses: a tool that takes free text, a function in a namespace, a search that the client carries out. */
export interface ToolForm {
  kind: 'custom' | 'function' | 'search';
  namespace?: string;
  /** Inside its namespace. */
  name: string;
  /** As declared, when that can be said again as it is. */
  raw?: Json;
}

/** A tool the provider runs itself: `web_search`, Gemini `googleSearch`. */
export interface BuiltinTool {
  type: 'builtin';
  protocol: ProtocolId;
  /** Wire type or key: `web_search_20250305`, `googleSearch`. */
  kind: string;
  name?: string;
  raw: Json;
}

export type ToolChoice = { type: 'auto' } | { type: 'none' } | { type: 'required' } | { type: 'tool'; name: string };

export type ThinkingLevel = 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

/** How much the model shall think (spec/upstreams.md §4). Budgets in tokens. An unknown level is kept as text for the 400. */
export type Thinking =
  | { type: 'off' }
  | { type: 'auto' }
  | { type: 'level'; level: ThinkingLevel | (string & {}) }
  | { type: 'budget'; tokens: number };

export interface ResponseFormat {
  /** `json`: any JSON object when `schema` is absent. */
  type: 'json' | 'text';
  name?: string;
  description?: string;
  schema?: Json;
  strict?: boolean;
}

/** Counted by our own definitions: `input` includes cached and written tokens, `output` includes reasoning (protocols.md §3.3). */
export interface Usage {
  input: number;
  output: number;
  cacheRead?: number;
  cacheWrite?: number;
  reasoning?: number;
  /** As told by the upstream; else input + output. */
  total?: number;
}

export type FinishReason =
  | 'stop'
  | 'length'
  | 'tool-calls'
  | 'content-filter'
  | 'stop-sequence'
  | 'refusal'
  | 'pause'
  | 'other';

/**
 * One step of an answer. A whole answer is the same sequence, so a non-stream answer is the fold of its parts.
 * Order: `start`, then blocks (`*-start`, `*-delta`..., `*-end`), `usage` whenever it is known, one `finish`, last.
 * Blocks of parallel tool calls may interleave; `index` is the block's number, unique in the answer, in order of start.
 */
export type StreamPart =
  | { type: 'start'; id?: string; model?: string; created?: number }
  | { type: 'text-start'; index: number }
  | { type: 'text-delta'; index: number; text: string }
  | { type: 'text-end'; index: number; signature?: string }
  | { type: 'refusal-start'; index: number }
  | { type: 'refusal-delta'; index: number; text: string }
  | { type: 'refusal-end'; index: number }
  | { type: 'reasoning-start'; index: number; id?: string; redacted?: string }
  | { type: 'reasoning-delta'; index: number; text: string }
  /** `signature`: Anthropic signature, Responses `encrypted_content`, Gemini `thoughtSignature`. */
  | { type: 'reasoning-end'; index: number; signature?: string }
  | { type: 'tool-start'; index: number; id: string; name: string; signature?: string }
  /** A piece of the arguments' JSON text. */
  | { type: 'tool-delta'; index: number; text: string }
  | { type: 'tool-end'; index: number; signature?: string }
  | { type: 'file'; index: number; mediaType: string; base64: string }
  | { type: 'usage'; usage: Usage }
  | { type: 'finish'; reason: FinishReason; stopSequence?: string; raw?: string }
  /** The upstream said, inside its answer, that it failed. Nothing follows. */
  | { type: 'error'; message: string; status?: number; code?: string; kind?: string };
