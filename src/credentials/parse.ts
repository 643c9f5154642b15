// The content of one credential file → credentials (one; several for the projects of a Gemini login). Pure but for sealing.
import { hash } from 'node:crypto';
import type { Json, JsonObject } from '../protocols/neutral.ts';
import { loginAdvice } from '../providers/login-command.ts';
import type { CredentialFacts, Provider } from '../providers/provider.ts';
import { Secret } from '../secret.ts';
import type { Credential, CredentialStatus, InvalidCredential } from './credential.ts';
import { isSealed, type Sealer } from './sealing.ts';

export interface ParseContext {
  /** By value of `type`, lower case. */
  providerOf(type: string): Provider | undefined;
  sealer: Sealer | undefined;
  now(): number;
}

export type Parsed =
  | { readonly ok: true; readonly fields: JsonObject; readonly credentials: readonly Credential[] }
  | { readonly ok: false; readonly invalid: InvalidCredential };

/** Text of a file → its fields, unsealed. Throws with a message fit for people: position, never content. */
export function readFields(text: string, sealer: Sealer | undefined): JsonObject {
  const clean = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (clean.trim() === '') throw new Error('empty file');
  let value: Json;
  try {
    value = JSON.parse(clean) as Json;
  } catch (error) {
    throw new Error(`not JSON${position(clean, error)}`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('not a JSON object');
  if (!isSealed(value)) return value;
  if (sealer === undefined) throw new Error('sealed; set CLIPROXY_MASTER_KEY or CLIPROXY_MASTER_KEY_FILE');
  return sealer.unseal(value);
}

/** V8 tells the position at the end of its message; the rest of the message may quote the content. */
function position(text: string, error: unknown): string {
  const at = /at position (\d+)/.exec((error as Error).message)?.[1];
  if (at === undefined) return ' (cut short?)';
  const before = text.slice(0, Number(at));
  const line = before.split('\n').length;
  return ` at line ${line} column ${before.length - before.lastIndexOf('\n')}`;
}

/** `name`: the file's name; `path`: absolute. */
export function parseCredentialFile(name: string, path: string, text: string, context: ParseContext): Parsed {
  const invalid = (message: string, status: InvalidCredential['status'] = 'invalid'): Parsed => ({
    ok: false,
    invalid: { name, status, message },
  });
  try {
    const fields = readFields(text, context.sealer);
    const type = typeof fields.type === 'string' ? fields.type.trim().toLowerCase() : '';
    if (type === '') return invalid('no type');
    const provider = context.providerOf(type);
    if (provider === undefined) return invalid(`unsupported type ${JSON.stringify(type.slice(0, 40))}`, 'unsupported');
    const facts = provider.readCredential(fields);
    const list = Array.isArray(facts) ? facts : [facts];
    const credentials = list.map((fact) => build(name, path, fields, fact, provider, context.now()));
    return { ok: true, fields, credentials };
  } catch (error) {
    return invalid((error as Error).message);
  }
}

function build(
  name: string,
  path: string,
  fields: JsonObject,
  facts: CredentialFacts,
  provider: Provider,
  now: number,
): Credential {
  const id = facts.child === undefined ? name : `${name}::${facts.child.replace(/[/\\ ]/g, '_')}`;
  const common = commonKeys(fields);
  const status = statusOf(common.disabled, fields, facts, provider, now);
  return {
    id,
    provider: provider.id,
    providerKey: provider.id,
    kind: facts.kind,
    source: 'file',
    path,
    authIndex: hash('sha256', `file:${id}`).slice(0, 16),
    label: common.label || facts.label || facts.email || facts.projectId || name,
    status,
    ...(status === 'expired' ? { statusMessage: expiredMessage(provider, facts.kind) } : {}),
    ...common.settings,
    disabled: common.disabled,
    ...defined({
      email: facts.email,
      projectId: facts.projectId,
      location: facts.location,
      baseUrl: facts.baseUrl,
      plan: facts.plan,
      expiresAt: facts.expiresAt,
      lastRefreshAt: facts.lastRefreshAt,
      token: facts.token ? new Secret(facts.token) : undefined,
      refreshToken: facts.refreshToken ? new Secret(facts.refreshToken) : undefined,
    }),
    fields: new Secret(fields),
  };
}

export function expiredMessage(provider: Provider | undefined, kind: Credential['kind']): string {
  return `the token has expired and cannot be refreshed${loginAdvice(provider, kind)}`;
}

function statusOf(
  disabled: boolean,
  fields: JsonObject,
  facts: CredentialFacts,
  provider: Provider,
  now: number,
): CredentialStatus {
  if (disabled) return 'disabled';
  const dead = facts.expiresAt !== undefined && facts.expiresAt <= now && !provider.refresh?.canRefresh(fields);
  return dead ? 'expired' : 'active';
}

/** The keys every provider's file may have (auth.md §6.2). Values of a wrong type are ignored, never fatal. */
function commonKeys(fields: JsonObject) {
  return {
    disabled: flag(fields.disabled) ?? false,
    label: text(fields.label),
    settings: {
      priority: Math.trunc(number(fields.priority) ?? 0),
      weight: number(fields.weight) ?? 1,
      headers: headers(fields.headers),
      excludedModels: words(fields.excluded_models ?? fields['excluded-models']),
      ...defined({
        prefix: prefix(fields.prefix),
        proxyUrl: text(fields.proxy_url),
        note: text(fields.note),
        disableCooling: flag(fields.disable_cooling ?? fields['disable-cooling']),
        requestRetry: count(fields.request_retry ?? fields['request-retry']),
        maxConcurrency: count(fields.max_concurrency ?? fields['max-concurrency']),
        websockets: flag(fields.websockets),
      }),
    },
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Leaves undefined members out: an absent key and an undefined one must compare equal. */
function defined<T extends object>(members: T): Defined<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

function number(value: Json | undefined): number | undefined {
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof parsed === 'number' && Number.isFinite(parsed) ? parsed : undefined;
}

function count(value: Json | undefined): number | undefined {
  const parsed = number(value);
  return parsed !== undefined && parsed >= 0 ? Math.trunc(parsed) : undefined;
}

/** true/false, "true"/"false" in any case, numbers (0 is false). */
function flag(value: Json | undefined): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  return word === 'true' || word === '1' ? true : word === 'false' || word === '0' ? false : undefined;
}

/** One path segment: outer slashes go, a value with inner ones is no prefix. */
function prefix(value: Json | undefined): string | undefined {
  const segment = text(value)?.replace(/^\/+|\/+$/g, '');
  return segment && !segment.includes('/') ? segment : undefined;
}

function headers(value: Json | undefined): Record<string, string> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return {};
  const pairs = Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  // What is not a header by RFC 9110 §5 must not reach the wire.
  return Object.fromEntries(
    pairs.filter(([key, text]) => /^[!#$%&'*+.^_`|~\w-]+$/.test(key) && !/[\0\r\n]/.test(text)),
  );
}

function words(value: Json | undefined): string[] {
  const list = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [];
  return list.map((word) => text(word) ?? '').filter((word) => word !== '');
}
