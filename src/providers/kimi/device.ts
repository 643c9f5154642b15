// The device headers that Kimi's services ask for, filled with our own name and this host's facts (auth.md §3.9).
import { createHash } from 'node:crypto';
import { arch, hostname, type } from 'node:os';
import type { JsonObject } from '../../protocols/neutral.ts';
import { version } from '../../version.ts';
import { textOf } from '../fields.ts';

/** Sent with every call of a login, refresh or chat. `deviceId`: UUID made at the login and kept in the file. */
export function deviceHeaders(deviceId: string): Record<string, string> {
  return {
    'x-msh-platform': 'cliproxy',
    'x-msh-version': version,
    'x-msh-device-name': asHeader(hostname()),
    'x-msh-device-model': asHeader(`${type()} ${arch()}`),
    'x-msh-device-id': deviceId,
  };
}

/**
 * The file's device id; for files without one (written by hand) a UUID derived from its token, so that chat and
 * refresh agree on it until the refresh has stored it.
 */
export function deviceIdOf(fields: JsonObject): string {
  const stored = textOf(fields.device_id);
  if (stored !== '') return stored;
  const seed = textOf(fields.refresh_token) || textOf(fields.access_token);
  const hex = createHash('sha256').update(`cliproxy device ${seed}`).digest('hex');
  // Shape of RFC 9562 §5.8 (custom UUID, version 8).
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Header values are ASCII (RFC 9110 §5.5). */
function asHeader(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '').trim() || 'unknown';
}
