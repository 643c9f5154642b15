// Takes what the schema reduction made up out of the arguments that come back (upstreams.md §2.8).
import { asObject, parseObject } from '../json.ts';
import type { ChatRequest, Json, StreamPart } from '../neutral.ts';
import type { Emit } from '../protocol.ts';
import { wireToolNames } from '../tool-names.ts';
import { schemaRules, withoutPlaceholders } from './antigravity-schema.ts';

/**
 * `emit` behind a filter of tool arguments, or `emit` itself when the model gets no placeholders: for the decoder, before
 * names are restored. Arguments come whole from this upstream, in one delta.
 */
export function filterPlaceholders(request: ChatRequest, model: string, emit: Emit): Emit {
  if (!schemaRules(model).placeholders) return emit;
  const names = wireToolNames(request, { provider: 'antigravity' });
  const schemas = new Map<string, Json | undefined>();
  for (const tool of request.tools)
    if (tool.type === 'function') schemas.set(names.get(tool.name) ?? tool.name, tool.parameters);
  if (schemas.size === 0) return emit;
  const calls = new Map<number, string>();
  return (part: StreamPart) => {
    if (part.type === 'tool-start') calls.set(part.index, part.name);
    if (part.type !== 'tool-delta') return emit(part);
    const name = calls.get(part.index) ?? '';
    const args = schemas.has(name) ? parseObject(part.text) : undefined;
    if (!args) return emit(part);
    emit({ ...part, text: JSON.stringify(asObject(withoutPlaceholders(args, schemas.get(name))) ?? args) });
  };
}
