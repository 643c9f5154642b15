// What the official SDKs' types require of a whole answer. Findings are short texts; none means lawful.
import { type ClientName, isObject, type Json, type JsonObject, objects, text } from './format.ts';

export function lintBody(client: ClientName, body: JsonObject): string[] {
  const found: string[] = [];
  const want = (holds: boolean, finding: string): void => {
    if (!holds) found.push(finding);
  };
  linters[client](body, want);
  return found;
}

type Want = (holds: boolean, finding: string) => void;

const linters: Record<ClientName, (body: JsonObject, want: Want) => void> = {
  openai(body, want) {
    lintChoices(body, want, 'chat.completion');
    for (const choice of objects(body.choices)) {
      const message = isObject(choice.message) ? choice.message : {};
      want(message.role === 'assistant', 'message without role assistant');
      for (const call of objects(message.tool_calls)) {
        const fn = isObject(call.function) ? call.function : {};
        want(call.type === 'function', 'tool call without type function');
        want(text(fn.name) !== '' && typeof fn.arguments === 'string', 'tool call without name or arguments text');
      }
    }
  },
  completions(body, want) {
    lintChoices(body, want, 'text_completion');
    for (const choice of objects(body.choices)) want(typeof choice.text === 'string', 'choice without text');
  },
  claude(body, want) {
    want(text(body.id) !== '', 'no id');
    want(body.type === 'message', 'type is not message');
    want(body.role === 'assistant', 'role is not assistant');
    want(text(body.model) !== '', 'no model');
    want(Array.isArray(body.content), 'content is no list');
    want(text(body.stop_reason) !== '', 'no stop_reason');
    const usage = isObject(body.usage) ? body.usage : {};
    want(isNumber(usage.input_tokens) && isNumber(usage.output_tokens), 'usage incomplete');
    for (const block of objects(body.content)) {
      if (block.type === 'tool_use') want(text(block.id) !== '' && isObject(block.input), 'tool_use incomplete');
      if (block.type === 'thinking') want(typeof block.signature === 'string', 'thinking without signature');
    }
  },
  responses: lintResponseObject,
  gemini(body, want) {
    for (const candidate of objects(body.candidates)) {
      const content = isObject(candidate.content) ? candidate.content : undefined;
      want(
        content === undefined || content.role === undefined || content.role === 'model',
        'content role is not model',
      );
      want(text(candidate.finishReason) !== '', 'candidate without finishReason');
    }
    want(Array.isArray(body.candidates) || isObject(body.promptFeedback), 'neither candidates nor promptFeedback');
  },
};

/** A response object as it stands in a body or in a terminal event. */
export function lintResponseObject(body: JsonObject, want: Want): void {
  want(text(body.id) !== '', 'no id');
  want(body.object === 'response', 'object is not response');
  want(isNumber(body.created_at), 'created_at is not a number');
  want(text(body.model) !== '', 'no model');
  want(['completed', 'incomplete', 'failed'].includes(text(body.status)), `status ${text(body.status)}`);
  want(Array.isArray(body.output), 'output is no list');
  const ids = objects(body.output).map((item) => text(item.id));
  want(!ids.includes('') && new Set(ids).size === ids.length, 'item ids missing or repeated');
  for (const item of objects(body.output)) {
    if (item.type === 'message') {
      want(item.role === 'assistant', 'message item without role assistant');
      for (const part of objects(item.content)) {
        want(part.type === 'output_text' || part.type === 'refusal', `message part ${text(part.type)}`);
      }
    }
    if (item.type === 'function_call') {
      want(
        text(item.call_id) !== '' && text(item.name) !== '' && typeof item.arguments === 'string',
        'call incomplete',
      );
    }
    if (item.type === 'reasoning') want(Array.isArray(item.summary), 'reasoning item without summary');
  }
}

function lintChoices(body: JsonObject, want: Want, object: string): void {
  want(text(body.id) !== '', 'no id');
  want(body.object === object, `object ${text(body.object)}`);
  want(isNumber(body.created), 'created is not a number');
  want(text(body.model) !== '', 'no model');
  want(objects(body.choices).length > 0, 'no choices');
  objects(body.choices).forEach((choice, index) => {
    want(choice.index === index, 'choice index');
    want(text(choice.finish_reason) !== '', 'choice without finish_reason');
  });
  if (isObject(body.usage)) {
    for (const key of ['prompt_tokens', 'completion_tokens', 'total_tokens']) {
      want(isNumber(body.usage[key]), `usage without ${key}`);
    }
  }
}

function isNumber(value: Json | undefined): boolean {
  return typeof value === 'number';
}
