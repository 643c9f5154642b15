// POST /v1/responses and /v1/responses/compact.
import { openaiResponses } from '../../protocols/openai-responses/index.ts';
import type { ClientRoute } from './route.ts';

export const routes: readonly ClientRoute[] = [
  { method: 'POST', url: '/v1/responses', facts: () => ({ protocol: openaiResponses, operation: 'generate' }) },
  { method: 'POST', url: '/v1/responses/compact', facts: () => ({ protocol: openaiResponses, operation: 'compact' }) },
];
