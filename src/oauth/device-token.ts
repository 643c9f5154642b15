// One poll of an RFC 8628 token endpoint, read (§3.5).
import type { HttpResponse } from '../net/http.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import type { PollAnswer } from './device.ts';
import { describeAnswer, loginError, providerError } from './errors.ts';

const ends: ReadonlySet<string> = new Set(['access_denied', 'expired_token']);

/** `prefix` starts the message of a final refusal: `device token poll failed: `. */
export function readDeviceToken(response: HttpResponse, prefix: string): PollAnswer<JsonObject> {
  const { status, json } = response;
  const text = (value: unknown) => (typeof value === 'string' ? value.trim() : '');
  const error = text(json?.error);
  if (error === 'authorization_pending') return { kind: 'pending' };
  if (error === 'slow_down') return { kind: 'slow-down' };
  if (ends.has(error)) {
    return { kind: 'failed', error: providerError(prefix, error, text(json?.error_description) || undefined) };
  }
  if (status >= 200 && status < 300 && text(json?.access_token) !== '') {
    return { kind: 'done', value: json as JsonObject };
  }
  // No OAuth error, or a trouble of the server's: the user's decision may still come.
  if (error === '' || status === 408 || status === 429 || status >= 500) {
    return { kind: 'transient', message: describeAnswer(response) };
  }
  const description = text(json?.error_description);
  const detail = description === '' ? error : `${error} - ${description}`;
  return { kind: 'failed', error: loginError('login_failed', `${prefix}${detail}`) };
}
