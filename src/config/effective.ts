// The configuration as text for people: `-check-config`, and secrets masked wherever it is shown.
import { stringify } from 'yaml';
import * as z from 'zod';
import { mask } from '../secret.ts';
import { type LoadedConfig, remarkLine } from './load.ts';
import { type Config, configSchema } from './schema.ts';
import type { Settings } from './settings.ts';
import { bare } from './yaml.ts';

const secretHeader = /authorization|api-?key|token|secret|cookie/i;

/** A copy in which every secret is masked: keys, hashes, OAuth client secrets, header values, passwords in URLs. */
export function maskSecrets<T = Config>(value: T, schema: z.core.$ZodType = configSchema): T {
  return walk(schema, value, false, (text) => mask(text)) as T;
}

/**
 * Puts stored secrets back where a client returns the masked text it was shown. `stored` is the value shown, of the
 * same key; of two secrets with the same mask the first wins.
 */
export function restoreSecrets<T>(value: T, stored: unknown, schema: z.core.$ZodType): T {
  const known = new Map<string, string>();
  walk(schema, stored, false, (text) => {
    if (!known.has(mask(text))) known.set(mask(text), text);
    return text;
  });
  return walk(schema, value, false, (text) => known.get(text) ?? text) as T;
}

function walk(schema: z.core.$ZodType, value: unknown, secret: boolean, show: (text: string) => string): unknown {
  const hidden = secret || z.globalRegistry.get(schema as z.ZodType)?.secret === true;
  const kind = bare(schema);
  if (typeof value === 'string') return hidden ? show(value) : withoutPassword(value, show);
  if (Array.isArray(value)) {
    const element = kind instanceof z.ZodArray ? kind.element : z.unknown();
    return value.map((item) => walk(element, item, hidden, show));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const known = kind instanceof z.ZodObject ? (kind.shape[name] as z.core.$ZodType | undefined) : undefined;
      const isHeader = kind instanceof z.ZodRecord && secretHeader.test(name);
      const below = known ?? (kind instanceof z.ZodRecord ? kind.def.valueType : z.unknown());
      return [name, walk(below, member, hidden || (isHeader && typeof member === 'string'), show)];
    }),
  );
}

function withoutPassword(text: string, show: (text: string) => string): string {
  return text.replace(/^([a-z][\w+.-]*:\/\/[^/@:]*:)([^/@]+)@/i, (_, start: string, password: string) => {
    return `${start}${show(password)}@`;
  });
}

/** What a config file means, with what flags and environment make of it: for `-check-config`. */
export function effectiveText(loaded: LoadedConfig, settings: Settings): string {
  const { host, port, authDir, logDir } = settings;
  const where = [
    `# config: ${settings.configExists ? settings.configPath : 'none, defaults'}`,
    `# listen: ${host === '' ? 'all interfaces' : host}, port ${port === 0 ? 'any free one' : port}`,
    `# auth-dir: ${authDir}`,
    `# logs: ${logDir}`,
    ...loaded.warnings.map((warning) => `# ${remarkLine(settings.configPath, warning)}`),
  ];
  return `${where.join('\n')}\n${stringify(maskSecrets(loaded.config), { lineWidth: 0 })}`;
}
