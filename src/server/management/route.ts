// A management route as data: what it accepts, what it answers and who may call it. Routing, validation and the
// OpenAPI document are all read from here.
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { ManagementDeps } from './deps.ts';
import type { UploadedPart } from './multipart.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** `viewer`: readable with a viewer key, secrets masked. `admin`: everything. */
export type Scope = 'viewer' | 'admin';

export interface Client {
  address: string;
  /** Loopback by socket address or by the last untrusted hop. */
  local: boolean;
  scope: Scope;
  /** First 8 hex of the key's SHA-256; for the audit log. */
  keyId: string;
}

export interface Change {
  /** Names of what changed (`request-retry`, `auth-files/x.json`). */
  changed: string[];
  before?: unknown;
  after?: unknown;
}

export interface Call<Q = unknown, B = unknown, P = unknown> {
  readonly deps: ManagementDeps;
  readonly query: Q;
  readonly body: B;
  readonly params: P;
  readonly client: Client;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** Secrets are to be masked in the answer. */
  readonly redact: boolean;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Says what a write changed, for the audit log. */
  note(change: Change): void;
}

export interface Answer {
  /** Default 200. */
  status?: number;
  json?: unknown;
  text?: string;
  bytes?: Buffer;
  stream?: Readable;
  /** Content type of `text`, `bytes`, `stream`. */
  type?: string;
  headers?: Record<string, string>;
}

export interface BodySpec<B> {
  /** `upload`: multipart or a raw JSON file. */
  kind: 'json' | 'yaml' | 'multipart' | 'upload';
  /** For `json`. */
  schema?: z.ZodType<B>;
  /** What callers are told, when the schema also takes forms that are refused later with a text of their own. */
  documented?: z.ZodType;
  /** Bytes. Default 1 MiB. */
  limit?: number;
  /** An absent body reaches the route as undefined instead of being refused. */
  optional?: boolean;
  /** Text of the 400 for a body that is no JSON or does not fit the schema. Default `invalid body`. */
  invalid?: string;
  /** Text of the 400 for a body that is no JSON at all, when it differs. */
  unreadable?: string;
  description?: string;
}

/** What `upload` and `multipart` bodies arrive as. */
export interface UploadBody {
  parts?: UploadedPart[];
  raw?: Buffer;
}

export interface ResponseSpec {
  description: string;
  schema?: z.ZodType;
  /** Default application/json. */
  contentType?: string;
  headers?: Record<string, string>;
}

export interface RouteDefinition<Q, B, P> {
  method: Method;
  /** Under the prefix, without a leading slash; parameters as `:name`. */
  path: string;
  summary: string;
  description?: string;
  tag: string;
  scope: Scope;
  query?: z.ZodType<Q>;
  body?: BodySpec<B>;
  params?: z.ZodType<P>;
  responses: Record<number, ResponseSpec>;
  /** Texts of 4xx that this route can give beyond the common ones: documentation. */
  errors?: Record<number, string>;
  /** The answer depends on the configuration: strong ETag on reads, `If-Match` on writes (R4). */
  config?: boolean;
  /** OAuth error shape (`status: "error"`). */
  login?: boolean;
  answer(call: Call<Q, B, P>): Answer | Promise<Answer>;
}

export type Route = RouteDefinition<unknown, unknown, unknown>;

/** Keeps the types of query, body and parameters inside one definition. */
export function route<Q = unknown, B = unknown, P = unknown>(definition: RouteDefinition<Q, B, P>): Route {
  return definition as unknown as Route;
}
