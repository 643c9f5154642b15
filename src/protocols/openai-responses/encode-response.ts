// Parts → Responses answer, whole or streamed with the full event contract (protocols.md §3.4).
import type { Failure } from '../../failure.ts';
import { foldAnswer } from '../fold.ts';
import type { JsonObject, StreamPart, ToolForm, Usage } from '../neutral.ts';
import { errorObject } from '../openai-chat/error.ts';
import type { AnswerContext, StreamEncoder } from '../protocol.ts';
import { endingOf, newId, type ResponseFacts, responseBase, usageMember } from './response-object.ts';
import { callItem, customInput, toolForms } from './tool-forms.ts';

export function encodeResponse(parts: readonly StreamPart[], context: AnswerContext): JsonObject {
  const answer = foldAnswer(parts);
  const output: JsonObject[] = [];
  const forms = toolForms(context.request);
  for (const block of answer.blocks) {
    switch (block.type) {
      case 'text':
      case 'refusal':
        if (block.text !== '') output.push(messageItem(`msg_${newId(context)}`, contentPart(block.type, block.text)));
        break;
      case 'reasoning':
        if (block.text !== '') output.push(reasoningItem(`rs_${newId(context)}`, block.text));
        break;
      case 'tool-call':
        output.push(callItem(forms.get(block.name), block.id, block.name, block.arguments || '{}'));
        break;
    }
  }
  const ending = endingOf(answer.finish?.reason ?? 'stop');
  return {
    ...responseBase(context, answer),
    status: ending.status,
    error: null,
    incomplete_details: ending.details,
    output,
    usage: usageMember(answer.usage),
  };
}

export function streamEncoder(context: AnswerContext): StreamEncoder {
  return new ResponsesWriter(context);
}

type ItemKind = 'text' | 'refusal' | 'reasoning' | 'call';

/** What only calls have. */
type CallFacts = Pick<OpenItem, 'callId' | 'name' | 'form'>;
const noCall: CallFacts = { callId: '', name: '', form: undefined };

/** One output item under way. */
interface OpenItem {
  kind: ItemKind;
  outputIndex: number;
  id: string;
  text: string;
  /** The delta event up to its text. */
  delta: string;
  /** Between the text and the sequence number. */
  tail: string;
  callId: string;
  name: string;
  form: ToolForm | undefined;
}

/**
 * Items are opened with their first text, so that an empty block leaves no trace; calls at once. Finished items are
 * kept as JSON text, since the last event repeats them all.
 */
