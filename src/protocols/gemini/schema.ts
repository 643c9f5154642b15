// Gemini's OpenAPI-flavoured schemas as plain JSON Schema: lower-case types, numbers as numbers (protocols.md §2.4).
import { isObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';

const MAPS = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
const LISTS = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);
const SCHEMAS = new Set(['items', 'additionalProperties', 'not', 'if', 'then', 'else', 'contains', 'propertyNames']);
/** Int64 members that proto JSON writes as strings. */
const COUNTS = new Set(['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties']);
const TYPES = /^(?:STRING|NUMBER|INTEGER|BOOLEAN|ARRAY|OBJECT|NULL)$/;

export function toJsonSchema(schema: Json): Json {
  if (!isObject(schema)) return schema;
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'type') result.type = Array.isArray(value) ? value.map(lowerType) : lowerType(value);
    else if (MAPS.has(key) && isObject(value)) result[key] = mapValues(value);
    else if (LISTS.has(key) && Array.isArray(value)) result[key] = value.map(toJsonSchema);
    else if (SCHEMAS.has(key)) result[key] = Array.isArray(value) ? value.map(toJsonSchema) : toJsonSchema(value);
    else if (COUNTS.has(key) && typeof value === 'string' && /^\d+$/.test(value)) result[key] = Number(value);
    else result[key] = value;
  }
  return result;
}

function mapValues(schemas: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [name, schema] of Object.entries(schemas)) result[name] = toJsonSchema(schema);
  return result;
}

function lowerType(type: Json): Json {
  return typeof type === 'string' && TYPES.test(type) ? type.toLowerCase() : type;
}
