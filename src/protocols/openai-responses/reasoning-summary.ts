// The text of a reasoning item.
import { asObject, asText } from '../json.ts';
import type { JsonObject } from '../neutral.ts';

/** Summary parts joined with a blank line (protocols.md §3.2); open models tell their reasoning in `content`. */
export function joinedSummary(item: JsonObject): string {
  for (const list of [item.summary, item.content]) {
    if (!Array.isArray(list)) continue;
    const texts = list.map((part) => asText(asObject(part)?.text)).filter((text) => text !== undefined);
    if (texts.length > 0) return texts.join('\n\n');
  }
  return '';
}
