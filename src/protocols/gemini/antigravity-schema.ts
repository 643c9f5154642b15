// Function and answer schemas in the subset that the Antigravity backend takes (upstreams.md §2.8, protocols.md §2.6).
// What the subset cannot say goes into `description`.
import { isObject } from '../json.ts';
import type { Json, JsonObject } from '../neutral.ts';
import { field, listField, objectField, snake } from './fields.ts';

export interface SchemaRules {
  /** Objects without content get a property: Claude and Gemini 3 Pro behind this backend refuse empty ones. */
  placeholders: boolean;
}

/** Shown as `name: value` in the description. */
const HINTED = [
  'format',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  'default',
] as const;

/** Nested deeper than this is a circle or an attack; the rest is any object. */
const DEPTH = 64;

export function schemaRules(model: string): SchemaRules {
  return { placeholders: /claude|gemini-3-pro|gemini-3\.1-pro/.test(model) };
}

/** One schema in the subset `type properties required enum items description`. */
export function antigravitySchema(schema: Json, rules: SchemaRules): Json {
  return reduce(schema, rules, true, 0);
}

/** Body with reduced function declarations (`parametersJsonSchema` → `parameters`) and answer schema. The argument is not changed. */
export function reduceAntigravitySchemas(body: JsonObject, model: string): JsonObject {
  const rules = schemaRules(model);
  const result: JsonObject = { ...body };
  if (Array.isArray(body.tools)) {
    result.tools = body.tools.map((tool): Json => (isObject(tool) ? reduceTool(tool, rules) : tool));
  }
  const generation = objectField(body, 'generationConfig');
  const schema = generation
    ? (field(generation, 'responseJsonSchema') ?? field(generation, 'responseSchema'))
    : undefined;
  if (generation && schema !== undefined) {
    const rest = without(generation, ['responseJsonSchema', 'responseSchema']);
    delete result.generation_config;
    result.generationConfig = { ...rest, responseSchema: antigravitySchema(schema, { placeholders: false }) };
  }
  return result;
}

function reduceTool(tool: JsonObject, rules: SchemaRules): JsonObject {
  const declarations = listField(tool, 'functionDeclarations');
  if (declarations.length === 0) return tool;
  const functionDeclarations = declarations.map((declaration): Json => {
    if (!isObject(declaration)) return declaration;
    const parameters = field(declaration, 'parametersJsonSchema') ?? declaration.parameters;
    const rest = without(declaration, ['parametersJsonSchema', 'parameters', 'strict']);
    return { ...rest, parameters: antigravitySchema(parameters ?? { type: 'object', properties: {} }, rules) };
  });
  return { ...without(tool, ['functionDeclarations']), functionDeclarations };
}

function without(object: JsonObject, names: readonly string[]): JsonObject {
  const rest = { ...object };
  for (const name of names) {
    delete rest[name];
    delete rest[snake(name)];
  }
  return rest;
}

