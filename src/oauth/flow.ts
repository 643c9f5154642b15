import type { Config } from '../config/index.ts';
import type { CredentialStore } from '../credentials/credential.ts';
import type { HttpClient } from '../net/http.ts';
import type { JsonObject } from '../protocols/neutral.ts';

/** What a login may use. Everything that a test must control comes in here. */
export interface LoginContext {
  config: Config;
  store: CredentialStore;
  http: HttpClient;
  terminal: Terminal;
  /** Opens a URL in the user's browser; resolves false when that is not possible. Never opens anything else. */
  openBrowser(url: string): Promise<boolean>;
  now(): number;
  signal: AbortSignal;
  env: NodeJS.ProcessEnv;
  /** Waits between polls; resolves early when `signal` aborts. Default: real time. */
  sleep?(ms: number, signal: AbortSignal): Promise<void>;
}

/** The only reader of standard input and the only writer of interface text. */
export interface Terminal {
  readonly interactive: boolean;
  print(line: string): void;
  warn(line: string): void;
  /** Asks on the terminal; undefined at end of input or when `signal` aborts. Never leaves a reader behind. */
  ask(
    prompt: string,
    options?: { signal?: AbortSignal; secret?: boolean; multiline?: boolean },
  ): Promise<string | undefined>;
}

/** Flags of a CLI login. */
export interface LoginRequest {
  noBrowser: boolean;
  /** 0 = the provider's own. */
  callbackPort: number;
  email?: string;
  projectId?: string;
  /** `-vertex-import` file. */
  file?: string;
  prefix?: string;
}

export interface LoginResult {
  /** Absolute path of the written file; absent when nothing was to do (duplicate cookie). */
  path?: string;
}

/** A login whose browser part happens elsewhere: management API, web panel (auth.md §5). */
export interface RemoteLogin {
  /** Path segment of `/v0/management/<key>-auth-url`. */
  readonly key: 'anthropic' | 'codex' | 'gemini-cli' | 'antigravity' | 'qwen' | 'kimi' | 'iflow';
  /** Canonical name in callbacks: `anthropic`, `codex`, `gemini`, `antigravity`, `qwen`, `kimi`, `iflow`. */
  readonly canonical: string;
  readonly aliases: readonly string[];
  readonly kind: 'callback' | 'device';
  /** Port and path of the provider's registered redirect URI; the web-UI forwarder listens there. */
  readonly callback?: { port: number; path: string };
  /** Starts: makes the URL (a device flow calls the provider). */
  start(context: RemoteContext, options: { state: string; email?: string; projectId?: string }): Promise<RemoteStart>;
}

export type RemoteContext = Pick<LoginContext, 'config' | 'store' | 'http' | 'now' | 'signal' | 'sleep'>;

export interface RemoteStart {
  url: string;
  /** Unix ms; never later than the session's own end. */
  expiresAt?: number;
  /** Device flows: shown to the user. */
  userCode?: string;
  verificationUri?: string;
  /** s */
  expiresIn?: number;
  /** s */
  interval?: number;
  /** Callback flows: exchanges the code, does the follow-ups and saves. Throws `LoginError`. */
  complete?(code: string, signal: AbortSignal): Promise<RemoteDone>;
  /** Device flows: polls until done. Throws `LoginError`. */
  poll?(signal: AbortSignal): Promise<RemoteDone>;
}

export interface RemoteDone {
  /** File name in the auth folder. */
  file: string;
  path: string;
  email?: string;
}

/** Exit codes of the CLI (auth.md §2.6). */
export const exitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  denied: 3,
  timeout: 4,
  network: 5,
  save: 6,
  portBusy: 13,
  emailRequired: 14,
} as const;

/** A login that ended without a credential. `message` is one line: cause and next step, no secrets. */
export class LoginError extends Error {
  readonly exit: number;
  /** Provider's OAuth error (`access_denied`) or ours (`callback_timeout`). */
  readonly code: string;
  constructor(message: string, options: { exit?: number; code?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = options.exit === exitCode.emailRequired ? 'EmailRequiredError' : 'LoginError';
    this.exit = options.exit ?? exitCode.failed;
    this.code = options.code ?? 'login_failed';
  }
}

export type TokenFields = JsonObject;
