// Answers of OpenAI chat and of its legacy completions.
import { type Answer, answer, type Block, collapsed, type DataEvent, parsed } from './answer-parts.ts';
import { isObject, type Json, type JsonObject, list, objects, text } from './format.ts';

// OpenAI chat

export function readChat(body: JsonObject): Answer {
  const choice = objects(body.choices)[0] ?? {};
  const message = isObject(choice.message) ? choice.message : {};
  return answer(body, chatBlocks(message), text(choice.finish_reason), body.usage);
}

function chatBlocks(message: JsonObject): Block[] {
  return [
    { kind: 'thinking', text: text(message.reasoning_content) },
    { kind: 'text', text: text(message.content) },
    { kind: 'refusal', text: text(message.refusal) },
    ...objects(message.images).map(
      (image): Block => ({ kind: 'image', text: text(isObject(image.image_url) ? image.image_url.url : '') }),
    ),
    ...objects(message.tool_calls).map((call): Block => {
      const fn = isObject(call.function) ? call.function : {};
      return { kind: 'tool', id: text(call.id), name: text(fn.name), input: parsed(fn.arguments) };
    }),
  ];
}

export function readChatStream(events: DataEvent[]): Answer {
  const blocks: Block[] = [];
  const kinds: string[] = [];
  const tools = new Map<number, { id: string; name: string; arguments: string; block: Block }>();
  const body: JsonObject = {};
  const message: JsonObject = {};
  let finish = '';
  let error: Json | undefined;
  for (const { data } of events) {
    if (data === '[DONE]') {
      kinds.push('done');
      continue;
    }
    if (!isObject(data)) continue;
    if (data.error !== undefined && data.error !== null) {
      error = data.error;
      kinds.push('error');
      continue;
    }
    for (const [key, value] of Object.entries(data)) if (key !== 'choices' && value !== null) body[key] = value;
    for (const choice of objects(data.choices)) {
      if (choice.index !== undefined && choice.index !== 0) continue;
      const delta = isObject(choice.delta) ? choice.delta : {};
      for (const [key, value] of Object.entries(delta)) {
        if (key === 'tool_calls' || value === null) continue;
        const had = message[key];
        if (typeof value === 'string' && key !== 'role') message[key] = `${typeof had === 'string' ? had : ''}${value}`;
        else if (Array.isArray(value)) message[key] = [...list(had), ...value];
        else message[key] = value;
      }
      for (const block of chatBlocks({ ...delta, tool_calls: [] })) {
        blocks.push(block);
        if (!('text' in block) || block.text !== '') kinds.push(block.kind);
      }
      for (const call of objects(delta.tool_calls)) {
        const fn = isObject(call.function) ? call.function : {};
        // A missing index means "the next one" to lenient readers.
        const index = typeof call.index === 'number' ? call.index : tools.size;
        let tool = tools.get(index);
        if (!tool) {
          const block: Block = { kind: 'tool', id: '', name: '', input: {} };
          tool = { id: '', name: '', arguments: '', block };
          tools.set(index, tool);
          blocks.push(block);
          kinds.push('tool');
        }
        tool.id ||= text(call.id);
        tool.name ||= text(fn.name);
        tool.arguments += text(fn.arguments);
      }
      if (typeof choice.finish_reason === 'string' && choice.finish_reason !== '') {
        finish = choice.finish_reason;
        kinds.push('finish');
      }
    }
  }
  for (const tool of tools.values()) {
    Object.assign(tool.block, { id: tool.id, name: tool.name, input: parsed(tool.arguments) });
  }
  if (tools.size > 0) {
    message.tool_calls = [...tools.values()].map((tool) => ({
      id: tool.id,
      function: { name: tool.name, arguments: tool.arguments },
    }));
  }
  body.choices = [{ index: 0, message, finish_reason: finish }];
  return { ...answer(body, blocks, finish, body.usage), error, kinds: collapsed(kinds) };
}

// Legacy completions

export function readCompletion(body: JsonObject): Answer {
  const choice = objects(body.choices)[0] ?? {};
  return answer(body, [{ kind: 'text', text: text(choice.text) }], text(choice.finish_reason), body.usage);
}

export function readCompletionStream(events: DataEvent[]): Answer {
  let content = '';
  let finish = '';
  let error: Json | undefined;
  const kinds: string[] = [];
  const body: JsonObject = {};
  for (const { data } of events) {
    if (data === '[DONE]') kinds.push('done');
    if (!isObject(data)) continue;
    if (data.error !== undefined && data.error !== null) {
      error = data.error;
      kinds.push('error');
      continue;
    }
    for (const [key, value] of Object.entries(data)) if (key !== 'choices' && value !== null) body[key] = value;
    for (const choice of objects(data.choices)) {
      if (choice.index !== undefined && choice.index !== 0) continue;
      if (text(choice.text) !== '') kinds.push('text');
      content += text(choice.text);
      if (text(choice.finish_reason) !== '') {
        finish = text(choice.finish_reason);
        kinds.push('finish');
      }
    }
  }
  return { ...answer(body, [{ kind: 'text', text: content }], finish, body.usage), error, kinds: collapsed(kinds) };
}
