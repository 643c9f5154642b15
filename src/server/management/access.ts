// Who may come in: the checks of management-api.md §2.1 in their order, with the limits of R8, R9 and R16.
import type { IncomingHttpHeaders } from 'node:http';
import type { Config } from '../../config/index.ts';
import { clientAddress, isLoopback } from './client-address.ts';
import { ApiError } from './errors.ts';
import { durationText, Lockout, loopbackRule, remoteRule } from './lockout.ts';
import { keyOfRequest, ManagementKeys } from './management-key.ts';
import { hostAllowed, type OriginVerdict, originVerdict } from './origin.ts';
import type { Client } from './route.ts';

export interface AccessOptions {
  config(): Config;
  envPassword?: string;
  localPassword?: string;
  bindHost(): string;
  now(): number;
}

export interface AccessRequest {
  method: string;
  socketAddress: string;
  headers: IncomingHttpHeaders;
}

export function textList(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
}

/** A list that may stand at top level or under `remote-management`. */
function listOf(config: Config, name: string): string[] {
  return [...textList((config as Record<string, unknown>)[name]), ...textList(section(config)[name])];
}

function section(config: Config): Record<string, unknown> {
  const value = config['remote-management'];
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export class Access {
  readonly #options: AccessOptions;
  readonly #keys: ManagementKeys;
  readonly #lockout: Lockout;

  constructor(options: AccessOptions) {
    this.#options = { ...options, envPassword: options.envPassword?.trim() };
    this.#keys = new ManagementKeys(this.#options);
    this.#lockout = new Lockout(options.now);
  }

  enabled(): boolean {
    return this.#keys.enabled();
  }

  origin(headers: IncomingHttpHeaders): OriginVerdict {
    const allowed = listOf(this.#options.config(), 'management-allowed-origins');
    return originVerdict(headers.origin, headers.host, allowed);
  }

  address(request: AccessRequest): { address: string; local: boolean } {
    const trusted = listOf(this.#options.config(), 'trusted-proxies');
    const address = clientAddress(request.socketAddress, request.headers['x-forwarded-for'], trusted);
    return { address, local: isLoopback(address) };
  }

  /** Checks that need no key. Throws `ApiError`. */
  surroundings(request: AccessRequest, verdict: OriginVerdict): { address: string; local: boolean } {
    if (!this.enabled()) throw new ApiError(404, '404 page not found', { code: 'not_found' });
    const who = this.address(request);
    const config = this.#options.config();
    if (
      who.local &&
      !hostAllowed(request.headers.host, this.#options.bindHost(), listOf(config, 'management-allowed-hosts'))
    ) {
      throw new ApiError(403, 'host not allowed', {
        message: 'This Host name is not one of ours; add it to management-allowed-hosts.',
      });
    }
    const writes = request.method !== 'GET' && request.method !== 'HEAD' && request.method !== 'OPTIONS';
    if (verdict === 'foreign' && (writes || request.method === 'OPTIONS')) {
      throw new ApiError(403, 'origin not allowed', {
        message: 'Requests from this origin are refused; add it to management-allowed-origins.',
      });
    }
    return who;
  }

  /** The key. Throws `ApiError` 401 or 403. */
  async authenticate(request: AccessRequest, who: { address: string; local: boolean }): Promise<Client> {
    const { address, local } = who;
    const key = keyOfRequest(request.headers);
    const banned = this.#lockout.banned(address) > 0;
    if (!banned) this.#mayComeFrom(local);
    if (key === '') {
      if (banned) throw this.#banned(address);
      throw new ApiError(401, 'missing management key');
    }
    let match = this.#keys.known(key, local);
    // Every attempt during a ban counts for the pace at which keys are looked at.
    if (!match && this.#lockout.mayCompare(address)) match ??= await this.#keys.compare(key);
    if (!match) {
      if (banned) throw this.#banned(address);
      this.#lockout.failed(address, local ? loopbackRule : remoteRule);
      throw new ApiError(401, 'invalid management key');
    }
    this.#mayComeFrom(local);
    this.#lockout.succeeded(address);
    return { address, local, scope: match.scope, keyId: match.keyId };
  }

  #mayComeFrom(local: boolean): void {
    if (local || this.#options.envPassword) return;
    if (section(this.#options.config())['allow-remote'] === true) return;
    throw new ApiError(403, 'remote management disabled');
  }

  #banned(address: string): ApiError {
    const left = this.#lockout.banned(address);
    return new ApiError(403, `IP banned due to too many failed attempts. Try again in ${durationText(left)}`, {
      code: 'address_banned',
      headers: { 'retry-after': String(Math.max(1, Math.ceil(left / 1000))) },
    });
  }
}
