// The configuration as a whole: effective as JSON, stored as YAML; and our version (management-api.md §11).

import { type Document, isMap, isScalar, parseDocument } from 'yaml';
import * as z from 'zod';
import { version } from '../../../version.ts';
import { ReleaseError } from '../deps.ts';
import { ApiError } from '../errors.ts';
import { hashKey, isHashed, maxKeyBytes } from '../management-key.ts';
import { flagParam, otherParam } from '../query.ts';
import { redacted } from '../redact.ts';
import { type Call, type Route, route } from '../route.ts';
import { asApiError, readQuery } from '../schemas.ts';

/** Not shown: where we listen, where files are, and the management keys. */
const hidden = new Set(['host', 'port', 'auth-dir', 'remote-management', 'management-keys', 'oauth-clients']);
/** Not there when not set, as in the reference. */
const onlyWhenSet = new Set(['nonstream-keepalive-interval']);

function shownConfig(call: Call): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(call.deps.config.current())) {
    if (hidden.has(name) || value === null || (onlyWhenSet.has(name) && value === 0)) continue;
    shown[name] = value;
  }
  return shown;
}

const secretPath = ['remote-management', 'secret-key'];

/** Whether someone could still get in with this text in force. */
function keepsKey(call: Call, document: Document): boolean {
  if (call.deps.envPassword) return true;
  const secret = document.getIn(secretPath);
  if (typeof secret === 'string' && secret !== '') return true;
  const more = document.get('management-keys', true);
  const list = more ? (document.toJS() as Record<string, unknown>)['management-keys'] : undefined;
  return Array.isArray(list) && list.some((entry) => (entry as { scope?: string } | null)?.scope === 'admin');
}

/** The text with a plain management key replaced by its hash, everything else byte for byte as sent. */
async function withHashedKey(text: string, document: Document): Promise<string> {
  const node = document.getIn(secretPath, true);
  if (!isScalar(node) || typeof node.value !== 'string' || node.value === '' || isHashed(node.value)) return text;
  if (Buffer.byteLength(node.value) > maxKeyBytes) {
    throw new ApiError(422, 'invalid_config', {
      message: 'failed to hash remote management key: bcrypt: password length exceeds 72 bytes',
      details: [{ path: secretPath.join('.'), issue: 'longer than 72 bytes' }],
    });
  }
  const [start, end] = node.range as [number, number, number];
  return `${text.slice(0, start)}"${await hashKey(node.value)}"${text.slice(end)}`;
}

function parsed(text: string): Document {
  if (text.trim() === '') {
    throw new ApiError(422, 'invalid_config', { message: 'An empty configuration would lock everyone out.' });
  }
  const document = parseDocument(text, { uniqueKeys: true });
  const problem = document.errors[0];
  if (problem) throw new ApiError(400, 'invalid_yaml', { message: `yaml: ${problem.message.split('\n')[0]}` });
  if (!isMap(document.contents)) {
    throw new ApiError(400, 'invalid_yaml', { message: 'yaml: line 1: the configuration must be a mapping' });
  }
  return document;
}

const reportBody = z.looseObject({
  ok: z.literal(true),
  changed: z.array(z.string()),
  warnings: z.array(z.looseObject({ message: z.string() })),
  restart_required: z.array(z.string()),
  dry_run: z.boolean().optional(),
});

export const wholeConfigRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: 'config',
    tag: 'Configuration',
    config: true,
    summary: 'The effective configuration as JSON',
    scope: 'viewer',
    query: readQuery,
    responses: {
      200: {
        description: 'Every key but listening address, folders and management keys.',
        schema: z.looseObject({ 'api-keys': z.array(z.string()), debug: z.boolean() }),
      },
    },
    answer(call) {
      const shown = shownConfig(call);
      return { json: call.redact ? redacted('config', shown) : shown };
    },
  }),
  route({
    method: 'GET',
    path: 'config.yaml',
    tag: 'Configuration',
    config: true,
    summary: 'The configuration file as it is',
    scope: 'admin',
    responses: {
      200: { description: 'The text of the file.', contentType: 'application/yaml', schema: z.unknown() },
      404: { description: 'There is no configuration file.' },
    },
    async answer(call) {
      const text = await call.deps.config.text().catch(() => {
        throw new ApiError(500, 'read_failed', { message: 'The configuration file could not be read.' });
      });
      if (text === undefined) throw new ApiError(404, 'not_found', { message: 'config file not found' });
      return { text, type: 'application/yaml; charset=utf-8' };
    },
  }),
  route({
    method: 'PUT',
    path: 'config.yaml',
    tag: 'Configuration',
    config: true,
    summary: 'Store a whole configuration file',
    description:
      'A plain `secret-key` is stored as its hash. `dry_run` only reports. A text that leaves no management key needs `?force=true`.',
    scope: 'admin',
    query: z.object({ dry_run: flagParam.optional(), force: otherParam(flagParam) }),
    body: { kind: 'yaml', description: 'The text of the file, YAML 1.1 or 1.2.' },
    responses: { 200: { description: 'Stored and in force, or checked only.', schema: reportBody } },
    errors: {
      400: 'Not YAML, or a value of the wrong type.',
      409: 'No management key would be left.',
      422: 'Empty, or refused by a check.',
    },
    async answer(call) {
      const sent = call.body as string;
      const document = parsed(sent);
      try {
        const text = await withHashedKey(sent, document);
        const report = await call.deps.config.check(text);
        if (!call.query.force && !keepsKey(call, document)) {
          throw new ApiError(409, 'would_lock_out', {
            message: 'No management key would be left; send ?force=true if that is meant.',
          });
        }
        const json = {
          ok: true,
          changed: [...report.changed, 'config'],
          warnings: report.warnings,
          restart_required: report.restartRequired,
          ...(call.query.dry_run ? { dry_run: true } : {}),
        };
        if (call.query.dry_run) return { json };
        const before = await call.deps.config.text();
        await call.deps.config.replace(text);
        call.note({ changed: json.changed, before, after: text });
        call.deps.events.publish('config', { changed: json.changed });
        return { json };
      } catch (error) {
        throw writeFailure(asApiError(error));
      }
    },
  }),
  route({
    method: 'GET',
    path: 'latest-version',
    tag: 'System',
    summary: 'The newest released version',
    scope: 'viewer',
    responses: {
      200: {
        description: '`checked: false`: no release feed is configured, our own version is given.',
        schema: z.looseObject({ 'latest-version': z.string(), checked: z.boolean() }),
      },
      502: { description: 'The release feed could not be read.' },
    },
    async answer(call) {
      try {
        const latest = await call.deps.latestVersion();
        return { json: { 'latest-version': latest ?? version, checked: latest !== undefined } };
      } catch (error) {
        if (error instanceof ReleaseError) throw new ApiError(502, error.code, { message: error.message });
        throw error;
      }
    },
  }),
];

function writeFailure(error: unknown): unknown {
  if (error instanceof ApiError && error.text === 'failed to save config') {
    return new ApiError(500, 'write_failed', { message: 'The configuration could not be stored.' });
  }
  return error;
}
