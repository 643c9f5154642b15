// Imagen behind Gemini's protocol: text in, pictures out (upstreams.md §2.7).
import { invalidRequest } from '../../failure.ts';
import type { Json, JsonObject } from '../../protocols/neutral.ts';
import { arrayOf, objectOf, parseObject, textOf } from '../fields.ts';

export function isImagen(model: string): boolean {
  return model.startsWith('imagen');
}

/** A Gemini body as a `:predict` body; the prompt is the text of the contents. Throws a 400 without text. */
export function predictBody(body: JsonObject): JsonObject {
  const prompt = arrayOf(body.contents)
    .flatMap((content) => arrayOf(objectOf(content)?.parts))
    .map((part) => textOf(objectOf(part)?.text))
    .filter((text) => text !== '')
    .join('\n');
  if (prompt === '') throw invalidRequest('an image model needs a text prompt');
  const generation = objectOf(body.generationConfig);
  const ratio = textOf(objectOf(generation?.imageConfig)?.aspectRatio) || textOf(body.aspectRatio);
  const negative = textOf(body.negativePrompt);
  return {
    instances: [{ prompt, ...(negative === '' ? {} : { negativePrompt: negative }) }],
    parameters: { sampleCount: 1, ...(ratio === '' ? {} : { aspectRatio: ratio }) },
  };
}

/** A `:predict` answer as a generateContent answer; anything else comes back as it is. */
export function predictionAsContent(data: string): string {
  if (!data.includes('"predictions"')) return data;
  const predictions = parseObject(data)?.predictions;
  if (!Array.isArray(predictions)) return data;
  const parts: Json[] = predictions.flatMap((prediction) => {
    const image = objectOf(prediction);
    const base64 = textOf(image?.bytesBase64Encoded);
    return base64 === '' ? [] : [{ inlineData: { mimeType: textOf(image?.mimeType) || 'image/png', data: base64 } }];
  });
  return JSON.stringify({ candidates: [{ content: { role: 'model', parts }, index: 0, finishReason: 'STOP' }] });
}
