// POST /v1internal:generateContent | :streamGenerateContent | :countTokens, for Gemini CLI pointed here. Loopback only,
// and only when `enable-gemini-cli-endpoint` says so.
import type { Config } from '../../config/index.ts';
import { Failure } from '../../failure.ts';
import { codeAssistFace } from '../../protocols/gemini/code-assist-face.ts';
import type { RouteFacts } from '../client-route.ts';
import type { ClientRoute } from './route.ts';

const methods: Record<string, Pick<RouteFacts, 'operation' | 'stream'>> = {
  generateContent: { operation: 'generate', stream: false },
  streamGenerateContent: { operation: 'generate', stream: true },
  countTokens: { operation: 'count-tokens', stream: false },
};

/** Whether this peer may use the endpoint; the failure to answer otherwise. */
export function refusedForGeminiCli(config: Config, remoteAddress: string | undefined): Failure | undefined {
  const local = remoteAddress !== undefined && /^(?:::ffff:)?127\.|^::1$/.test(remoteAddress);
  if (config['enable-gemini-cli-endpoint'] && local) return undefined;
  const message = local
    ? 'the Gemini CLI endpoint is off: set enable-gemini-cli-endpoint: true'
    : 'the Gemini CLI endpoint serves this machine only';
  return new Failure({ kind: 'forbidden', status: 403, message, scope: 'request' });
}

export const routes: readonly ClientRoute[] = Object.entries(methods).map(([name, facts]) => ({
  method: 'POST',
  // A double colon is fastify's way to write one.
  url: `/v1internal::${name}`,
  facts: () => ({ protocol: codeAssistFace, translateAlways: true, ...facts }),
  refused: refusedForGeminiCli,
}));
