// Answers of the Responses protocol.
import { type Answer, answer, type Block, collapsed, type DataEvent, parsed } from './answer-parts.ts';
import { isObject, type Json, type JsonObject, list, objects, text } from './format.ts';

// Responses

export function readResponse(body: JsonObject): Answer {
  const reason = isObject(body.incomplete_details) ? text(body.incomplete_details.reason) : '';
  const finish = `${text(body.status)}${reason ? `:${reason}` : ''}`;
  return answer(body, itemBlocks(body.output), finish, body.usage);
}

function itemBlocks(output: Json | undefined): Block[] {
  return objects(output).flatMap((item): Block[] => {
    switch (item.type) {
      case 'message':
        return objects(item.content).map((part) =>
          part.type === 'refusal'
            ? { kind: 'refusal', text: text(part.refusal) }
            : { kind: 'text', text: text(part.text) },
        );
      case 'reasoning':
        return [...objects(item.summary), ...objects(item.content)].map((part) => ({
          kind: 'thinking',
          text: text(part.text),
        }));
      case 'function_call':
        return [{ kind: 'tool', id: text(item.call_id), name: text(item.name), input: parsed(item.arguments) }];
      default:
        return [];
    }
  });
}

const responseKinds: Record<string, string> = {
  'response.created': 'created',
  'response.output_item.added': 'item',
  'response.content_part.added': 'part',
  'response.output_text.delta': 'text',
  'response.output_text.done': 'text-done',
  'response.refusal.delta': 'refusal',
  'response.refusal.done': 'refusal-done',
  'response.content_part.done': 'part-done',
  'response.reasoning_summary_text.delta': 'thinking',
  'response.reasoning_summary_text.done': 'thinking-done',
  'response.function_call_arguments.done': 'arguments-done',
  'response.output_item.done': 'item-done',
  'response.completed': 'terminal',
  'response.incomplete': 'terminal',
  'response.failed': 'error',
  error: 'error',
};

export function readResponseStream(events: DataEvent[]): Answer {
  let final: JsonObject = {};
  let error: Json | undefined;
  const done: Json[] = [];
  const open = new Map<number, JsonObject>();
  const kinds: string[] = [];
  for (const { data } of events) {
    if (!isObject(data)) continue;
    const type = text(data.type);
    const kind = responseKinds[type];
    const emptyDelta = type.endsWith('.delta') && text(data.delta) === '';
    if (kind && !emptyDelta) kinds.push(kind === 'item' || kind === 'item-done' ? `${kind}` : kind);
    if (type === 'response.output_item.added' && isObject(data.item)) {
      open.set(Number(data.output_index ?? open.size), structuredClone(data.item));
    }
    const item = open.get(Number(data.output_index));
    if (item && type.endsWith('.delta')) addDelta(item, type, text(data.delta), data);
    if (type === 'response.output_item.done' && isObject(data.item)) {
      done.push(data.item);
      open.delete(Number(data.output_index));
    }
    if (type === 'response.completed' || type === 'response.incomplete' || type === 'response.done') {
      final = isObject(data.response) ? data.response : {};
    }
    if (type === 'response.failed') error = isObject(data.response) ? (data.response.error ?? true) : true;
    if (type === 'error') error = data.error ?? data;
  }
  // An answer that broke has no terminal response: what was told counts.
  const output = list(final.output).length > 0 ? final.output : [...done, ...open.values()];
  const read = readResponse({ ...final, output: output ?? [] });
  return {
    ...read,
    // A backend that leaves the items out of its last response is repaired on the way (upstreams.md §2.3).
    body: { response: { ...final, output: output ?? [] }, items: done },
    error,
    kinds: collapsed(kinds),
  };
}

function addDelta(item: JsonObject, type: string, delta: string, data: JsonObject): void {
  if (type.includes('function_call_arguments')) item.arguments = text(item.arguments) + delta;
  else if (type.includes('reasoning'))
    item.summary = joined(item.summary, Number(data.summary_index ?? 0), 'text', delta);
  else if (type.includes('refusal'))
    item.content = joined(item.content, Number(data.content_index ?? 0), 'refusal', delta);
  else item.content = joined(item.content, Number(data.content_index ?? 0), 'text', delta);
}

function joined(parts: Json | undefined, index: number, key: string, delta: string): Json[] {
  const result = list(parts).slice();
  const part = isObject(result[index] as Json) ? (result[index] as JsonObject) : {};
  while (result.length < index) result.push({});
  result[index] = { ...part, type: key === 'refusal' ? 'refusal' : 'output_text', [key]: text(part[key]) + delta };
  return result;
}
