// The one error envelope of the management API (management-api.md R2): reference text, readable message, stable code.
import * as z from 'zod';

export interface ErrorOptions {
  /** Stable snake_case; derived from the text when absent. */
  code?: string;
  /** A sentence for people; the text when absent. */
  message?: string;
  details?: { path: string; issue: string }[];
  headers?: Record<string, string>;
  /** More members of the body (`channel`, `existing_file`, ...). */
  extra?: Record<string, unknown>;
}

/** An answer of 4xx or 5xx. `text` is what the reference writes into `error`. */
export class ApiError extends Error {
  readonly status: number;
  readonly text: string;
  readonly code: string;
  readonly details?: { path: string; issue: string }[];
  readonly headers?: Record<string, string>;
  readonly extra?: Record<string, unknown>;

  constructor(status: number, text: string, options: ErrorOptions = {}) {
    super(options.message ?? text);
    this.name = 'ApiError';
    this.status = status;
    this.text = text;
    this.code = options.code ?? snakeCase(text);
    this.details = options.details;
    this.headers = options.headers;
    this.extra = options.extra;
  }

  body(requestId: string): Record<string, unknown> {
    return {
      error: this.text,
      message: this.message,
      code: this.code,
      request_id: requestId,
      ...(this.details?.length ? { details: this.details } : {}),
      ...this.extra,
    };
  }
}

/** OAuth endpoints carry `status: "error"` beside the envelope (auth.md §5.3). */
export function loginError(status: number, text: string, options: ErrorOptions = {}): ApiError {
  return new ApiError(status, text, { ...options, extra: { status: 'error', ...options.extra } });
}

export function snakeCase(text: string): string {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .replace(/^_+|_+$/g, '')
      .slice(0, 64) || 'error'
  );
}

export const errorBody = z
  .looseObject({
    error: z.string(),
    message: z.string(),
    code: z.string(),
    request_id: z.string(),
    details: z.array(z.object({ path: z.string(), issue: z.string() })).optional(),
    status: z.literal('error').optional(),
  })
  .meta({ description: 'Every answer of 4xx and 5xx.' });

/** zod issues → `details`. */
export function issueDetails(error: z.ZodError): { path: string; issue: string }[] {
  return error.issues.slice(0, 20).map((issue) => ({ path: issue.path.map(String).join('.'), issue: issue.message }));
}
