// Documentation of every key, made from the schema: the tables of docs/configuration.md.
import * as z from 'zod';
import { configSchema } from './schema.ts';
import { bare } from './yaml.ts';

export interface DocumentedKey {
  /** `routing.strategy`, `gemini-api-key[].api-key`, `endpoints.<name>` */
  path: string;
  type: string;
  /** As it would stand in the file; empty for groups. */
  default: string;
  description: string;
  reload: 'hot' | 'restart';
  effect: 'active' | 'planned' | 'none';
}

/** Every key of the file, groups before their members. */
export function documentedKeys(): DocumentedKey[] {
  return membersOf(configSchema, '', 'active');
}

function membersOf(schema: z.ZodObject, prefix: string, outer: DocumentedKey['effect']): DocumentedKey[] {
  return Object.entries(schema.shape).flatMap(([name, member]) => {
    const meta = z.globalRegistry.get(member as z.ZodType);
    const kind = bare(member);
    const effect = meta?.effect ?? outer;
    const path = `${prefix}${name}`;
    const entry: DocumentedKey = {
      path,
      type: typeName(member),
      default: kind instanceof z.ZodObject ? '' : defaultOf(member),
      description: meta?.description ?? '',
      reload: meta?.reload ?? 'hot',
      effect,
    };
    // Whoever keeps such a key knows what was in it.
    return effect === 'active' ? [entry, ...below(kind, path, effect)] : [entry];
  });
}

function below(kind: z.core.$ZodType, path: string, effect: DocumentedKey['effect']): DocumentedKey[] {
  if (kind instanceof z.ZodObject) return membersOf(kind, `${path}.`, effect);
  if (kind instanceof z.ZodArray) return below(bare(kind.element), `${path}[]`, effect);
  if (kind instanceof z.ZodRecord) return below(bare(kind.def.valueType), `${path}.<name>`, effect);
  return [];
}

function typeName(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return typeName(schema.def.innerType);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return typeName(schema.def.innerType);
  if (schema instanceof z.ZodPipe) return typeName(schema.def.out);
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => `\`${option}\``).join(' ');
  if (schema instanceof z.ZodBoolean) return 'true/false';
  if (schema instanceof z.ZodNumber) return 'number';
  if (schema instanceof z.ZodArray) return 'list';
  if (schema instanceof z.ZodObject) return 'group';
  if (schema instanceof z.ZodRecord) return 'map';
  return schema instanceof z.ZodString ? 'text' : 'any';
}

function defaultOf(schema: z.core.$ZodType): string {
  const result = z.safeParse(schema, undefined);
  if (!result.success || result.data === undefined || result.data === null) return '';
  return JSON.stringify(result.data);
}

const notes = { active: '', planned: ' *Not yet active.*', none: ' *Without effect.*' } as const;

/** The table between the markers of docs/configuration.md. */
export function keyTable(): string {
  const rows = documentedKeys().map(
    ({ path, type, default: value, description, reload, effect }) =>
      `| \`${path}\` | ${type} | ${value === '' ? '' : `\`${value}\``} | ${description.replaceAll('|', '\\|')}${notes[effect]}${reload === 'restart' ? ' *Restart.*' : ''} |`,
  );
  return ['| Key | Type | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

const begin = '<!-- keys: made by scripts/config-docs.mjs from src/config/schema.ts -->';
const end = '<!-- /keys -->';

/** A page with its table brought up to date. */
export function withKeyTable(page: string): string {
  const [head, tail] = [page.indexOf(begin), page.indexOf(end)];
  if (head < 0 || tail < head) throw new Error(`the page needs the markers ${begin} and ${end}`);
  return `${page.slice(0, head + begin.length)}\n\n${keyTable()}\n\n${page.slice(tail)}`;
}
