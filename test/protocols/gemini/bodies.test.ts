import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  antigravitySchema,
  defaultSafetySettings,
  filterPlaceholders,
  prepareAntigravity,
  prepareGemini,
  reduceAntigravitySchemas,
  withoutPlaceholders,
} from '../../../src/protocols/gemini/index.ts';
import type { ChatRequest, Json, JsonObject } from '../../../src/protocols/neutral.ts';

const SKIP = 'skip_thought_signature_validator';
const user = { role: 'user', parts: [{ text: 'q' }] };

describe("gemini: a Gemini client's own body", () => {
  const history: JsonObject = {
    contents: [
      user,
      {
        role: 'model',
        parts: [
          { text: 'hm', thought: true },
          { text: 'A', thoughtSignature: 's' },
          { functionCall: { name: 'f', args: {} } },
        ],
      },
      { role: 'function', parts: [{ functionResponse: { name: 'f', response: {} } }] },
      { parts: [] },
    ],
  };

  it('gets signatures nobody checks, the user role for results, and safety settings', () => {
    const before = structuredClone(history);
    const { contents, safetySettings } = prepareGemini(history, 'gemini');
    assert.deepEqual(contents, [
      user,
      {
        role: 'model',
        parts: [
          { text: 'hm', thought: true },
          { text: 'A', thoughtSignature: SKIP },
          { functionCall: { name: 'f', args: {} }, thoughtSignature: SKIP },
        ],
      },
      { role: 'user', parts: [{ functionResponse: { name: 'f', response: {} } }] },
    ]);
    assert.equal((safetySettings as Json[]).length, 5);
    assert.deepEqual(history, before);
  });

  it('keeps its own signatures on antigravity, where only missing ones are filled in', () => {
    const { contents, safetySettings } = prepareAntigravity({ ...history, safetySettings: [] });
    assert.deepEqual((contents as JsonObject[])[1]?.parts, [
      { text: 'hm', thought: true, thoughtSignature: SKIP },
      { text: 'A', thoughtSignature: 's' },
      { functionCall: { name: 'f', args: {} }, thoughtSignature: SKIP },
    ]);
    assert.equal(safetySettings, undefined);
  });

  it('loses a last model turn that calls functions', () => {
    const body = { contents: [user, { role: 'model', parts: [{ functionCall: { name: 'f' } }] }] };
    assert.deepEqual(prepareGemini(body, 'vertex').contents, [user]);
  });

  it('says its answer schema where the public APIs read it, and as it was to Code Assist', () => {
    const body = { contents: [user], generationConfig: { responseSchema: { type: 'OBJECT' }, topK: 1 } };
    assert.deepEqual(prepareGemini(body, 'vertex').generationConfig, {
      topK: 1,
      responseJsonSchema: { type: 'OBJECT' },
    });
    assert.deepEqual(prepareGemini(body, 'gemini-cli').generationConfig, body.generationConfig);
  });

  it('is the same after a second time', () => {
    const once = prepareGemini(history, 'gemini');
    assert.deepEqual(prepareGemini(once, 'gemini'), once);
    const reduced = prepareAntigravity(history);
    assert.deepEqual(prepareAntigravity(reduced), reduced);
  });

  it('keeps safety settings it brought, in either spelling', () => {
    const snake = { safety_settings: [] };
    assert.equal(defaultSafetySettings(snake), snake);
  });
});

