// Query parameters: text in, checked values out. Each kind shows up in the OpenAPI document as what it means.
import * as z from 'zod';
import { ApiError, issueDetails } from './errors.ts';
import { textMark } from './request-body.ts';

const first = (value: unknown): unknown => (Array.isArray(value) ? value[0] : value);

/** A string; of repeated ones the first counts. */
export const textParam = z.preprocess(first, z.string());

export const trueWords = ['1', 'true', 'yes', 'on'] as const;
const falseWords = ['', '0', 'false', 'no', 'off'] as const;

/** A pattern for these words: `^(|1|[tT][rR]…)$`. */
function anyCase(words: readonly string[]): string {
  const letters = (word: string): string => word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
  return `^(${words.map(letters).join('|')})$`;
}

/** `1 true yes on`, any case. Absent and the rest of the words mean no. */
export const flagParam = z
  .preprocess(
    (value) => (typeof first(value) === 'string' ? String(first(value)).trim().toLowerCase() : value),
    z.enum([...trueWords, ...falseWords]),
  )
  .transform((word) => (trueWords as readonly string[]).includes(word))
  .meta({ wire: { type: 'string', pattern: anyCase([...trueWords, ...falseWords]) } });

/** A decimal integer in the given range. */
export function intParam(options: { min?: number; max?: number; text?: string } = {}) {
  const min = options.min ?? 0;
  const max = options.max ?? Number.MAX_SAFE_INTEGER;
  const message = options.text ? `${textMark}${options.text}` : `a whole number from ${min} to ${max}`;
  return z.preprocess(
    (value) =>
      typeof first(value) === 'string' && /^-?\d{1,16}$/.test(String(first(value))) ? Number(first(value)) : value,
    z.int(message).min(min, message).max(max, message),
  );
}

/** The documented one of several ways to name something: required there, optional here. */
export function mainParam(pattern = '\\S') {
  return textParam.optional().meta({ wire: { type: 'string', minLength: 1, pattern, way: 'main' } });
}

/** Another way, told in the description only. */
export function otherParam<T extends z.ZodType>(schema: T) {
  return schema.optional().meta({ wire: { type: 'string', way: 'other' } });
}

/** May be repeated. */
export const manyParam = z.preprocess((value) => (value === undefined ? [] : [value].flat()), z.array(z.string()));

/** One value per name, or all of them when a name is repeated. */
export function readQuery(url: string): Record<string, string | string[]> {
  const start = url.indexOf('?');
  const query: Record<string, string | string[]> = Object.create(null);
  if (start < 0) return query;
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    const before = query[name];
    query[name] = before === undefined ? value : [before, value].flat();
  }
  return query;
}

export function parseQuery(schema: z.ZodType, query: Record<string, string | string[]>): unknown {
  const parsed = schema.safeParse({ ...query });
  if (parsed.success) return parsed.data;
  const marked = parsed.error.issues.find(({ message }) => message.startsWith(textMark));
  throw new ApiError(400, marked ? marked.message.slice(textMark.length) : 'invalid query', {
    details: issueDetails(parsed.error).map((detail) => ({
      ...detail,
      issue: detail.issue.startsWith(textMark) ? detail.issue.slice(textMark.length) : detail.issue,
    })),
  });
}
