// Answers of the Messages protocol.
import { type Answer, answer, type Block, collapsed, type DataEvent, parsed } from './answer-parts.ts';
import { isObject, type Json, type JsonObject, objects, text } from './format.ts';

// Anthropic

export function readMessage(body: JsonObject): Answer {
  const stop = text(body.stop_sequence);
  return answer(body, messageBlocks(body.content), text(body.stop_reason) + (stop ? `:${stop}` : ''), body.usage);
}

function messageBlocks(content: Json | undefined): Block[] {
  return objects(content).flatMap((block): Block[] => {
    switch (block.type) {
      case 'text':
        return [{ kind: 'text', text: text(block.text) }];
      case 'thinking':
        return [{ kind: 'thinking', text: text(block.thinking) }];
      case 'redacted_thinking':
        return [{ kind: 'redacted', text: text(block.data) }];
      case 'tool_use':
        return [{ kind: 'tool', id: text(block.id), name: text(block.name), input: block.input ?? {} }];
      default:
        return [];
    }
  });
}

export function readMessageStream(events: DataEvent[]): Answer {
  let message: JsonObject = {};
  let error: Json | undefined;
  const content: JsonObject[] = [];
  const kinds: string[] = [];
  const inputs = new Map<number, string>();
  for (const { data } of events) {
    if (!isObject(data)) continue;
    const index = Number(data.index ?? 0);
    const delta = isObject(data.delta) ? data.delta : {};
    switch (data.type) {
      case 'message_start':
        message = isObject(data.message) ? structuredClone(data.message) : {};
        kinds.push('message_start');
        break;
      case 'content_block_start': {
        const block = isObject(data.content_block) ? structuredClone(data.content_block) : {};
        content[index] = block;
        if (block.type === 'tool_use' || block.type === 'redacted_thinking') kinds.push(text(block.type));
        break;
      }
      case 'content_block_delta': {
        const block = content[index] ?? {};
        content[index] = block;
        if (delta.type === 'text_delta') block.text = text(block.text) + text(delta.text);
        if (delta.type === 'thinking_delta') block.thinking = text(block.thinking) + text(delta.thinking);
        if (delta.type === 'signature_delta') block.signature = text(block.signature) + text(delta.signature);
        if (delta.type === 'input_json_delta') inputs.set(index, (inputs.get(index) ?? '') + text(delta.partial_json));
        if (delta.type === 'text_delta' && text(delta.text) !== '') kinds.push('text');
        if (delta.type === 'thinking_delta' && text(delta.thinking) !== '') kinds.push('thinking');
        break;
      }
      case 'content_block_stop':
        kinds.push('stop');
        break;
      case 'message_delta': {
        const usage = { ...(isObject(message.usage) ? message.usage : {}) };
        for (const [key, value] of Object.entries(isObject(data.usage) ? data.usage : {})) {
          if (value !== null) usage[key] = value;
        }
        message = { ...message, ...delta, usage };
        kinds.push('message_delta');
        break;
      }
      case 'message_stop':
        kinds.push('message_stop');
        break;
      case 'error':
        error = data.error ?? true;
        kinds.push('error');
        break;
    }
  }
  for (const [index, json] of inputs) {
    const block = content[index];
    if (block) block.input = json === '' ? (block.input ?? {}) : parsed(json);
  }
  message.content = content.filter(isObject);
  return { ...readMessage(message), body: { message }, error, kinds: collapsed(kinds) };
}
