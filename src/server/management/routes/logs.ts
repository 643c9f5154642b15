// The application log, and request and error logs (management-api.md §16).
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { ApiError } from '../errors.ts';
import { attachment } from '../file-names.ts';
import { textParam } from '../query.ts';
import { textMark } from '../request-body.ts';
import { type Answer, type Call, type Route, route } from '../route.ts';

const tag = 'Logs';
const defaultLines = 1_000_000;
const text = { contentType: 'text/x-log', schema: z.string() };

const limit = z.preprocess(
  (value) => (Array.isArray(value) ? value[0] : value),
  z
    .string()
    .regex(/^-?\d{1,9}$/, `${textMark}invalid limit: must be a positive integer`)
    .transform(Number)
    .pipe(z.int().min(1, `${textMark}invalid limit: must be greater than zero`)),
);

function mustLogToFile(call: Call): void {
  if (call.deps.config.current()['logging-to-file'] !== true) throw new ApiError(400, 'logging to file disabled');
}

async function file(found: string | undefined, missing: string): Promise<Answer> {
  const bytes = found === undefined ? undefined : await readFile(found).catch(() => undefined);
  if (!bytes || found === undefined) throw new ApiError(404, missing);
  const headers = { 'content-disposition': attachment(path.basename(found)) };
  return { bytes, type: 'text/x-log; charset=utf-8', headers };
}

export const logRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: 'logs',
    tag,
    summary: 'Lines of the application log',
    description:
      'The last `limit` lines. `cursor` (from `next-cursor`) gives exactly what was written since; `after` works on whole seconds.',
    scope: 'viewer',
    query: z.object({
      limit: limit.optional(),
      after: textParam.optional(),
      cursor: textParam.optional(),
      level: textParam.optional(),
      request_id: textParam.optional(),
    }),
    responses: {
      200: {
        description: 'The lines, oldest first.',
        schema: z.looseObject({
          lines: z.array(z.string()),
          'line-count': z.int(),
          'latest-timestamp': z.int(),
          'next-cursor': z.string(),
          'cursor-reset': z.boolean(),
        }),
      },
    },
    errors: { 400: 'Logging to a file is off, or `limit` is no positive number.' },
    async answer(call) {
      mustLogToFile(call);
      const { after, level, request_id, cursor } = call.query;
      const page = await call.deps.logs.read({
        limit: call.query.limit ?? defaultLines,
        after: after !== undefined && /^\d{1,12}$/.test(after) && Number(after) > 0 ? Number(after) : undefined,
        cursor,
        level: level?.toLowerCase(),
        requestId: request_id,
      });
      return {
        json: {
          lines: page.lines.map((line) => line.text),
          'line-count': page.count,
          'latest-timestamp': page.latest,
          'next-cursor': page.cursor,
          'cursor-reset': page.reset,
        },
      };
    },
  }),
  route({
    method: 'DELETE',
    path: 'logs',
    tag,
    summary: 'Empty the application log',
    scope: 'admin',
    responses: {
      200: {
        description: 'Emptied.',
        schema: z.looseObject({ success: z.literal(true), message: z.string(), removed: z.int() }),
      },
      404: { description: 'There is no log folder.' },
    },
    errors: { 400: 'Logging to a file is off.' },
    async answer(call) {
      mustLogToFile(call);
      if (!(await call.deps.logs.exists())) throw new ApiError(404, 'log directory not found');
      const removed = await call.deps.logs.clear();
      call.note({ changed: ['logs'] });
      return { json: { success: true, message: 'Logs cleared successfully', removed } };
    },
  }),
  route({
    method: 'GET',
    path: 'request-error-logs',
    tag,
    summary: 'Error logs, newest first',
    description: 'Empty while full request logs are on: errors are in those then.',
    scope: 'viewer',
    responses: {
      200: {
        description: 'The files.',
        schema: z.object({
          files: z.array(z.object({ name: z.string(), size: z.int(), modified: z.int() })),
        }),
      },
    },
    async answer(call) {
      if (call.deps.config.current()['request-log'] === true) return { json: { files: [] } };
      return { json: { files: await call.deps.logs.errorLogs() } };
    },
  }),
  route({
    method: 'GET',
    path: 'request-error-logs/:name',
    tag,
    summary: 'One error log',
    scope: 'admin',
    params: z.object({ name: z.string().meta({ pattern: '^[A-Za-z0-9_-][A-Za-z0-9_.-]*$' }) }),
    responses: { 200: { description: 'The log.', ...text }, 404: { description: 'No such log.' } },
    errors: { 400: 'A name that no log may have.' },
    async answer(call) {
      const { name } = call.params;
      if (/[/\\\u0000-\u001f]/.test(name) || name.startsWith('.')) throw new ApiError(400, 'invalid log file name');
      return file(await call.deps.logs.find({ name }), 'log file not found');
    },
  }),
  route({
    method: 'GET',
    path: 'request-log-by-id/:id',
    tag,
    summary: 'The log of one request',
    scope: 'admin',
    params: z.object({ id: z.string().meta({ pattern: '^[0-9a-f]{8,32}$' }) }),
    responses: { 200: { description: 'The log.', ...text }, 404: { description: 'No log of this request.' } },
    errors: { 400: 'Not a request id.' },
    async answer(call) {
      const id = call.params.id.trim();
      if (id === '') throw new ApiError(400, 'missing request ID');
      if (!/^[0-9a-f]{8,32}$/.test(id)) throw new ApiError(400, 'invalid request ID');
      return file(await call.deps.logs.find({ id }), 'log file not found for the given request ID');
    },
  }),
];
