// Errors of token endpoints (RFC 6749 §5.2).
import type { Wire } from '../types.ts';
import { retryAfterHeader, statusOf } from '../types.ts';

const codes: Readonly<Record<string, string>> = {
  'rate-limit': 'slow_down',
  unauthorized: 'invalid_grant',
  forbidden: 'access_denied',
  'invalid-request': 'invalid_request',
  'server-error': 'server_error',
  overloaded: 'temporarily_unavailable',
  'invalid-grant': 'invalid_grant',
};

export const oauth: Wire = {
  error: (kind, { retryAfter }) => ({
    status: kind === 'unauthorized' ? 400 : statusOf[kind],
    headers: retryAfterHeader(retryAfter),
    body: { error: codes[kind] ?? 'server_error', error_description: `scripted ${kind}` },
  }),
  errorEvent: () => '',
};
