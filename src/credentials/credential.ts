import type { JsonObject } from '../protocols/neutral.ts';
import type { Secret } from '../secret.ts';

/** Runtime provider keys (routing.md §1). `openai-compatibility` entries use their configured, lower-cased name instead. */
export type ProviderId =
  | 'iflow'
  | 'claude'
  | 'codex'
  | 'gemini-cli'
  | 'antigravity'
  | 'qwen'
  | 'kimi'
  | 'vertex'
  | 'gemini'
  | 'openai-compatibility';

export type CredentialKind = 'oauth' | 'cookie' | 'api-key' | 'service-account';

/**
 * One account or key that can answer requests: an immutable snapshot. A change (file edited, token refreshed) makes a
 * new object with the same `id`. Keys of the file: spec/auth.md §6; entries of the config: spec/config.md §5.
 */
export interface Credential {
  /** File name (`iflow-a@b.c-1.json`), `<file>::<project>` for a Gemini project child, or `<kind>:<hash>` for config entries. */
  readonly id: string;
  /** Which implementation serves it. */
  readonly provider: ProviderId;
  /** Provider key shown and routed on: equals `provider`, except for `openai-compatibility`: the entry's name. */
  readonly providerKey: string;
  readonly kind: CredentialKind;
  readonly source: 'file' | 'config';
  /** Absolute path; only for files. */
  readonly path?: string;
  /** First 16 hex of SHA-256 (routing.md §1): the stable handle in management and usage. */
  readonly authIndex: string;
  /** E-mail, alias, project or masked key. Never a secret. */
  readonly label: string;
  readonly email?: string;
  readonly disabled: boolean;
  /** `reauth_required` after a permanent refresh error, `expired` for a token past its time without a refresh token. */
  readonly status: CredentialStatus;
  readonly statusMessage?: string;
  readonly prefix?: string;
  /** `undefined` = inherit the global one. */
  readonly proxyUrl?: string;
  /** Higher first; default 0. */
  readonly priority: number;
  /** For weighted rotation; default 1, ≤ 0 excludes. */
  readonly weight: number;
  readonly note?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly excludedModels: readonly string[];
  readonly disableCooling?: boolean;
  readonly requestRetry?: number;
  readonly maxConcurrency?: number;
  readonly websockets?: boolean;
  readonly baseUrl?: string;
  /** Models declared by the config entry; replaces the catalog. */
  readonly models?: readonly DeclaredModel[];
  /** Google Cloud project (Gemini CLI, Antigravity, Vertex). */
  readonly projectId?: string;
  readonly location?: string;
  /** What goes upstream: access token or API key. Absent until one is known. */
  readonly token?: Secret;
  readonly refreshToken?: Secret;
  /** Unix ms; when `token` stops working. */
  readonly expiresAt?: number;
  /** Unix ms. */
  readonly lastRefreshAt?: number;
  /** Subscription plan when the provider tells it (`plus`, `team`). */
  readonly plan?: string;
  /** The whole credential file (or config entry) as JSON, secrets included: for refresh and provider details only. */
  readonly fields: Secret<JsonObject>;
}

export type CredentialStatus =
  | 'active'
  | 'disabled'
  | 'expired'
  | 'reauth_required'
  | 'invalid'
  | 'unsupported'
  | 'pending';

export interface DeclaredModel {
  /** Upstream name. */
  readonly name: string;
  /** Name for clients; equals `name` when the entry has no alias. */
  readonly alias: string;
  readonly thinking?: ThinkingSupport;
}

/** What a model can think (models.json). Budgets in tokens. */
export interface ThinkingSupport {
  readonly min?: number;
  readonly max?: number;
  readonly zeroAllowed: boolean;
  readonly dynamicAllowed: boolean;
  readonly levels?: readonly string[];
}

/** One row of the model catalog (spec/models.json, upstreams.md §7). */
export interface ModelInfo {
  readonly id: string;
  readonly ownedBy: string;
  readonly displayName?: string;
  readonly description?: string;
  /** Unix s. */
  readonly created?: number;
  readonly type?: string;
  readonly version?: string;
  /** Tokens. */
  readonly contextLength?: number;
  readonly maxOutputTokens?: number;
  /** `null`: the model cannot think; `undefined`: unknown. */
  readonly thinking?: ThinkingSupport | null;
  /** Declared by the user in the config: thinking is passed on unchecked. */
  readonly userDefined?: boolean;
}

/** The one interface behind which credentials live: auth folder today, PostgreSQL later. */
export interface CredentialStore {
  /** Current credentials, enabled and disabled, in id order. Cheap: an immutable snapshot. */
  list(): readonly Credential[];
  get(id: string): Credential | undefined;
  /** Files that could not be read as credentials: for management and doctor. */
  invalid(): readonly InvalidCredential[];
  /** Called after every change, synchronously, with what changed. Returns the unsubscribe function. */
  onChange(listener: (change: CredentialChange) => void): () => void;
  /** Writes a new credential (login, upload). Atomic, 0600. Merges over an existing file: user settings survive (auth.md R8). */
  save(name: string, fields: JsonObject, options?: { replace?: boolean; ifAbsent?: boolean }): Promise<Credential>;
  /**
   * Field-level change on the freshest content, under the cross-process lock. `update` returns the new fields, or
   * undefined for no change. Resolves undefined when the credential is gone: a deleted file is never re-created.
   */
  update(id: string, update: (fresh: JsonObject) => JsonObject | undefined): Promise<Credential | undefined>;
  /**
   * Runs `work`, which may take as long as a token exchange, alone among all processes, with the fields as they are on
   * disk now. Edits and deletions go on meanwhile; `write` merges what changed into what is there then, or does nothing
   * when the credential is gone.
   */
  withLock<T>(
    id: string,
    work: (fresh: JsonObject | undefined, write: (fields: JsonObject) => Promise<void>) => Promise<T>,
  ): Promise<T>;
  /** The fields as they are now where they are kept, without any lock; undefined when gone or unreadable. */
  read?(id: string): Promise<JsonObject | undefined>;
  remove(id: string): Promise<boolean>;
  /** Sets a run-time status (`reauth_required`) that holds until the credential's content changes. */
  setStatus(id: string, status: CredentialStatus, message?: string): void;
  close(): Promise<void>;
}

export interface InvalidCredential {
  readonly name: string;
  readonly status: 'invalid' | 'unsupported';
  readonly message: string;
}

export interface CredentialChange {
  readonly added: readonly Credential[];
  readonly changed: readonly { before: Credential; after: Credential }[];
  readonly removed: readonly Credential[];
}
