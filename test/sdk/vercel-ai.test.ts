// The Vercel AI SDK (`ai`) with its providers for each protocol.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, jsonSchema, type LanguageModel, type ModelMessage, Output, streamText, tool } from 'ai';
import { type Ask, type Connect, type SdkAnswer, statusOf } from './client.ts';
import { playScenarios } from './scenarios.ts';

type ModelFor = (options: { url: string; key: string }) => (model: string) => LanguageModel;

const connectWith =
  (modelFor: ModelFor, facts: { hidesReasoning?: boolean } = {}): Connect =>
  (options) => {
    const model = modelFor(options);
    return {
      ...facts,
      async ask(ask) {
        if (ask.schema) {
          const output = Output.object({ schema: jsonSchema(ask.schema) });
          const result = await generateText({ ...params(ask, model(ask.model)), output });
          return answerOf(result, JSON.stringify(result.output));
        }
        const result = await generateText(params(ask, model(ask.model)));
        return answerOf(result, result.text);
      },
      async stream(ask, seen) {
        const result = streamText({ ...params(ask, model(ask.model)), onError: () => {} });
        for await (const part of result.fullStream) {
          if (part.type === 'text-delta') seen(part.text);
          if (part.type === 'error') throw part.error;
          if (part.type === 'abort') throw new Error('aborted');
        }
        const [text, reasoningText, toolCalls, finishReason, usage, response] = await Promise.all([
          result.text,
          result.reasoningText,
          result.toolCalls,
          result.finishReason,
          result.usage,
          result.response,
        ]);
        return answerOf({ reasoningText, toolCalls, finishReason, usage, response }, text);
      },
      status: statusOf,
    };
  };

function params(ask: Ask, model: LanguageModel) {
  const tools = ask.tools?.map(({ name, description, parameters }) => [
    name,
    tool({ description, inputSchema: jsonSchema(parameters) }),
  ]);
  return {
    model,
    maxRetries: 0,
    messages: messages(ask),
    ...(ask.system ? { instructions: ask.system } : {}),
    ...(tools ? { tools: Object.fromEntries(tools) } : {}),
    ...(ask.signal ? { abortSignal: ask.signal } : {}),
    providerOptions: {
      openai: {
        store: false,
        ...(ask.think ? { reasoningEffort: 'high', reasoningSummary: 'auto', forceReasoning: true } : {}),
      },
      ...(ask.think
        ? {
            anthropic: { thinking: { type: 'enabled', budgetTokens: 4096 } },
            google: { thinkingConfig: { thinkingBudget: 4096, includeThoughts: true } },
          }
        : {}),
    },
  };
}

function messages(ask: Ask): ModelMessage[] {
  const list: ModelMessage[] = [
    {
      role: 'user',
      content: ask.image
        ? [
            { type: 'text', text: ask.prompt },
            { type: 'file', data: Buffer.from(ask.image, 'base64'), mediaType: 'image/png' },
          ]
        : ask.prompt,
    },
  ];
  if (ask.after) {
    const { answer, results } = ask.after;
    list.push(...(answer.native as ModelMessage[]));
    list.push({
      role: 'tool',
      content: results.map((value, i) => ({
        type: 'tool-result' as const,
        toolCallId: answer.calls[i]?.id ?? '',
        toolName: answer.calls[i]?.name ?? '',
        output: { type: 'text' as const, value },
      })),
    });
  }
  return list;
}

interface Result {
  reasoningText: string | undefined;
  toolCalls: readonly { toolCallId: string; toolName: string; input: unknown }[];
  finishReason: string;
  usage: { inputTokens: number | undefined; outputTokens: number | undefined };
  response: { messages: unknown };
}

function answerOf(result: Result, text: string): SdkAnswer {
  return {
    text,
    reasoning: result.reasoningText ?? '',
    calls: result.toolCalls.map((call) => ({ id: call.toolCallId, name: call.toolName, arguments: call.input })),
    finish: result.finishReason === 'stop' ? 'stop' : result.finishReason === 'tool-calls' ? 'tools' : 'other',
    input: result.usage.inputTokens,
    output: result.usage.outputTokens,
    native: result.response.messages,
  };
}

// The SDK tells people about options that a provider ignores; a test has nobody to tell.
(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;

playScenarios(
  'ai with @ai-sdk/openai, chat',
  connectWith(({ url, key }) => createOpenAI({ apiKey: key, baseURL: `${url}/v1` }).chat, { hidesReasoning: true }),
);
playScenarios(
  'ai with @ai-sdk/openai, responses',
  connectWith(({ url, key }) => createOpenAI({ apiKey: key, baseURL: `${url}/v1` }).responses),
);
playScenarios(
  'ai with @ai-sdk/anthropic',
  connectWith(({ url, key }) => createAnthropic({ apiKey: key, baseURL: `${url}/v1` })),
);
playScenarios(
  'ai with @ai-sdk/google',
  connectWith(({ url, key }) => createGoogleGenerativeAI({ apiKey: key, baseURL: `${url}/v1beta` })),
);
