// iFlow's request signature (upstreams.md §2.1).
import { createHmac } from 'node:crypto';

/** Lower-case hex HMAC-SHA256 over `<User-Agent>:<session id>:<unix ms>`, keyed with the API key. */
export function signature(apiKey: string, userAgent: string, sessionId: string, timestamp: string): string {
  return createHmac('sha256', apiKey).update(`${userAgent}:${sessionId}:${timestamp}`).digest('hex');
}
