// Small schemas and answers that many routes share.
import * as z from 'zod';
import { ConfigRejected } from './deps.ts';
import { ApiError } from './errors.ts';
import { flagParam } from './query.ts';
import type { Answer, Call, ResponseSpec } from './route.ts';

export const okBody = z.looseObject({ status: z.literal('ok') });
export const okAnswer: Answer = { json: { status: 'ok' } };
export const okResponse: Record<number, ResponseSpec> = { 200: { description: 'Done.', schema: okBody } };

/** Every read of secrets understands `?redact=1`. */
export const readQuery = z.object({ redact: flagParam.optional() });
export const noQuery = z.object({});

/** Sets one value of the configuration; applied and on disk when this resolves. */
export async function setConfig(
  call: Call,
  path: readonly (string | number)[],
  value: unknown,
  before?: unknown,
): Promise<void> {
  await editConfig(call, [{ path, value }], path.join('/'), before, value);
}

export async function editConfig(
  call: Call,
  edits: readonly { path: readonly (string | number)[]; value: unknown }[],
  name: string,
  before?: unknown,
  after?: unknown,
): Promise<void> {
  try {
    await call.deps.config.edit(edits);
  } catch (error) {
    throw asApiError(error);
  }
  call.note({ changed: [name], before, after });
  call.deps.events.publish('config', { changed: [name] });
}

/** A refused configuration as the answer it deserves; paths of the file system stay inside (management-api.md #11). */
export function asApiError(error: unknown): unknown {
  if (!(error instanceof ConfigRejected)) return error;
  const { details, message } = error;
  switch (error.kind) {
    case 'yaml':
      return new ApiError(400, 'invalid_yaml', { message, details });
    case 'config':
      return new ApiError(422, 'invalid_config', { message, details });
    case 'missing':
      return new ApiError(404, 'not_found', { message: 'config file not found' });
    default:
      return new ApiError(500, 'failed to save config', { message: 'The configuration could not be stored.' });
  }
}
