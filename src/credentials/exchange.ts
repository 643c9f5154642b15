// One renewal of one credential file, from taking its lock to the new tokens on disk (auth.md §4.3, R9, R12).
import { hash } from 'node:crypto';
import type { Config } from '../config/index.ts';
import type { HttpClient, HttpResponse } from '../net/http.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { type CredentialFacts, type Provider, RefreshError, type RefreshPolicy } from '../providers/provider.ts';
import type { Credential, CredentialStore } from './credential.ts';
import { formatInstant } from './expiry.ts';
import { LockError } from './lock.ts';
import { mergeRefresh } from './merge.ts';

export interface ExchangeContext {
  store: CredentialStore;
  http: HttpClient;
  config(): Config;
  now(): number;
  signal: AbortSignal;
  /** Told with the offset of our clock in ms, once per provider answer that disagrees by more than a minute. */
  clockDiffers(offsetMs: number): void;
  /** May a token call be made now? Asked last, right before it. */
  mayCall(): boolean;
  wait(ms: number): Promise<void>;
}

export type Exchange =
  /** New tokens from the provider, on disk. */
  | { readonly kind: 'refreshed' }
  /** Someone else had renewed it: their tokens are in use. */
  | { readonly kind: 'adopted' }
  /** The file is gone, or holds nothing to refresh with. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'too-soon' }
  /** The provider gave new tokens but they could not be written. They are all there is: the old ones may be dead. */
  | { readonly kind: 'unsaved'; readonly fields: JsonObject; readonly error: Error };

/** Answers by old refresh token: two files of one login must not send the same single-use token twice. */
export class ExchangedTokens {
  readonly #answers = new Map<string, Promise<JsonObject>>();

  /** The answer for this refresh token; `call` only for the first to ask. A failure is forgotten at once. */
  once(refreshToken: string | undefined, call: () => Promise<JsonObject>): Promise<JsonObject> {
    if (refreshToken === undefined) return call();
    const key = hash('sha256', refreshToken);
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = call();
      this.#answers.set(key, answer);
      if (this.#answers.size > 1_000) this.#answers.delete(this.#answers.keys().next().value as string);
      answer.then(
        (fields) => {
          // A provider that does not rotate gives the same refresh token back: the next call is a new one.
          const next = fields.refresh_token;
          if (typeof next !== 'string' || next === '' || next === refreshToken) this.#answers.delete(key);
        },
        () => this.#answers.delete(key),
      );
    }
    return answer;
  }
}

export interface ExchangeRequest {
  /** As in the store: the credential whose token is to be replaced. Anything newer on disk is taken instead of calling. */
  seen: Credential;
  provider: Provider;
  policy: RefreshPolicy;
  /** The upstream refused the token: it counts for nothing that it has not expired. */
  force: boolean;
  /** New tokens of an earlier call that could not be written. */
  unsaved: JsonObject | undefined;
}

/** How long after a refusal another process' tokens are looked for. */
const secondLookMs = 2_000;

/** What a lock fails with where nothing can be written. */
const unwritable = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT']);

/** @throws RefreshError from the provider; LockError and others when nothing was sent */
export async function exchangeToken(
  request: ExchangeRequest,
  exchanged: ExchangedTokens,
  context: ExchangeContext,
): Promise<Exchange> {
  const { store } = context;
  const { seen, force } = request;
  try {
    return await store.withLock(seen.id, (fresh, write) => renew(fresh, write, request, exchanged, context));
  } catch (error) {
    const { code } = error as { code?: string };
    const dead = force || seen.token === undefined || (seen.expiresAt ?? Number.POSITIVE_INFINITY) <= context.now();
    if (!(error instanceof LockError) || !unwritable.has(code ?? '') || !dead) throw error;
    // A full disk or a read-only mount: better tokens that live in memory only than none.
    return renew(await store.read?.(seen.id), () => Promise.reject(error), request, exchanged, context);
  }
}

async function renew(
  fresh: JsonObject | undefined,
  write: (fields: JsonObject) => Promise<void>,
  { seen, provider, policy, force, unsaved }: ExchangeRequest,
  exchanged: ExchangedTokens,
  context: ExchangeContext,
): Promise<Exchange> {
  const { store, now } = context;
  const isNewer = (fields: JsonObject): boolean => {
    const facts = factsOf(provider, fields);
    const changed = facts.token !== seen.token?.reveal() || facts.refreshToken !== seen.refreshToken?.reveal();
    return changed && facts.token !== undefined && (facts.expiresAt === undefined || facts.expiresAt > now());
  };
  const save = async (fields: JsonObject): Promise<Exchange> => {
    try {
      await write(fields);
      return { kind: 'refreshed' };
    } catch (error) {
      return { kind: 'unsaved', fields, error: error as Error };
    }
  };

  if (fresh === undefined) return { kind: 'nothing' };
  if (isNewer(fresh)) return { kind: 'adopted' };
  const base = unsaved === undefined ? fresh : mergeRefresh(fresh, unsaved);
  const { refreshToken, expiresAt = 0 } = factsOf(provider, base);
  if (unsaved !== undefined && !force && expiresAt > now()) return save(base);
  if (!policy.canRefresh(base)) return { kind: 'nothing' };
  if (!context.mayCall()) return { kind: 'too-soon' };

  let answer: JsonObject;
  try {
    answer = await exchanged.once(refreshToken, () => policy.refresh(base, refreshContext(context)));
  } catch (error) {
    if (!(error instanceof RefreshError && error.permanent)) throw error;
    // Another program may have used the token between our reading and our call, without our lock (routing.md S3).
    await context.wait(secondLookMs);
    const later = await store.read?.(seen.id);
    if (later !== undefined && isNewer(later)) return { kind: 'adopted' };
    throw error;
  }
  const merged = mergeRefresh(base, { last_refresh: formatInstant(now()), ...answer });
  const outcome = await save(merged);
  const next = factsOf(provider, merged).expiresAt;
  if (!force && next !== undefined && next <= Math.max(expiresAt, now())) {
    throw new RefreshError('the provider answered without a longer-living token', { permanent: false });
  }
  return outcome;
}

export function factsOf(provider: Provider, fields: JsonObject): CredentialFacts {
  const facts = provider.readCredential(fields);
  return (Array.isArray(facts) ? facts[0] : facts) ?? { kind: 'oauth' };
}

function refreshContext(context: ExchangeContext) {
  const http: HttpClient = {
    async request(url, options) {
      const response = await context.http.request(url, options);
      const offset = clockOffset(response, context.now());
      if (offset !== undefined && Math.abs(offset) > 60_000) context.clockDiffers(offset);
      return response;
    },
  };
  return { http, config: context.config(), now: context.now, signal: context.signal };
}

/** ms that the provider's clock is ahead of ours (RFC 9110 §6.6.1). */
export function clockOffset(response: Pick<HttpResponse, 'headers'>, now: number): number | undefined {
  const date = response.headers.date;
  const time = typeof date === 'string' ? Date.parse(date) : Number.NaN;
  return Number.isNaN(time) ? undefined : time - now;
}
