// Same protocol on both sides: the upstream's bytes are forwarded as they come, whole events at a time. Nothing is parsed
// unless an event is the first, tells usage, or may be an error. Source: spec/protocols.md §4; spec/upstreams.md §8 rows 1–8.
import { Failure } from '../../failure.ts';
import type { ProtocolId, Usage } from '../../protocols/neutral.ts';
import { cutShort, emptyAnswer } from './failures.ts';
import { type AnswerPipe, type Bytes, noBytes } from './pipe.ts';
import { type StreamFacts, streamFacts } from './stream-facts.ts';

export interface PassThroughOptions {
  protocol: ProtocolId;
  /** Name to show instead of the upstream's, when the client asked for an alias. */
  model: string | undefined;
  /** Forward the usage-only chunk (`choices: []`). */
  wantsUsage: boolean;
  /** Turns an error told inside the stream into a failure. */
  failureOf(data: string): Failure;
  encodeFailure(failure: Failure): string;
}

const carriageReturn = 0x0d;
const empty = Buffer.alloc(0);

export class PassThroughPipe implements AnswerPipe {
  readonly whole = false;
  committed = false;
  failure: Failure | undefined;
  usage: Usage | undefined;
  done = false;

  readonly #options: PassThroughOptions;
  readonly #facts: StreamFacts;
  /** An event that is not complete yet, in pieces: joining them for each chunk would cost the square of its length. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #heldEndsLine = false;
  #halfLineEnd = false;
  #sawEnd = false;
  #sawAnything = false;
  /** The upstream's own spelling of the model member, and what replaces it. */
  #modelSent: string | undefined;
  #modelShown = '';

  constructor(options: PassThroughOptions) {
    this.#options = options;
    this.#facts = streamFacts[options.protocol];
  }

