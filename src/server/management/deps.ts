// What the management API needs from the rest of the program; the server wires the real parts, tests wire fakes.
import type { LookupAddress } from 'node:dns';
import type { Dispatcher } from 'undici';
import type { Config } from '../../config/index.ts';
import type { Credential, CredentialStore, ModelInfo } from '../../credentials/credential.ts';
import type { HttpClient } from '../../net/http.ts';
import type { RemoteLogin } from '../../oauth/flow.ts';
import type { RemoteLogins } from '../../oauth/remote.ts';
import type { AuditLog } from '../../observe/audit.ts';
import type { EventFeed } from '../../observe/event-feed.ts';
import type { LogFolder } from '../../observe/log-folder.ts';
import type { UsageStore } from '../../observe/usage.ts';

export interface ManagementDeps {
  config: ConfigPort;
  store: CredentialStore;
  /** Absolute path of the credential folder in use. */
  authDir(): string;
  router: RouterView;
  /** The remote logins of all providers (`provider.logins().remote`). */
  logins(): Promise<readonly RemoteLogin[]>;
  /** `POST iflow-auth-url`: cookie → credential file. Throws `CookieError`. */
  cookieLogin(cookie: string, email?: string): Promise<CookieLogin>;
  /** Sessions of remote logins, and the way a callback takes to them. */
  remote: RemoteLogins;
  /** Refreshes one credential's token now; throws when that is impossible. */
  refresh(credential: Credential): Promise<Credential>;
  /** Writes a Vertex service account. Throws `ImportError`. */
  importVertex(serviceAccount: unknown, location: string): Promise<VertexImport>;
  /** Catalogue of one channel, undefined when there is no such channel. */
  catalog(channel: string): readonly ModelInfo[] | undefined;
  http: HttpClient;
  relay: RelayNetwork;
  usage: UsageStore;
  logs: LogFolder;
  audit: AuditLog;
  events: EventFeed;
  /** Hosts to which `$TOKEN$` of a provider may go: built-in endpoints and configured ones. */
  tokenHosts(credential: Credential): readonly string[];
  /** Newest released version, undefined when no release feed is configured. Rejects with `ReleaseError`. */
  latestVersion(): Promise<string | undefined>;
  /** `MANAGEMENT_PASSWORD`. */
  envPassword?: string;
  /** `-password`; valid from loopback only. */
  localPassword?: string;
  /** Port and scheme of the main listener, for the forwarders; undefined before it listens. */
  serverUrl(): string | undefined;
  /** The address the server is bound to (`host`). */
  bindHost(): string;
  /** Unix ms. */
  now(): number;
  /** Local-time zone of usage buckets is the process's own. */
  newId(): string;
}

/** The configuration as management sees it. All writes edit the file in place and are applied before they resolve. */
export interface ConfigPort {
  current(): Config;
  /** Changes whenever the content changes; used as ETag. */
  revision(): string;
  /** The file's text; undefined when there is no file. */
  text(): Promise<string | undefined>;
  /** Sets or removes (`value` undefined) the given paths. Throws `ConfigRejected`. */
  edit(edits: readonly ConfigEdit[]): Promise<void>;
  /** Checks a whole new text. Throws `ConfigRejected`. */
  check(text: string): Promise<ConfigReport>;
  /** Stores a whole new text, already checked. */
  replace(text: string): Promise<void>;
}

export interface ConfigEdit {
  path: readonly (string | number)[];
  value: unknown;
}

export interface ConfigReport {
  /** Top-level keys whose effective value would change. */
  changed: string[];
  warnings: { message: string; path?: string; line?: number; column?: number }[];
  /** Keys that need a restart to take effect. */
  restartRequired: string[];
}

/** `yaml`: not readable as a configuration; `config`: readable but refused; `io`: could not be stored. */
export class ConfigRejected extends Error {
  readonly kind: 'yaml' | 'config' | 'io' | 'missing';
  readonly details: { path: string; issue: string }[];
  constructor(
    kind: 'yaml' | 'config' | 'io' | 'missing',
    message: string,
    options: { details?: { path: string; issue: string }[]; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'ConfigRejected';
    this.kind = kind;
    this.details = options.details ?? [];
  }
}

/** What routing knows about credentials at run time. */
export interface RouterView {
  /** `credential` id → its health; undefined when it was never used. */
  health(credentialId: string): CredentialHealth | undefined;
  /** Ends cooldown windows of a credential; gives the models that were cooling. */
  reset(credentialId: string, model?: string): readonly string[];
  /** Models a credential serves now, as clients see them (prefix and alias applied). */
  modelsFor(credentialId: string): readonly ModelInfo[];
}

export interface CredentialHealth {
  success: number;
  failed: number;
  /** Windows running now. `until`: Unix ms. */
  cooldowns: readonly { model: string; reason: string; until: number; attempts: number }[];
  /** Text of the last failure (upstream body or transport error); '' after a success. */
  lastError: string;
  /** Unix ms of that failure. */
  lastErrorAt?: number;
  /** Newest last; buckets of 10 minutes; `start` in Unix ms. */
  recent: readonly { start: number; success: number; failed: number }[];
  /** Last known quota, 0..1 left. */
  quota?: { remaining?: number; resetAt?: number };
}

export interface CookieLogin {
  file: string;
  path: string;
  email: string;
  /** As the provider told it or RFC 3339. */
  expired: string;
}

/** Why a cookie was refused. `duplicate`: `existingFile` holds it already. */
export class CookieError extends Error {
  readonly kind: 'missing' | 'no-bxauth' | 'duplicate' | 'refused';
  readonly existingFile?: string;
  constructor(kind: 'missing' | 'no-bxauth' | 'duplicate' | 'refused', message: string, existingFile?: string) {
    super(message);
    this.name = 'CookieError';
    this.kind = kind;
    this.existingFile = existingFile;
  }
}

export interface VertexImport {
  path: string;
  email: string;
  projectId: string;
  location: string;
}

/** Why a service account was refused; `code` is the recorded error text. */
export class ImportError extends Error {
  readonly code: 'invalid service account' | 'project_id missing' | 'save_failed';
  constructor(code: 'invalid service account' | 'project_id missing' | 'save_failed', message: string) {
    super(message);
    this.name = 'ImportError';
    this.code = code;
  }
}

/** Why the newest version is not known. */
export class ReleaseError extends Error {
  readonly code: 'request_failed' | 'unexpected_status' | 'decode_failed' | 'invalid_response';
  constructor(code: 'request_failed' | 'unexpected_status' | 'decode_failed' | 'invalid_response', message: string) {
    super(message);
    this.name = 'ReleaseError';
    this.code = code;
  }
}

/** The network under `api-call`. */
export interface RelayNetwork {
  lookup(hostname: string): Promise<LookupAddress[]>;
  /** A dispatcher for one call; `pinned`: the checked addresses a direct connection must use. */
  lease(options: { proxyUrl?: string; pinned: LookupAddress[]; url: URL }): RelayLease;
}

export interface RelayLease {
  dispatcher: Dispatcher;
  /** Called once after the call. */
  release(): void;
}
