import type { Config } from '../config/index.ts';
import type { Credential, ModelInfo, ProviderId } from '../credentials/credential.ts';
import type { Failure } from '../failure.ts';
import type { HttpClient } from '../net/http.ts';
import type { LoginContext, LoginRequest, LoginResult, RemoteLogin } from '../oauth/flow.ts';
import type { JsonObject, ProtocolId } from '../protocols/neutral.ts';
import type { ThinkingDialect } from '../protocols/thinking/index.ts';

/** All that is special about one provider. `providers/index.ts` is the one list of them. */
export interface Provider {
  readonly id: ProviderId;
  /** As printed: `iFlow`, `Claude`. */
  readonly displayName: string;
  /** Values of `type` in credential files (`gemini` for `gemini-cli`). */
  readonly fileTypes: readonly string[];
  /** File fields → what the store puts into the credential (token, expiry, label, project children). */
  readCredential(fields: JsonObject): CredentialFacts | CredentialFacts[];
  /** Interactive and remote logins; absent for API-key providers. Loaded lazily. */
  logins?(): Promise<ProviderLogins>;
  /** Absent: nothing to refresh. */
  readonly refresh?: RefreshPolicy;
  readonly upstream: Upstream;
  /** Catalog for this credential (plan-dependent for Codex). Config entries with `models` never come here. */
  models(credential: Credential): readonly ModelInfo[];
  /** The command that heals a dead login: `./cliproxy -claude-login`. */
  readonly loginCommand?: string;
  /** The same for kinds of credentials that are made in another way. */
  readonly loginCommands?: Partial<Record<Credential['kind'], string>>;
}

/** What a provider reads out of a credential file; the store adds the common keys of auth.md §6.2. */
export interface CredentialFacts {
  /** For Gemini project children: `<project>`; the id becomes `<file>::<project>`. */
  child?: string;
  kind: Credential['kind'];
  label?: string;
  email?: string;
  token?: string;
  refreshToken?: string;
  /** Unix ms. */
  expiresAt?: number;
  lastRefreshAt?: number;
  projectId?: string;
  location?: string;
  baseUrl?: string;
  plan?: string;
}

export interface ProviderLogins {
  /** CLI logins by flag name (`claude-login`, `codex-device-login`). */
  cli: Record<string, (context: LoginContext, request: LoginRequest) => Promise<LoginResult>>;
  /** Management logins (`GET /v0/management/<key>-auth-url`). */
  remote?: RemoteLogin;
}

export interface RefreshPolicy {
  /** Refresh when the token's end is nearer than this, in ms. 0: only when expired (asked at request time). */
  readonly leadMs: number;
  /** Request-time refresh when less than this is left, in ms (Antigravity 3,000 s; Gemini CLI 10 s). */
  readonly requestLeadMs?: number;
  /** True when the fields hold what a refresh needs (and, with `config`, when it is not switched off). */
  canRefresh(fields: JsonObject, config?: Config): boolean;
  /**
   * One token exchange. Gives the fields to merge (non-empty ones only, by the scheduler) or throws `RefreshError`.
   * Called under the lock, single flight per credential.
   */
  refresh(fields: JsonObject, context: RefreshContext): Promise<JsonObject>;
}

export interface RefreshContext {
  http: HttpClient;
  config: Config;
  now: () => number;
  signal?: AbortSignal;
}

