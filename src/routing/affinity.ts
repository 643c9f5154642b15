// Sessions that stay on one credential, so that prompt caches stay warm. Source: spec/routing.md §17, D14.
import type { JsonObject } from '../protocols/neutral.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const headerNames = [
  'x-claude-code-session-id',
  'session-id',
  'session_id',
  'x-session-id',
  'x-session-affinity',
  'x-client-request-id',
] as const;
const bodyNames = ['session_id', 'sessionId', 'prompt_cache_key', 'conversation_id'] as const;

/** Printable, at most 256 characters; anything else is no session id. */
function clean(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  return text.length > 0 && text.length <= 256 && /^[\x21-\x7e]+$/.test(text) ? text : undefined;
}

export function sessionFromHeaders(headers: Headers): string | undefined {
  for (const name of headerNames.slice(0, 5)) {
    const id = clean(headers[name]);
    if (id) return id;
  }
  return clean(headers['x-client-request-id']);
}

/** Reads the id that the client's own protocol offers; `hash` also makes one from the first texts. */
export function sessionFromBody(body: JsonObject, hash: boolean): string | undefined {
  for (const name of bodyNames) {
    const id = clean(body[name]);
    if (id) return id;
  }
  const conversation = body.conversation;
  const conversationId = clean(conversation) ?? (isObject(conversation) ? clean(conversation.id) : undefined);
  if (conversationId) return conversationId;
  if (isObject(body.metadata)) {
    const userId = clean(body.metadata.user_id) ?? clean(body.metadata.session_id);
    if (userId) return userId;
  }
  return hash ? fingerprint(body) : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** FNV-1a (64 bit) over the first 100 characters of the system text and the first turn. */
function fingerprint(body: JsonObject): string | undefined {
  const turns = Array.isArray(body.messages)
    ? body.messages
    : Array.isArray(body.input)
      ? body.input
      : Array.isArray(body.contents)
        ? body.contents
        : undefined;
  const first = [body.system ?? body.instructions ?? body.systemInstruction, turns?.[0], turns?.[1]]
    .filter((part) => part !== undefined)
    .map((part) => (typeof part === 'string' ? part : JSON.stringify(part)).slice(0, 100));
  if (first.length === 0) return undefined;
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(first.join('\n'))) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return `hash-${hash.toString(16)}`;
}

export type SavedAffinity = [string, Binding][];

export interface Binding {
  credentialId: string;
  /** Unix ms */
  usedAt: number;
}

/** Bounded map session → credential with a sliding time to live. Least recently used bindings go first. */
export class SessionBindings {
  readonly #map = new Map<string, Binding>();
  readonly #limit: number;

  constructor(limit = 100_000) {
    this.#limit = limit;
  }

  get(key: string, now: number, ttlMs: number): string | undefined {
    const binding = this.#map.get(key);
    if (binding === undefined) return undefined;
    this.#map.delete(key);
    if (now - binding.usedAt > ttlMs) return undefined;
    binding.usedAt = now;
    this.#map.set(key, binding);
    return binding.credentialId;
  }

  set(key: string, credentialId: string, now: number): void {
    this.#map.delete(key);
    this.#map.set(key, { credentialId, usedAt: now });
    if (this.#map.size > this.#limit) this.#map.delete(this.#map.keys().next().value as string);
  }

  /** A failure unbinds, so that the next request chooses anew. */
  delete(key: string): void {
    this.#map.delete(key);
  }

  get size(): number {
    return this.#map.size;
  }

  save(): SavedAffinity {
    return [...this.#map];
  }

  load(saved: SavedAffinity): void {
    for (const [key, binding] of saved) this.#map.set(key, binding);
  }
}
