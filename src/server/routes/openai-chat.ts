// POST /v1/chat/completions and the legacy /v1/completions.
import { chatToCompletion, chunkToCompletion, completions } from '../../protocols/openai-chat/completions.ts';
import { openaiChat } from '../../protocols/openai-chat/index.ts';
import type { Face } from '../../routing/client-request.ts';
import type { ClientRoute } from './route.ts';

/** Spoken like chat upstream, answered in its own form. */
const completionsProtocol = { ...openaiChat, ...completions };
const face: Face = { request: completions.toChat, answer: chatToCompletion, event: chunkToCompletion };

export const routes: readonly ClientRoute[] = [
  { method: 'POST', url: '/v1/chat/completions', facts: () => ({ protocol: openaiChat, operation: 'generate' }) },
  {
    method: 'POST',
    url: '/v1/completions',
    facts: () => ({ protocol: completionsProtocol, operation: 'generate', face }),
  },
];
