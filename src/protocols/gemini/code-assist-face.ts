// The envelope of Gemini CLI's own backend (`/v1internal`) as a client protocol: a thin face of `gemini`, request and
// answers wrapped (spec/upstreams.md §2.5, spec/config.md §4 `enable-gemini-cli-endpoint`).
import { type Failure, invalidRequest } from '../../failure.ts';
import { isObject } from '../json.ts';
import type { JsonObject } from '../neutral.ts';
import type { Protocol, StreamEncoder } from '../protocol.ts';
import { gemini } from './index.ts';

const wrapBody = (body: JsonObject): JsonObject => ({ response: body });

/** `data: {...}` lines, each JSON put into `{"response": ...}`; errors come bare, as from the real backend. */
function wrapEvents(text: string): string {
  if (text === '') return text;
  return text.replace(/^data: (\{.*\})$/gm, (_, json: string) => `data: {"response":${json}}`);
}

export const codeAssistFace: Protocol = {
  ...gemini,
  decodeRequest(body) {
    if (!isObject(body.request)) throw invalidRequest('"request" must be an object');
    return gemini.decodeRequest(body.request);
  },
  encodeResponse: (parts, context) => wrapBody(gemini.encodeResponse(parts, context)),
  streamEncoder(context): StreamEncoder {
    const inner = gemini.streamEncoder(context);
    return {
      write: (part) => wrapEvents(inner.write(part)),
      end: () => wrapEvents(inner.end()),
      fail: (failure: Failure) => inner.fail(failure),
    };
  },
};