class ResponsesWriter implements StreamEncoder {
  readonly #context: AnswerContext;
  #sequence = 0;
  /** Members of the response object without braces, status, output and usage. */
  #base = '';
  readonly #items = new Map<number, OpenItem>();
  readonly #output: string[] = [];
  #opened = 0;
  #forms: ReadonlyMap<string, ToolForm> | undefined;
  #usage: Usage | undefined;
  #ended = false;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  write(part: StreamPart): string {
    switch (part.type) {
      case 'text-delta':
        return this.#text('text', part.index, part.text);
      case 'reasoning-delta':
        return this.#text('reasoning', part.index, part.text);
      case 'refusal-delta':
        return this.#text('refusal', part.index, part.text);
      case 'tool-delta': {
        const item = this.#items.get(part.index);
        return item && part.text !== '' ? this.#delta(item, part.text) : '';
      }
      case 'start':
        return this.#begin(part);
      case 'tool-start':
        return this.#begin() + this.#openCall(part.index, part.id, part.name);
      case 'text-end':
      case 'refusal-end':
      case 'reasoning-end':
      case 'tool-end':
        return this.#close(part.index);
      case 'usage':
        this.#usage = part.usage;
        return '';
      case 'finish': {
        let out = this.#begin();
        for (const index of [...this.#items.keys()]) out += this.#close(index);
        const { status, details } = endingOf(part.reason);
        this.#ended = true;
        return out + this.#lifecycle(status, `"incomplete_details":${JSON.stringify(details)}`);
      }
      default:
        return '';
    }
  }

  /** The last event is the terminator: this protocol has no `[DONE]`. */
  end(): string {
    return '';
  }

  fail(failure: Failure): string {
    if (this.#ended) return '';
    const { code, type, message } = errorObject(failure);
    // This API's own word for a fault of the server is the type of the envelope.
    const word = failure.code ?? (type === 'server_error' ? type : (code ?? type ?? null));
    const error = { type: 'error', code: word, message, param: null, sequence_number: this.#sequence++ };
    return `event: error\ndata: ${JSON.stringify(error)}\n\n`;
  }

  #begin(facts: ResponseFacts = {}): string {
    if (this.#base !== '') return '';
    this.#base = JSON.stringify(responseBase(this.#context, facts)).slice(1, -1);
    const incomplete = '"incomplete_details":null';
    return (
      this.#lifecycle('in_progress', incomplete, 'created') + this.#lifecycle('in_progress', incomplete, 'in_progress')
    );
  }

  /** `response.<event>` with the whole response object as it is now. */
  #lifecycle(status: string, incomplete: string, event: string = status): string {
    const type = `response.${event}`;
    const rest = `"status":"${status}","error":null,${incomplete},"output":[${this.#output.join(',')}]`;
    const usage = JSON.stringify(status === 'in_progress' ? null : usageMember(this.#usage));
    const response = `{${this.#base},${rest},"usage":${usage}}`;
    return `event: ${type}\ndata: {"type":"${type}","sequence_number":${this.#sequence++},"response":${response}}\n\n`;
  }

  #text(kind: 'text' | 'refusal' | 'reasoning', block: number, text: string): string {
    if (text === '') return '';
    const open = this.#items.get(block);
    if (open) return this.#delta(open, text);
    const begin = this.#begin() + this.#openText(kind, block);
    return begin + this.#delta(this.#items.get(block) as OpenItem, text);
  }

  #delta(item: OpenItem, text: string): string {
    item.text += text;
    // Free text and searches are told whole: their argument is unwrapped first.
    if (isBuffered(item)) return '';
    return `${item.delta}${JSON.stringify(text)}${item.tail}${this.#sequence++}}\n\n`;
  }

  #openText(kind: 'text' | 'refusal' | 'reasoning', block: number): string {
    const reasoning = kind === 'reasoning';
    const id = `${reasoning ? 'rs' : 'msg'}_${newId(this.#context)}`;
    const item = this.#open(kind, block, id);
    const wire: JsonObject = reasoning
      ? { type: 'reasoning', id, summary: [] }
      : { type: 'message', id, status: 'in_progress', role: 'assistant', content: [] };
    return this.#added(item, wire) + this.#part(item, 'added', '');
  }

  #openCall(block: number, callId: string, name: string): string {
    this.#forms ??= toolForms(this.#context.request);
    const form = this.#forms.get(name);
    const wire = callItem(form, callId, name);
    return this.#added(this.#open('call', block, String(wire.id), { callId, name, form }), wire);
  }

