// The official `@anthropic-ai/sdk` package.
import Anthropic from '@anthropic-ai/sdk';
import type { Message, MessageParam } from '@anthropic-ai/sdk/resources/messages';
import { type Ask, type Connect, type SdkAnswer, statusOf } from './client.ts';
import { playScenarios } from './scenarios.ts';

const connect: Connect = ({ url, key }) => {
  const client = new Anthropic({ apiKey: key, baseURL: url, maxRetries: 0 });
  return {
    async ask(ask) {
      return answerOf(await client.messages.create(params(ask), options(ask)));
    },
    async stream(ask, seen) {
      const stream = client.messages.stream(params(ask), options(ask));
      stream.on('text', (delta) => seen(delta));
      return answerOf(await stream.finalMessage());
    },
    status: statusOf,
  };
};

function params(ask: Ask) {
  return {
    model: ask.model,
    max_tokens: 16_000,
    messages: messages(ask),
    ...(ask.system ? { system: ask.system } : {}),
    ...(ask.tools
      ? {
          tools: ask.tools.map(({ name, description, parameters }) => ({
            name,
            description,
            input_schema: parameters as { type: 'object' },
          })),
        }
      : {}),
    ...(ask.think ? { thinking: { type: 'enabled' as const, budget_tokens: 4096 } } : {}),
    ...(ask.schema ? { output_config: { format: { type: 'json_schema' as const, schema: ask.schema } } } : {}),
  };
}

function messages(ask: Ask): MessageParam[] {
  const list: MessageParam[] = [
    {
      role: 'user',
      content: ask.image
        ? [
            { type: 'text', text: ask.prompt },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: ask.image } },
          ]
        : ask.prompt,
    },
  ];
  if (ask.after) {
    const { answer, results } = ask.after;
    list.push({ role: 'assistant', content: answer.native as Message['content'] });
    list.push({
      role: 'user',
      content: results.map((content, i) => ({
        type: 'tool_result' as const,
        tool_use_id: answer.calls[i]?.id ?? '',
        content,
      })),
    });
  }
  return list;
}

const options = (ask: Ask) => (ask.signal ? { signal: ask.signal } : {});

function answerOf(message: Message): SdkAnswer {
  const { usage } = message;
  const cached = (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  return {
    text: message.content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
    reasoning: message.content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
    calls: message.content.flatMap((block) =>
      block.type === 'tool_use' ? [{ id: block.id, name: block.name, arguments: block.input }] : [],
    ),
    finish: message.stop_reason === 'end_turn' ? 'stop' : message.stop_reason === 'tool_use' ? 'tools' : 'other',
    input: usage.input_tokens + cached,
    output: usage.output_tokens,
    native: message.content,
  };
}

playScenarios('@anthropic-ai/sdk', connect);
