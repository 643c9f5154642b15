// The official `openai` package, Responses.
import OpenAI from 'openai';
import type { Response, ResponseInput, ResponseInputItem } from 'openai/resources/responses/responses';
import { type Ask, type Connect, parsed, type SdkAnswer, statusOf } from './client.ts';
import { playScenarios } from './scenarios.ts';

const connect: Connect = ({ url, key }) => {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 });
  return {
    async ask(ask) {
      if (ask.schema) return answerOf(await client.responses.parse(params(ask), options(ask)));
      return answerOf(await client.responses.create(params(ask), options(ask)));
    },
    async stream(ask, seen) {
      const stream = client.responses.stream(params(ask), options(ask));
      for await (const event of stream) if (event.type === 'response.output_text.delta') seen(event.delta);
      return answerOf(await stream.finalResponse());
    },
    status: statusOf,
  };
};

function params(ask: Ask) {
  return {
    model: ask.model,
    input: input(ask),
    store: false,
    ...(ask.system ? { instructions: ask.system } : {}),
    ...(ask.tools
      ? { tools: ask.tools.map((tool) => ({ type: 'function' as const, ...tool, strict: false as const })) }
      : {}),
    ...(ask.think ? { reasoning: { effort: 'high' as const, summary: 'auto' as const } } : {}),
    ...(ask.schema
      ? { text: { format: { type: 'json_schema' as const, name: 'person', strict: true, schema: ask.schema } } }
      : {}),
  };
}

function input(ask: Ask): ResponseInput {
  const items: ResponseInput = [
    {
      role: 'user',
      content: ask.image
        ? [
            { type: 'input_text', text: ask.prompt },
            { type: 'input_image', image_url: `data:image/png;base64,${ask.image}`, detail: 'auto' },
          ]
        : ask.prompt,
    },
  ];
  if (ask.after) {
    const { answer, results } = ask.after;
    items.push(...(answer.native as ResponseInputItem[]));
    for (const [i, output] of results.entries()) {
      items.push({ type: 'function_call_output', call_id: answer.calls[i]?.id ?? '', output });
    }
  }
  return items;
}

const options = (ask: Ask) => (ask.signal ? { signal: ask.signal } : {});

function answerOf(response: Response): SdkAnswer {
  const calls = response.output.flatMap((item) =>
    item.type === 'function_call' ? [{ id: item.call_id, name: item.name, arguments: parsed(item.arguments) }] : [],
  );
  return {
    text: response.output_text,
    reasoning: response.output
      .flatMap((item) => (item.type === 'reasoning' ? item.summary : []))
      .map((part) => part.text)
      .join(''),
    calls,
    finish: response.status !== 'completed' ? 'other' : calls.length > 0 ? 'tools' : 'stop',
    input: response.usage?.input_tokens,
    output: response.usage?.output_tokens,
    native: response.output,
  };
}

playScenarios('openai: responses', connect);
