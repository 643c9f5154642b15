// One credential's part in a request: its token, its provider's own retries, one refresh on 401, one attempt at a time.
// Source: spec/routing.md D11; spec/upstreams.md §1.1, §8 row 14.
import type { Credential } from '../credentials/credential.ts';
import { Failure, failureOf } from '../failure.ts';
import { splitSuffix } from '../protocols/thinking/index.ts';
import { providers } from '../providers/index.ts';
import type { Provider, UpstreamCall } from '../providers/provider.ts';
import { clientLeft } from './client-request.ts';
import type { DispatchDeps } from './dispatch-types.ts';
import { sleep } from './retry-rules.ts';
import type { Picked } from './router.ts';
import { send } from './sending.ts';
import type { Trial } from './trial.ts';

/** Longest stay with one credential while its provider asks for another try (spec/upstreams.md §2.8). */
const maxVariants = 8;

export class CredentialTry {
  readonly #deps: DispatchDeps;
  readonly #trial: Trial;
  readonly #picked: Picked;
  readonly #provider: Provider;
  #credential: Credential;
  /** What the provider's `retry` changed for the next attempt. */
  #variant: Record<string, unknown> = {};
  #refreshed = false;

  constructor(deps: DispatchDeps, trial: Trial, picked: Picked) {
    this.#deps = deps;
    this.#trial = trial;
    this.#picked = picked;
    this.#credential = picked.credential;
    this.#provider = providers.get(picked.credential.provider) as Provider;
  }

  /** Undefined when the client has its answer (well, or broken inside its stream); else why not. */
  async run(): Promise<Failure | undefined> {
    const { router, now } = this.#deps;
    const { target, sink, session } = this.#trial;
    const picked = this.#picked;
    router.begin(picked);
    const startedAt = now();
    try {
      for (let n = 0; ; n++) {
        const failure = await this.#once();
        if (failure === undefined) {
          router.succeeded(picked, startedAt);
          return undefined;
        }
        const over = sink.begun || failure.kind === 'aborted';
        if (!over && ((await this.#renewed(failure)) || (await this.#varied(failure, n)))) continue;
        router.failed(target.entry, picked, failure, startedAt, session);
        return sink.begun ? undefined : failure;
      }
    } finally {
      router.ended(picked);
    }
  }

  #once(): Promise<Failure | undefined> {
    try {
      const token = this.#token();
      return typeof token === 'string' ? this.#send(token) : this.#sendLater(token);
    } catch (error) {
      return Promise.resolve(failureOf(error));
    }
  }

  async #sendLater(token: Promise<string>): Promise<Failure | undefined> {
    try {
      return await this.#send(await token);
    } catch (error) {
      return failureOf(error);
    }
  }

  #send(token: string): Promise<Failure | undefined> {
    const picked = this.#picked;
    return send(this.#deps, this.#trial, {
      picked,
      by: this,
      provider: this.#provider,
      call: this.#call(token),
      suffix: splitSuffix(picked.route.upstream).thinking ?? this.#trial.target.suffix,
    });
  }

  /** After a 401: true when the token was refreshed, once per request and credential (D11). */
  async #renewed(failure: Failure): Promise<boolean> {
    const refused = failure.kind === 'unauthorized' && failure.code !== 'reauth_required';
    if (!refused || this.#refreshed || !this.#canRefresh()) return false;
    this.#refreshed = true;
    try {
      const { signal } = this.#trial.client.presence;
      this.#credential = await this.#deps.tokens.ensureFresh(this.#credential, { force: true, signal });
      return true;
    } catch {
      // The refresh failed: the 401 stands.
      return false;
    }
  }

  /** True when the provider wants another try on this credential, after its wait. */
  async #varied(failure: Failure, tries: number): Promise<boolean> {
    const again = tries < maxVariants ? this.#provider.upstream.retry?.(failure, this.#call('')) : undefined;
    if (again === undefined) return false;
    const wait = this.#deps.sleep ?? sleep;
    if (again.waitMs > 0 && !(await wait(again.waitMs, this.#trial.client.presence.signal))) return false;
    this.#variant = again.variant;
    return true;
  }

  #canRefresh(): boolean {
    return this.#provider.refresh?.canRefresh(this.#credential.fields.reveal()) === true;
  }

  /** The token, at once when it is good; refreshed first when it ends within the provider's request lead. */
  #token(): string | Promise<string> {
    const credential = this.#credential;
    if (this.#provider.upstream.token) return this.#deps.tokens.mint(this.#provider, credential);
    const lead = this.#provider.refresh?.requestLeadMs ?? 0;
    const expired = credential.expiresAt !== undefined && credential.expiresAt - this.#deps.now() <= lead;
    return expired && this.#canRefresh() ? this.#freshToken() : (credential.token?.reveal() ?? '');
  }

  async #freshToken(): Promise<string> {
    const credential = this.#credential;
    const { signal } = this.#trial.client.presence;
    const usable = credential.expiresAt !== undefined && credential.expiresAt > this.#deps.now();
    try {
      this.#credential = await this.#deps.tokens.ensureFresh(credential, { signal });
      return this.#credential.token?.reveal() ?? '';
    } catch (error) {
      if (signal.aborted) throw clientLeft();
      // A refresh that failed for a moment does not spoil a token that still works.
      if (usable) return credential.token?.reveal() ?? '';
      throw new Failure({
        kind: 'unauthorized',
        status: 503,
        code: 'reauth_required',
        message: `the token of ${credential.label} has expired and could not be refreshed: ${error instanceof Error ? error.message : 'unknown reason'}`,
        retryAfterMs: 30_000,
        scope: 'credential',
        cause: error,
      });
    }
  }

  #call(token: string): UpstreamCall {
    const { client, target, config } = this.#trial;
    const { route } = this.#picked;
    return {
      operation: client.operation,
      client: client.protocolId,
      stream: client.stream,
      model: splitSuffix(route.upstream).base,
      info: route.info ?? target.entry.info,
      headers: client.headers,
      clientKey: client.clientKey,
      credential: this.#credential,
      token,
      config,
      now: this.#deps.now,
      variant: this.#variant,
    };
  }
}
