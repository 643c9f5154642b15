// A JSON Schema in the form that Anthropic's structured output takes: closed objects, no value constraints.
// https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations

import { isObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';

/** Constraints the API refuses; they become a hint in the description. */
const REFUSED = new Set([
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
]);

const MAPS = new Set(['properties', '$defs', 'definitions']);
const LISTS = new Set(['anyOf', 'allOf', 'oneOf', 'prefixItems']);

export function closedSchema(schema: Json): Json {
  if (!isObject(schema)) return schema;
  const closed: JsonObject = {};
  const hints: string[] = [];
  for (const [key, value] of Object.entries(schema)) {
    if (REFUSED.has(key) || (key === 'minItems' && value !== 0 && value !== 1)) {
      hints.push(`${key}: ${JSON.stringify(value)}`);
    } else if (MAPS.has(key) && isObject(value)) {
      closed[key] = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, closedSchema(inner)]));
    } else if (LISTS.has(key) && Array.isArray(value)) {
      closed[key] = value.map(closedSchema);
    } else {
      closed[key] = key === 'items' ? closedSchema(value) : value;
    }
  }
  if (schema.type === 'object' || isObject(schema.properties)) closed.additionalProperties = false;
  if (hints.length > 0) {
    const description = typeof schema.description === 'string' ? `${schema.description} ` : '';
    closed.description = `${description}(${hints.join(', ')})`;
  }
  return closed;
}
