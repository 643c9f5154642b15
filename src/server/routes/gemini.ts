// POST /v1beta/models/{model}:generateContent | :streamGenerateContent | :countTokens. Model names may hold slashes.
import { Failure } from '../../failure.ts';
import { gemini } from '../../protocols/gemini/index.ts';
import type { RouteFacts } from '../client-route.ts';
import type { ClientRoute } from './route.ts';

const methods: Record<string, Pick<RouteFacts, 'operation' | 'stream'>> = {
  generateContent: { operation: 'generate', stream: false },
  streamGenerateContent: { operation: 'generate', stream: true },
  countTokens: { operation: 'count-tokens', stream: false },
};

/** `path`: what follows `/v1beta/models/`. */
export function geminiFacts(path: string): RouteFacts | Failure {
  const colon = path.lastIndexOf(':');
  const method = colon < 0 ? undefined : methods[path.slice(colon + 1)];
  let model: string;
  try {
    model = decodeURIComponent(path.slice(0, Math.max(colon, 0)));
  } catch {
    return new Failure({ kind: 'invalid-request', status: 400, message: 'the model name in the URL is not valid' });
  }
  if (method === undefined || model === '') {
    return new Failure({
      kind: 'not-found',
      status: 404,
      message: 'unknown method: use :generateContent, :streamGenerateContent or :countTokens',
      scope: 'request',
    });
  }
  if (model.length > 256 || /[\p{Cc}\p{Cs}]/u.test(model)) {
    return new Failure({ kind: 'invalid-request', status: 400, message: 'the model name in the URL is not valid' });
  }
  return { protocol: gemini, ...method, model };
}

export const routes: readonly ClientRoute[] = ['/v1beta/models/*', '/v1/models/*'].map((url) => ({
  method: 'POST',
  url,
  facts: (path: string) => geminiFacts(path.slice(url.length - 1)),
}));
