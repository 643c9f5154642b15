// The official `@google/genai` package.

import type { Part } from '@google/genai';
import { type Content, type GenerateContentConfig, type GenerateContentResponse, GoogleGenAI } from '@google/genai';
import { type Ask, type Connect, type SdkAnswer, statusOf } from './client.ts';
import { playScenarios } from './scenarios.ts';

const connect: Connect = ({ url, key }) => {
  const { models } = new GoogleGenAI({ apiKey: key, vertexai: false, httpOptions: { baseUrl: url } });
  const params = (ask: Ask) => ({ model: ask.model, contents: contents(ask), config: config(ask) });
  return {
    async ask(ask) {
      return answerOf([await models.generateContent(params(ask))]);
    },
    async stream(ask, seen) {
      const chunks: GenerateContentResponse[] = [];
      for await (const chunk of await models.generateContentStream(params(ask))) {
        chunks.push(chunk);
        const text = texts([chunk], false);
        if (text !== '') seen(text);
      }
      return answerOf(chunks);
    },
    status: statusOf,
  };
};

function config(ask: Ask): GenerateContentConfig {
  return {
    ...(ask.system ? { systemInstruction: ask.system } : {}),
    ...(ask.tools
      ? {
          tools: [
            {
              functionDeclarations: ask.tools.map(({ name, description, parameters }) => ({
                name,
                description,
                parametersJsonSchema: parameters,
              })),
            },
          ],
        }
      : {}),
    ...(ask.think ? { thinkingConfig: { thinkingBudget: 4096, includeThoughts: true } } : {}),
    ...(ask.schema ? { responseMimeType: 'application/json', responseJsonSchema: ask.schema } : {}),
    ...(ask.signal ? { abortSignal: ask.signal } : {}),
  };
}

function contents(ask: Ask): Content[] {
  const parts: Part[] = [{ text: ask.prompt }];
  if (ask.image) parts.push({ inlineData: { mimeType: 'image/png', data: ask.image } });
  const list: Content[] = [{ role: 'user', parts }];
  if (ask.after) {
    const { answer, results } = ask.after;
    list.push({ role: 'model', parts: answer.native as Part[] });
    list.push({
      role: 'user',
      parts: results.map((output, i) => {
        const call = answer.calls[i];
        return {
          functionResponse: { ...(call?.id ? { id: call.id } : {}), name: call?.name ?? '', response: { output } },
        };
      }),
    });
  }
  return list;
}

const partsOf = (chunks: readonly GenerateContentResponse[]): Part[] =>
  chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);

const texts = (chunks: readonly GenerateContentResponse[], thought: boolean): string =>
  partsOf(chunks)
    .map((part) => ((part.thought ?? false) === thought ? (part.text ?? '') : ''))
    .join('');

function answerOf(chunks: readonly GenerateContentResponse[]): SdkAnswer {
  const parts = partsOf(chunks);
  const calls = parts.flatMap(({ functionCall: call }) =>
    call ? [{ id: call.id ?? '', name: call.name ?? '', arguments: call.args }] : [],
  );
  const reason = chunks.map((chunk) => chunk.candidates?.[0]?.finishReason).findLast((found) => found !== undefined);
  const usage = chunks.map((chunk) => chunk.usageMetadata).findLast((found) => found !== undefined);
  return {
    text: texts(chunks, false),
    reasoning: texts(chunks, true),
    calls,
    finish: reason !== 'STOP' ? 'other' : calls.length > 0 ? 'tools' : 'stop',
    input: usage?.promptTokenCount,
    output: usage && (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
    native: parts,
  };
}

playScenarios('@google/genai', connect);
