// POST /v1/messages and /v1/messages/count_tokens.
import { anthropic } from '../../protocols/anthropic/index.ts';
import type { ClientRoute } from './route.ts';

export const routes: readonly ClientRoute[] = [
  { method: 'POST', url: '/v1/messages', facts: () => ({ protocol: anthropic, operation: 'generate' }) },
  {
    method: 'POST',
    url: '/v1/messages/count_tokens',
    facts: () => ({ protocol: anthropic, operation: 'count-tokens', stream: false }),
  },
];