describe('antigravity schemas', () => {
  const rules = { placeholders: true };

  it('keep only what the backend reads and say the rest in words', () => {
    const reduced = antigravitySchema(
      {
        $schema: 'http://json-schema.org/draft-07/schema#',
        type: 'object',
        $defs: { Pt: { type: 'object' } },
        properties: {
          points: { type: 'array', items: { $ref: '#/$defs/Pt' }, minItems: 1 },
          mode: { anyOf: [{ type: 'string', const: 'fast' }, { type: 'integer' }] },
          opt: { type: ['string', 'null'], default: null, pattern: '^[a-z]+$' },
          map: { type: 'object', additionalProperties: { type: 'string' } },
          level: { type: 'integer', enum: [1, 2] },
        },
        required: ['points', 'mode', 'gone'],
        additionalProperties: false,
      },
      rules,
    ) as JsonObject;
    const properties = reduced.properties as Record<string, JsonObject>;
    assert.deepEqual(reduced.required, ['points', 'mode']);
    assert.equal((properties.points!.items as JsonObject).type, 'object');
    assert.match(String(properties.points?.description), /minItems: 1/);
    assert.deepEqual(properties.mode?.enum, ['fast']);
    assert.equal(properties.opt?.type, 'string');
    assert.match(String(properties.opt?.description), /nullable/);
    assert.deepEqual(properties.level?.enum, ['1', '2']);
    assert.notEqual((properties.map!.properties as JsonObject).reason, undefined);
  });

  it('merge allOf and prefer the richer branch of a union', () => {
    const reduced = antigravitySchema(
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
          {
            properties: {
              b: { oneOf: [{ type: 'string' }, { type: 'object', properties: { c: { type: 'string' } } }] },
            },
          },
        ],
      },
      { placeholders: false },
    );
    assert.deepEqual(reduced, {
      type: 'object',
      properties: {
        a: { type: 'string' },
        b: {
          type: 'object',
          properties: { c: { type: 'string' } },
          description: '(accepts: string | object)',
        },
      },
      required: ['a'],
    });
  });

  it('give empty objects a property only to the models that refuse them', () => {
    const empty = { type: 'object', properties: {} };
    const declared = (model: string): JsonObject => {
      const body = { tools: [{ functionDeclarations: [{ name: 'f', parametersJsonSchema: empty }] }] };
      const [tool] = reduceAntigravitySchemas(body, model).tools as JsonObject[];
      return ((tool!.functionDeclarations as JsonObject[])[0]?.parameters as JsonObject) ?? {};
    };
    assert.deepEqual(declared('claude-sonnet-4-5').required, ['reason']);
    assert.deepEqual(declared('gemini-3-pro-high').required, ['reason']);
    assert.equal(declared('gemini-2.5-flash').required, undefined);
  });

  it('use no word outside the subset, whatever came in', () => {
    const allowed = new Set(['type', 'properties', 'required', 'enum', 'items', 'description']);
    const type = fc.constantFrom<Json>('object', 'array', 'string', 'integer', ['string', 'null']);
    const leaf = fc.record({ type, format: fc.string(), enum: fc.array(fc.oneof(fc.string(), fc.integer())) });
    const nest = (schema: fc.Arbitrary<object>): fc.Arbitrary<object> =>
      fc.record(
        {
          type,
          properties: fc.dictionary(fc.string({ maxLength: 4 }), schema, { maxKeys: 2 }),
          items: schema,
          anyOf: fc.array(schema, { maxLength: 2 }),
          allOf: fc.array(schema, { maxLength: 2 }),
          required: fc.array(fc.string({ maxLength: 2 }), { maxLength: 2 }),
          'x-vendor': fc.boolean(),
        },
        { requiredKeys: [] },
      );
    const schema = nest(nest(fc.oneof(leaf, nest(leaf))));
    const check = (value: Json): void => {
      const object = value as JsonObject;
      for (const key of Object.keys(object)) assert.ok(allowed.has(key), key);
      assert.equal(typeof object.type, 'string');
      for (const inner of Object.values((object.properties ?? {}) as JsonObject)) check(inner);
      if (object.items !== undefined) check(object.items);
    };
    fc.assert(
      fc.property(schema, fc.boolean(), (value, placeholders) =>
        check(antigravitySchema(value as JsonObject, { placeholders })),
      ),
    );
  });

  it('that lead in a circle come to an end', () => {
    const deep: JsonObject = { type: 'object' };
    let at = deep;
    for (let n = 0; n < 500; n++) {
      const next: JsonObject = { type: 'object' };
      at.properties = { next };
      at = next;
    }
    assert.ok(antigravitySchema(deep, rules));
  });

  it('give clients their own arguments back, of their own tools and only where something was added', () => {
    const request: ChatRequest = {
      model: 'm',
      stream: false,
      messages: [],
      tools: [{ type: 'function', name: 'ping it' }],
    };
    const seen = (model: string): string[] => {
      const texts: string[] = [];
      const emit = filterPlaceholders(request, model, (part) => {
        if (part.type === 'tool-delta') texts.push(part.text);
      });
      emit({ type: 'tool-start', index: 0, id: 'a', name: 'ping_it' });
      emit({ type: 'tool-delta', index: 0, text: '{"reason":"x"}' });
      emit({ type: 'tool-start', index: 1, id: 'b', name: 'other' });
      emit({ type: 'tool-delta', index: 1, text: '{"reason":"x"}' });
      return texts;
    };
    assert.deepEqual(seen('claude-sonnet-4-5'), ['{}', '{"reason":"x"}']);
    assert.deepEqual(seen('gemini-2.5-flash'), ['{"reason":"x"}', '{"reason":"x"}']);
  });

  it('leave no trace of placeholders in arguments', () => {
    const schema = {
      type: 'object',
      properties: {
        nested: { type: 'object', properties: { a: { type: 'string' } } },
        empty: { type: 'object', properties: {} },
      },
    };
    const args = { nested: { a: 'x', _: true }, empty: { reason: 'because' } };
    assert.deepEqual(withoutPlaceholders(args, schema), { nested: { a: 'x' }, empty: {} });
    const own = { type: 'object', properties: { reason: { type: 'string' } } };
    assert.deepEqual(withoutPlaceholders({ reason: 'mine' }, own), { reason: 'mine' });
  });
});