  #open(kind: ItemKind, block: number, id: string, call: CallFacts = noCall): OpenItem {
    const outputIndex = this.#opened++;
    const { delta, tail } = deltaFrame(kind, id, outputIndex);
    const item: OpenItem = { kind, outputIndex, id, text: '', delta, tail, ...call };
    this.#items.set(block, item);
    return item;
  }

  #added(item: OpenItem, wire: JsonObject): string {
    return this.#event('response.output_item.added', { output_index: item.outputIndex, item: wire });
  }

  /** `content_part` or `reasoning_summary_part`, `added` or `done`. */
  #part(item: OpenItem, moment: 'added' | 'done', text: string): string {
    const { id: item_id, outputIndex: output_index } = item;
    return item.kind === 'reasoning'
      ? this.#event(`response.reasoning_summary_part.${moment}`, {
          item_id,
          output_index,
          summary_index: 0,
          part: summaryPart(text),
        })
      : this.#event(`response.content_part.${moment}`, {
          item_id,
          output_index,
          content_index: 0,
          part: contentPart(item.kind === 'refusal' ? 'refusal' : 'text', text),
        });
  }

  #close(block: number): string {
    const item = this.#items.get(block);
    if (!item) return '';
    let out = '';
    // No arguments at all must read as no parameters.
    if (item.kind === 'call' && item.text === '') out += this.#delta(item, '{}');
    out += this.#done(item);
    const wire = finishedItem(item);
    out += this.#event('response.output_item.done', { output_index: item.outputIndex, item: wire });
    this.#items.delete(block);
    this.#output[item.outputIndex] = JSON.stringify(wire);
    return out;
  }

  #done(item: OpenItem): string {
    const { id: item_id, outputIndex: output_index, text } = item;
    switch (item.kind) {
      case 'call':
        return this.#callDone(item);
      case 'reasoning': {
        const done = { item_id, output_index, summary_index: 0, text };
        return this.#event('response.reasoning_summary_text.done', done) + this.#part(item, 'done', text);
      }
      case 'refusal': {
        const done = { item_id, output_index, content_index: 0, refusal: text };
        return this.#event('response.refusal.done', done) + this.#part(item, 'done', text);
      }
      case 'text': {
        const done = { item_id, output_index, content_index: 0, text, logprobs: [] };
        return this.#event('response.output_text.done', done) + this.#part(item, 'done', text);
      }
    }
  }

  #callDone({ id: item_id, outputIndex: output_index, form, name, text }: OpenItem): string {
    const at = { item_id, output_index };
    if (form?.kind === 'search') return '';
    if (form?.kind === 'custom') {
      const input = customInput(text);
      return (
        this.#event('response.custom_tool_call_input.delta', { ...at, delta: input }) +
        this.#event('response.custom_tool_call_input.done', { ...at, input })
      );
    }
    return this.#event('response.function_call_arguments.done', {
      ...at,
      name: form?.name ?? name,
      arguments: text,
    });
  }

  #event(type: string, members: JsonObject): string {
    const data = JSON.stringify({ type, ...members, sequence_number: this.#sequence++ });
    return `event: ${type}\ndata: ${data}\n\n`;
  }
}

function isBuffered({ form }: OpenItem): boolean {
  return form?.kind === 'custom' || form?.kind === 'search';
}

const deltaEvents: Record<ItemKind, { type: string; index: string; tail: string }> = {
  text: { type: 'response.output_text.delta', index: '"content_index":0,', tail: ',"logprobs":[]' },
  refusal: { type: 'response.refusal.delta', index: '"content_index":0,', tail: '' },
  reasoning: { type: 'response.reasoning_summary_text.delta', index: '"summary_index":0,', tail: '' },
  call: { type: 'response.function_call_arguments.delta', index: '', tail: '' },
};

/** What is the same in every delta event of one item. */
function deltaFrame(kind: ItemKind, id: string, outputIndex: number): { delta: string; tail: string } {
  const { type, index, tail } = deltaEvents[kind];
  const where = `"item_id":${JSON.stringify(id)},"output_index":${outputIndex},${index}`;
  return {
    delta: `event: ${type}\ndata: {"type":"${type}",${where}"delta":`,
    tail: `${tail},"sequence_number":`,
  };
}

function finishedItem(item: OpenItem): JsonObject {
  switch (item.kind) {
    case 'call':
      return callItem(item.form, item.callId, item.name, item.text);
    case 'reasoning':
      return reasoningItem(item.id, item.text);
    default:
      return messageItem(item.id, contentPart(item.kind, item.text));
  }
}

function messageItem(id: string, part: JsonObject): JsonObject {
  return { type: 'message', id, status: 'completed', role: 'assistant', content: [part] };
}

function contentPart(kind: 'text' | 'refusal', text: string): JsonObject {
  return kind === 'refusal'
    ? { type: 'refusal', refusal: text }
    : { type: 'output_text', text, annotations: [], logprobs: [] };
}

function summaryPart(text: string): JsonObject {
  return { type: 'summary_text', text };
}

function reasoningItem(id: string, text: string): JsonObject {
  return { type: 'reasoning', id, summary: [summaryPart(text)] };
}
