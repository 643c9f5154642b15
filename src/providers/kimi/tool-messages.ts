// Repairs of tool conversations that Kimi's chat API refuses as they come from some clients (upstreams.md §2.10).
import type { Json, JsonObject } from '../../protocols/neutral.ts';
import { arrayOf, objectOf, textOf } from '../fields.ts';

const noReasoning = '[reasoning unavailable]';

/** Gives tool messages their call id and assistant messages with tool calls their reasoning. */
export function repairToolMessages(body: JsonObject): JsonObject {
  const open = new Set<string>();
  let lastReasoning = '';
  let changed = false;
  const messages = arrayOf(body.messages).map((item): Json => {
    const message = objectOf(item);
    if (message === undefined) return item;
    let repaired = message;
    if (message.role === 'assistant') {
      const reasoning = textOf(message.reasoning_content);
      if (reasoning !== '') lastReasoning = reasoning;
      const calls = arrayOf(message.tool_calls);
      if (calls.length > 0 && reasoning === '') {
        repaired = { ...message, reasoning_content: lastReasoning || plainText(message.content) || noReasoning };
      }
      for (const call of calls) {
        const id = textOf(objectOf(call)?.id);
        if (id !== '') open.add(id);
      }
    } else if (message.role === 'tool') {
      const id = textOf(message.tool_call_id) || textOf(message.call_id) || onlyOne(open);
      if (textOf(message.tool_call_id) === '' && id !== '') {
        const { call_id: _, ...rest } = message;
        repaired = { ...rest, tool_call_id: id };
      }
      open.delete(id);
    }
    changed ||= repaired !== message;
    return repaired;
  });
  return changed ? { ...body, messages } : body;
}

/** With several calls open nobody can say which one is answered: left as it is. */
function onlyOne(open: ReadonlySet<string>): string {
  const [first] = open;
  return open.size === 1 && first !== undefined ? first : '';
}

function plainText(content: Json | undefined): string {
  if (typeof content === 'string') return content.trim();
  return arrayOf(content)
    .map((part) => textOf(objectOf(part)?.text))
    .filter(Boolean)
    .join('\n');
}
