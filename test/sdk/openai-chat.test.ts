// The official `openai` package, chat completions.
import OpenAI from 'openai';
import type { ChatCompletion, ChatCompletionMessage, ChatCompletionMessageParam } from 'openai/resources';
import { type Ask, type Connect, parsed, type SdkAnswer, statusOf } from './client.ts';
import { playScenarios } from './scenarios.ts';

/** Not in the API of OpenAI itself; the field of DeepSeek, Qwen, vLLM, OpenRouter and others. */
type Thinking = { reasoning_content?: string };

const connect: Connect = ({ url, key }) => {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 });
  return {
    async ask(ask) {
      if (ask.schema) return answerOf(await client.chat.completions.parse(params(ask), options(ask)));
      return answerOf(await client.chat.completions.create(params(ask), options(ask)));
    },
    async stream(ask, seen) {
      const stream = client.chat.completions.stream(
        { ...params(ask), stream_options: { include_usage: true } },
        options(ask),
      );
      let reasoning = '';
      for await (const chunk of stream) {
        const delta = chunk.choices[0]?.delta as ({ content?: string | null } & Thinking) | undefined;
        if (delta?.content) seen(delta.content);
        reasoning += delta?.reasoning_content ?? '';
      }
      return { ...answerOf(await stream.finalChatCompletion()), reasoning };
    },
    status: statusOf,
  };
};

function params(ask: Ask) {
  return {
    model: ask.model,
    messages: messages(ask),
    ...(ask.tools ? { tools: ask.tools.map((tool) => ({ type: 'function' as const, function: { ...tool } })) } : {}),
    ...(ask.think ? { reasoning_effort: 'high' as const } : {}),
    ...(ask.schema
      ? {
          response_format: {
            type: 'json_schema' as const,
            json_schema: { name: 'person', strict: true, schema: ask.schema },
          },
        }
      : {}),
  };
}

function messages(ask: Ask): ChatCompletionMessageParam[] {
  const list: ChatCompletionMessageParam[] = [];
  if (ask.system) list.push({ role: 'system', content: ask.system });
  list.push({
    role: 'user',
    content: ask.image
      ? [
          { type: 'text', text: ask.prompt },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${ask.image}` } },
        ]
      : ask.prompt,
  });
  if (ask.after) {
    const { answer, results } = ask.after;
    list.push(answer.native as ChatCompletionMessage);
    for (const [i, content] of results.entries()) {
      list.push({ role: 'tool', tool_call_id: answer.calls[i]?.id ?? '', content });
    }
  }
  return list;
}

const options = (ask: Ask) => (ask.signal ? { signal: ask.signal } : {});

function answerOf(completion: ChatCompletion): SdkAnswer {
  const choice = completion.choices[0];
  const message = choice?.message as (ChatCompletionMessage & Thinking) | undefined;
  const reason = choice?.finish_reason;
  return {
    text: message?.content ?? '',
    reasoning: message?.reasoning_content ?? '',
    calls: (message?.tool_calls ?? []).flatMap((call) =>
      call.type === 'function'
        ? [{ id: call.id, name: call.function.name, arguments: parsed(call.function.arguments) }]
        : [],
    ),
    finish: reason === 'stop' ? 'stop' : reason === 'tool_calls' ? 'tools' : 'other',
    input: completion.usage?.prompt_tokens,
    output: completion.usage?.completion_tokens,
    native: message,
  };
}

playScenarios('openai: chat completions', connect);