  push(chunk: Buffer): Bytes {
    if (this.done) return noBytes;
    const bytes = this.#withLineFeeds(chunk);
    let to = lastEventEnd(bytes);
    // The blank line may lie across the seam of two chunks.
    if (to === 0 && this.#heldEndsLine && bytes[0] === 0x0a) to = 1;
    if (to === 0) {
      // A chunk of the connection's is not ours to keep.
      this.#hold(bytes === chunk ? Buffer.from(bytes) : bytes);
      return noBytes;
    }
    const complete = this.#takeHeld(to === bytes.length ? bytes : bytes.subarray(0, to));
    if (to < bytes.length) this.#hold(Buffer.from(bytes.subarray(to)));
    return this.#events(complete);
  }

  /** Only line feeds are searched for; carriage returns outside strings can only be line ends. */
  #withLineFeeds(chunk: Buffer): Buffer {
    if (!this.#halfLineEnd && !chunk.includes(carriageReturn)) return chunk;
    const text = (this.#halfLineEnd ? '\r' : '') + chunk.toString('latin1');
    // A carriage return at the very end may be half of a line end: it waits for the next chunk.
    this.#halfLineEnd = text.endsWith('\r');
    return Buffer.from((this.#halfLineEnd ? text.slice(0, -1) : text).replace(/\r\n?/g, '\n'), 'latin1');
  }

  #hold(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    this.#heldEndsLine = bytes[bytes.length - 1] === 0x0a;
    if (this.#heldBytes <= maxEventBytes) return;
    this.#takeHeld(empty);
    this.failure = new Failure({
      kind: 'transient',
      status: 502,
      message: 'the upstream sent an event larger than 50 MiB',
    });
    this.done = true;
  }

  /** What was held and `bytes`, as one; nothing is held afterwards. */
  #takeHeld(bytes: Buffer): Buffer {
    if (this.#heldBytes === 0) return bytes;
    const all = Buffer.concat([...this.#held, bytes]);
    this.#held = [];
    this.#heldBytes = 0;
    this.#heldEndsLine = false;
    return all;
  }

  end(): Bytes {
    if (this.done) return noBytes;
    let out: Bytes = noBytes;
    if (this.#heldBytes > 0) {
      // Some upstreams leave out the last blank line; half an event is never forwarded.
      const text = this.#takeHeld(empty).toString('utf8');
      if (isCompleteEvent(text)) out = this.#events(Buffer.from(`${text.replace(/\n+$/, '')}\n\n`));
    }
    if (this.failure) return out;
    this.done = true;
    if (!this.#sawEnd) {
      this.failure = this.#sawAnything ? cutShort() : emptyAnswer();
      return out;
    }
    this.committed = true;
    const ending = this.#facts.missingEnding(this.#sawTerminator);
    return ending === '' ? out : concat(out, ending);
  }

  fail(failure: Failure): Bytes {
    this.done = true;
    return this.#options.encodeFailure(failure);
  }

  #sawTerminator = false;

  /** `bytes`: one or more complete events. Only those before the answer has begun, and marked ones, are looked into. */
  #events(bytes: Buffer): Bytes {
    const text = bytes.toString('latin1');
    const { marks } = this.#facts;
    const kept: Buffer[] = [];
    let keptFrom = 0;
    let from = 0;
    while (from < text.length) {
      if (this.committed) {
        marks.lastIndex = from;
        const marked = marks.exec(text);
        if (marked === null) break;
        const before = text.lastIndexOf('\n\n', marked.index);
        if (before >= from) from = before + 2;
      }
      const at = text.indexOf('\n\n', from);
      const to = at < 0 ? text.length : at + 2;
      const keep = this.#inspect(bytes.subarray(from, to));
      const over = this.failure !== undefined || this.done;
      if (!keep || over) {
        kept.push(bytes.subarray(keptFrom, keep ? to : from));
        keptFrom = to;
      }
      from = to;
      if (over) {
        keptFrom = text.length;
        break;
      }
    }
    const all = kept.length === 0 ? bytes : Buffer.concat([...kept, bytes.subarray(keptFrom)]);
    if (all.length === 0) return noBytes;
    if (this.#modelSent === undefined) return all;
    return this.#renamed(all === bytes ? text : all.toString('latin1'));
  }

  /** Looks into one event; false drops it. */
  #inspect(event: Buffer): boolean {
    const data = dataOf(event);
    if (data === undefined) return true;
    this.#sawAnything = true;
    if (data === '[DONE]') {
      if (!this.#sawEnd && !this.committed) {
        // `[DONE]` after nothing at all is an empty answer, not an answer.
        this.failure = emptyAnswer();
        this.done = true;
        return false;
      }
      this.#sawEnd = true;
      this.#sawTerminator = true;
      this.done = true;
      return true;
    }
    let json: unknown;
    try {
      json = JSON.parse(data);
    } catch {
      this.failure = new Failure({
        kind: 'transient',
        status: 502,
        message: 'the upstream sent an event that is not JSON',
      });
      this.done = true;
      return false;
    }
    if (typeof json !== 'object' || json === null) return true;
    const facts = this.#facts.read(json as Record<string, unknown>);
    if (facts.error) {
      this.failure = this.#options.failureOf(data);
      this.done = true;
      return false;
    }
    if (facts.usage) this.usage = facts.merge && this.usage ? { ...this.usage, ...facts.usage } : facts.usage;
    if (facts.end) this.#sawEnd = true;
    if (facts.terminator) {
      this.#sawTerminator = true;
      this.done = true;
    }
    if (facts.content || facts.end) this.committed = true;
    if (facts.usageOnly && !this.#options.wantsUsage) return false;
    if (this.#options.model !== undefined && this.#modelSent === undefined) this.#learnModel(data);
    return true;
  }

  #learnModel(data: string): void {
    const found = /"(?:model)"\s*:\s*"(?:[^"\\]|\\.)*"/.exec(data);
    if (found === null) return;
    // Bytes as characters of their own: found and replaced in one go, and written back as they were.
    this.#modelSent = Buffer.from(found[0]).toString('latin1');
    this.#modelShown = Buffer.from(`"model":${JSON.stringify(this.#options.model)}`).toString('latin1');
  }

  #renamed(text: string): Buffer {
    // Split and joined: a `$` in a name is a `$`.
    return Buffer.from(text.split(this.#modelSent ?? '').join(this.#modelShown), 'latin1');
  }
}

/** 50 MiB (spec/upstreams.md §1.3). */
const maxEventBytes = 50 * 1024 * 1024;

/** Offset after the last blank line, 0 without one. Most reads end with one. */
function lastEventEnd(bytes: Buffer): number {
  for (let at = bytes.length - 1; at > 0; ) {
    if (bytes[at] === 0x0a && bytes[at - 1] === 0x0a) return at + 1;
    at = bytes.lastIndexOf(0x0a, at - 1);
  }
  return 0;
}

function isCompleteEvent(text: string): boolean {
  const data = dataOf(Buffer.from(text));
  if (data === undefined) return false;
  if (data === '[DONE]') return true;
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}

/** The joined `data` lines of one event; undefined when it has none (comment, bare event name). */
function dataOf(event: Buffer): string | undefined {
  const text = event.toString('utf8');
  let data: string | undefined;
  for (const line of text.split('\n')) {
    const clean = line.charCodeAt(0) === 0xfeff ? line.slice(1) : line;
    if (!clean.startsWith('data:')) continue;
    const value = clean.charCodeAt(5) === 0x20 ? clean.slice(6) : clean.slice(5);
    data = data === undefined ? value : `${data}\n${value}`;
  }
  return data?.trim();
}

function concat(head: Bytes, tail: string): Bytes {
  if (head.length === 0) return tail;
  return typeof head === 'string' ? head + tail : Buffer.concat([head, Buffer.from(tail)]);
}