function reduce(schema: Json, rules: SchemaRules, root: boolean, depth: number): JsonObject {
  if (!isObject(schema) || depth > DEPTH) return finishObject({ type: 'object' }, rules, root);
  const hints: string[] = [];
  if (typeof schema.$ref === 'string') return reference(schema, rules, root);
  const plain = chooseBranch(mergeAll(schema), hints);
  const result: JsonObject = {};
  const type = readType(plain, hints);
  if (type !== undefined) result.type = type;
  const values = plain.const !== undefined ? [plain.const] : Array.isArray(plain.enum) ? plain.enum : undefined;
  if (values) {
    result.enum = values
      .filter((value) => value !== null)
      .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
    // The backend's enums are strings.
    result.type = 'string';
  }
  for (const name of HINTED) {
    const value = plain[name];
    if (value !== undefined && value !== null)
      hints.push(`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  }
  if (plain.additionalProperties === false) hints.push('no extra properties');
  else if (isObject(plain.additionalProperties) && typeof plain.additionalProperties.type === 'string') {
    hints.push(`further properties: ${plain.additionalProperties.type}`);
  }
  if (isObject(plain.properties)) {
    const properties: JsonObject = {};
    for (const [name, inner] of Object.entries(plain.properties))
      properties[name] = reduce(inner, rules, false, depth + 1);
    result.properties = properties;
    result.type ??= 'object';
    const required = (Array.isArray(plain.required) ? plain.required : []).filter(
      (name) => typeof name === 'string' && Object.hasOwn(properties, name),
    );
    if (required.length > 0) result.required = required;
  }
  if (plain.items !== undefined) {
    result.items = reduce(Array.isArray(plain.items) ? (plain.items[0] ?? {}) : plain.items, rules, false, depth + 1);
    result.type ??= 'array';
  } else if (isType(result, 'array')) result.items = { type: 'string' };
  result.type ??= root ? 'object' : 'string';
  describe(result, plain.description, hints);
  return isType(result, 'object') ? finishObject(result, rules, root) : result;
}

/** The backend knows no references: an object, named in words. */
function reference(schema: JsonObject, rules: SchemaRules, root: boolean): JsonObject {
  const name = String(schema.$ref).split('/').at(-1) ?? '';
  const result: JsonObject = { type: 'object' };
  describe(result, schema.description, [`see: ${name}`]);
  return finishObject(result, rules, root);
}

function finishObject(result: JsonObject, rules: SchemaRules, root: boolean): JsonObject {
  if (!rules.placeholders) return result;
  const properties = isObject(result.properties) ? result.properties : {};
  if (Object.keys(properties).length === 0) {
    result.properties = {
      reason: { type: 'string', description: 'Brief explanation of why you are calling this tool' },
    };
    result.required = ['reason'];
  } else if (!root && result.required === undefined) {
    result.properties = { ...properties, _: { type: 'boolean' } };
    result.required = ['_'];
  }
  return result;
}

/** `allOf` in one schema: later members win, properties and required names add up. */
function mergeAll(schema: JsonObject): JsonObject {
  if (!Array.isArray(schema.allOf)) return schema;
  const { allOf, ...own } = schema;
  let merged: JsonObject = {};
  for (const member of [...allOf, own]) {
    if (!isObject(member)) continue;
    const inner = mergeAll(member);
    merged = {
      ...merged,
      ...inner,
      ...(isObject(merged.properties) || isObject(inner.properties)
        ? { properties: { ...(merged.properties as JsonObject), ...(inner.properties as JsonObject) } }
        : {}),
      ...(Array.isArray(merged.required) || Array.isArray(inner.required)
        ? { required: [...new Set([...((merged.required as Json[]) ?? []), ...((inner.required as Json[]) ?? [])])] }
        : {}),
    };
  }
  return merged;
}

/** Of `anyOf` or `oneOf` the branch that says most; the types of all are hinted. */
function chooseBranch(schema: JsonObject, hints: string[]): JsonObject {
  const { anyOf, oneOf, ...own } = schema;
  const branches = [...(Array.isArray(anyOf) ? anyOf : []), ...(Array.isArray(oneOf) ? oneOf : [])].filter(isObject);
  if (branches.length === 0) return schema;
  const best = branches.reduce((a, b) => (weight(b) > weight(a) ? b : a));
  const names = [...new Set(branches.map(typeName))];
  if (names.length > 1) hints.push(`accepts: ${names.join(' | ')}`);
  return chooseBranch(mergeAll({ ...best, ...own }), hints);
}

function weight(branch: JsonObject): number {
  const name = typeName(branch);
  if (name === 'object') return 3;
  if (name === 'array') return 2;
  return name === 'null' ? 0 : 1;
}

function typeName(branch: JsonObject): string {
  if (typeof branch.type === 'string') return branch.type.toLowerCase();
  if (Array.isArray(branch.type)) return String(branch.type.find((type) => type !== 'null') ?? 'null').toLowerCase();
  if (isObject(branch.properties)) return 'object';
  if (branch.items !== undefined) return 'array';
  return branch.const === null ? 'null' : 'string';
}

/** The backend takes both spellings, `object` and `OBJECT`; the client's stays. */
function isType(schema: JsonObject, name: string): boolean {
  return typeof schema.type === 'string' && schema.type.toLowerCase() === name;
}

/** The first type that is not null; being nullable is hinted. */
function readType(schema: JsonObject, hints: string[]): string | undefined {
  const type = schema.type;
  if (typeof type === 'string') return type;
  if (!Array.isArray(type)) return undefined;
  const names = type.map((name) => String(name).toLowerCase());
  const real = names.filter((name) => name !== 'null');
  if (real.length < names.length) hints.push('nullable');
  if (real.length > 1) hints.push(`accepts: ${real.join(' | ')}`);
  return real[0] ?? 'string';
}

function describe(result: JsonObject, description: Json | undefined, hints: readonly string[]): void {
  const text = typeof description === 'string' ? description : '';
  const hint = hints.length > 0 ? `(${hints.join(', ')})` : '';
  const joined = [text, hint].filter((piece) => piece !== '').join(' ');
  if (joined !== '') result.description = joined;
}

/** Arguments of an answer without what `placeholders` had added to this tool's schema. */
export function withoutPlaceholders(args: Json, schema: Json | undefined, root = true): Json {
  if (Array.isArray(args)) {
    const items = isObject(schema) ? schema.items : undefined;
    return args.map((item) => withoutPlaceholders(item, items, false));
  }
  if (!isObject(args)) return args;
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
  const names = Object.keys(properties);
  const result: JsonObject = {};
  for (const [name, value] of Object.entries(args)) {
    if (name === 'reason' && names.length === 0) continue;
    if (name === '_' && !root && names.length > 0 && !Object.hasOwn(properties, '_')) continue;
    result[name] = withoutPlaceholders(value, properties[name], false);
  }
  return result;
}