/** Why a refresh failed. `permanent`: the login is dead until the file changes (auth.md §4.3). */
export class RefreshError extends Error {
  readonly permanent: boolean;
  /** ms */
  readonly retryAfterMs?: number;
  constructor(message: string, options: { permanent: boolean; retryAfterMs?: number; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'RefreshError';
    this.permanent = options.permanent;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export type Operation = 'generate' | 'count-tokens' | 'compact';

/** One attempt, as a provider sees it. */
export interface UpstreamCall {
  readonly operation: Operation;
  /** Protocol of the client. */
  readonly client: ProtocolId;
  /** Does the client want a stream? */
  readonly stream: boolean;
  /** Upstream model name, without prefix, alias and suffix. */
  readonly model: string;
  readonly info: ModelInfo | undefined;
  /** The client's request headers, lower-case names: for the few that may travel (`anthropic-beta`). */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Digest of the client's API key, `''` without one: for cache ids that must differ by client. */
  readonly clientKey: string;
  readonly credential: Credential;
  /** What to authenticate with, already refreshed. */
  readonly token: string;
  readonly config: Config;
  readonly now: () => number;
  /** What `retry` of this provider changed for this attempt (`{ unsigned: true }`, `{ base: 1 }`). */
  readonly variant: Readonly<Record<string, unknown>>;
}

export interface UpstreamRequest {
  method: 'POST' | 'GET';
  /** Absolute. */
  url: string;
  headers: Record<string, string>;
  body: string | Buffer;
  /** The answer is expected as SSE. */
  stream: boolean;
}

export interface UpstreamResponse {
  status: number;
  /** Lower-case names. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Decompressed, cut at 1 MiB. */
  body: string;
}

/** How a provider's API is spoken. Everything is synchronous and pure except `token`. */
export interface Upstream {
  /** The wire protocol sent upstream for a client of `client`. Default operation: `generate`. */
  native(client: ProtocolId, credential: Credential, operation?: Operation): ProtocolId;
  readonly thinking: ThinkingDialect;
  /** `remote`: `count-tokens` is a call upstream; `local`: estimated here. */
  readonly countTokens: 'local' | 'remote';
  readonly compact?: boolean;
  /** Whether the upstream leg streams although the client does not (Codex always). Default: as the client. */
  streams?(call: UpstreamCall): boolean;
  /** Access token when it is not simply `credential.token` (Vertex mints one from the key). */
  token?(credential: Credential, context: RefreshContext): Promise<string>;
  /** Step 5 of upstreams.md §1.1: provider tweak of the native body, before payload rules. May return a new object. */
  adapt(body: JsonObject, call: UpstreamCall): JsonObject;
  /** Step 7: last edits after payload rules. */
  finish?(body: JsonObject, call: UpstreamCall): JsonObject;
  /** Step 8: URL, headers and final body (envelopes go here). Custom headers of the credential are merged by the caller
   * through `call.credential.headers`, unless the provider signs its headers: then it merges them itself and sets `signed`. */
  request(body: JsonObject | Buffer, call: UpstreamCall): UpstreamRequest & { signed?: boolean };
  /**
   * The fast path: may the client's own bytes go upstream with only the model spliced and these members added?
   * Gives the members to add when absent (JSON text by name), or undefined when the body must be parsed.
   */
  passThrough?(scan: BodyFacts, call: UpstreamCall): Record<string, string> | undefined;
  /** Takes the provider's envelope off one JSON text (whole answer or SSE data). Returns the inner JSON text. */
  unwrap?(data: string): string;
  /** Non-2xx (or a business error inside a 200) → Failure with kind, status and retry hint. */
  classify(response: UpstreamResponse, call: UpstreamCall): Failure;
  /** A 200 whose JSON body is really an error (iFlow): the failure, else undefined. */
  inspect?(body: JsonObject, call: UpstreamCall): Failure | undefined;
  /** Another try on the same credential, before others are asked (base URL fallback, unsigned retry). */
  retry?(failure: Failure, call: UpstreamCall): { variant: Record<string, unknown>; waitMs: number } | undefined;
  /** Remaining quota told by response headers, 0..1, for quota-aware selection. */
  quota?(headers: UpstreamResponse['headers'], now: number): QuotaReport | undefined;
}

export interface QuotaReport {
  /** 0..1 of the tightest window. */
  remaining?: number;
  /** Unix ms when that window resets. */
  resetAt?: number;
}

/** Top-level members of a JSON request body, found by scanning bytes (server/scan). */
export interface BodyFacts {
  model: string;
  stream: boolean;
  /** Whether the body has such a top-level member. */
  has(name: string): boolean;
}
