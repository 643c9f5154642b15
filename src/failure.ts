/**
 * Why a request could not be answered. A closed list: routing decides by `kind`, clients see `status` and their own
 * envelope. Texts of upstreams are matched in `providers/<id>/` only; everything above reads these fields.
 */
export type FailureKind =
  | 'invalid-request' // the client's fault: returned as it is, no other credential is tried, no cooldown
  | 'unauthorized' // 401: refresh once, retry once, then cool the credential
  | 'forbidden' // 402, 403: payment, permission, region
  | 'not-found' // 404 for this model at this credential
  | 'model-unsupported' // 400/422 that says the plan or key has no such model
  | 'quota' // 429
  | 'overloaded' // 503, 529, "at capacity"
  | 'transient' // 408, other 5xx, network errors, broken or empty answers
  | 'timeout' // our own first-byte or idle limit, 504
  | 'aborted' // the client went away (499, never sent)
  | 'unavailable' // nothing left to try: no credential, all cooling
  | 'internal'; // a bug of ours

export interface FailureOptions {
  kind: FailureKind;
  /** HTTP status for the client. */
  status: number;
  message: string;
  /** OpenAI-style machine-readable code, e.g. `model_cooldown`; derived from the status when absent. */
  code?: string;
  /** Wait told by the upstream, in ms from now, from the most specific hint (upstreams.md §8 row 12). */
  retryAfterMs?: number;
  /** What the failure says something about. `request`: nothing is cooled. Default: `model` (credential and model). */
  scope?: 'request' | 'model' | 'credential';
  /** The upstream's own JSON error body, forwarded verbatim to clients of the same protocol family. */
  upstreamBody?: string;
  /** Protocol of `upstreamBody`. */
  upstreamProtocol?: string;
  /** Extra members for the `error` object of the client's envelope (`reset_seconds`, `reason`, ...). */
  details?: Record<string, unknown>;
  cause?: unknown;
}

export class Failure extends Error {
  readonly kind: FailureKind;
  readonly status: number;
  readonly code?: string;
  readonly retryAfterMs?: number;
  readonly scope: 'request' | 'model' | 'credential';
  readonly upstreamBody?: string;
  readonly upstreamProtocol?: string;
  readonly details?: Record<string, unknown>;

  constructor(options: FailureOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.kind = options.kind;
    this.status = options.status;
    this.code = options.code;
    this.retryAfterMs = options.retryAfterMs;
    this.scope = options.scope ?? (options.kind === 'invalid-request' ? 'request' : 'model');
    this.upstreamBody = options.upstreamBody;
    this.upstreamProtocol = options.upstreamProtocol;
    this.details = options.details;
  }
}

/** What was thrown, as a failure: a bug of ours unless it is one already. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure({
    kind: 'internal',
    status: 500,
    message: 'internal error; the log has the details',
    scope: 'request',
    cause: error,
  });
}

/** A 400 of our own: the request itself cannot be served, whoever would serve it. */
export function invalidRequest(message: string, options: Partial<FailureOptions> = {}): Failure {
  return new Failure({ kind: 'invalid-request', status: 400, message, ...options });
}
