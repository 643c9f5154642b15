// Arbitrary requests in the form a decoder gives them, for round trips.
import fc from 'fast-check';
import type { ChatRequest, Message, Part, ProtocolId } from '../../src/protocols/neutral.ts';

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 });
const textPart = text.map((value): Part => ({ type: 'text', text: value }));
const image = fc.constantFrom<Part>(
  { type: 'file', mediaType: 'image/png', data: { kind: 'base64', base64: 'QUJD' } },
  { type: 'file', mediaType: 'image/jpeg', data: { kind: 'url', url: 'https://example.com/a.jpg' }, detail: 'low' },
);
const pdf = fc.constant<Part>({
  type: 'file',
  mediaType: 'application/pdf',
  data: { kind: 'base64', base64: 'QUJD' },
  filename: 'a.pdf',
});
const userParts = fc.array(fc.oneof(textPart, image, pdf), { minLength: 1, maxLength: 3 });

/** System text, then turns: a user message and an answer, perhaps with one round of calls and their results. */
const turn = fc.record({
  user: userParts,
  said: fc.option(text, { nil: undefined }),
  calls: fc.array(fc.tuple(fc.constantFrom('f', 'g'), fc.json({ maxDepth: 1 }), text), { maxLength: 2 }),
});

const choice = fc.constantFrom<ChatRequest['toolChoice']>(
  undefined,
  { type: 'none' },
  { type: 'required' },
  { type: 'tool', name: 'f' },
);

export function requests(protocol: ProtocolId): fc.Arbitrary<ChatRequest> {
  const shape = fc.record({
    system: fc.option(text, { nil: undefined }),
    turns: fc.array(turn, { minLength: 1, maxLength: 3 }),
    choice,
    serial: fc.boolean(),
    temperature: fc.option(
      fc.double({ min: 0, max: 2, noNaN: true }).map((value) => value + 0),
      { nil: undefined },
    ),
    maxTokens: fc.option(fc.nat(9999), { nil: undefined }),
    strict: fc.boolean(),
  });
  return shape.map((facts) => {
    const messages: Message[] = [];
    if (facts.system !== undefined) messages.push({ role: 'system', parts: [{ type: 'text', text: facts.system }] });
    facts.turns.forEach(({ user, said, calls }, round) => {
      messages.push({ role: 'user', parts: user });
      const answer: Part[] = said === undefined ? [] : [{ type: 'text', text: said }];
      const results: Part[] = [];
      calls.forEach(([name, args, result], index) => {
        const id = `call_${round}_${index}`;
        answer.push({ type: 'tool-call', id, name, arguments: args });
        results.push({ type: 'tool-result', callId: id, name, content: [{ type: 'text', text: result }] });
      });
      if (answer.length > 0) messages.push({ role: 'assistant', parts: answer });
      if (results.length > 0) messages.push({ role: 'tool', parts: results });
    });
    const request: ChatRequest = {
      model: 'm',
      stream: false,
      messages,
      tools: [
        {
          type: 'function',
          name: 'f',
          description: 'F',
          parameters: { type: 'object', properties: { x: { type: ['string', 'null'] } } },
          strict: facts.strict,
        },
        { type: 'builtin', protocol, kind: 'custom', raw: { type: 'custom' } },
      ],
    };
    if (facts.choice) request.toolChoice = facts.choice;
    if (facts.serial) request.parallelToolCalls = false;
    if (facts.temperature !== undefined) request.temperature = facts.temperature;
    if (facts.maxTokens !== undefined) request.maxTokens = facts.maxTokens;
    return request;
  });
}
