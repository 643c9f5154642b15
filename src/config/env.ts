// Environment variables and the `.env` file of the working directory (spec/config.md §9).
import { readFileSync } from 'node:fs';
import path from 'node:path';

export type Env = Readonly<Record<string, string | undefined>>;

/** A variable, trimmed; blank counts as unset. */
export function variable(env: Env, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

/**
 * `KEY=value` lines: optional `export `, `#` comments, single or double quotes, `${VAR}` outside single quotes (from
 * the file's earlier lines, then from `env`).
 */
export function parseDotEnv(text: string, env: Env = {}): Record<string, string> {
  const values: Record<string, string> = Object.create(null);
  const expand = (value: string) =>
    value.replace(/(?<!\\)\$\{([A-Za-z_]\w*)\}/g, (_, name: string) => env[name] ?? values[name] ?? '');
  const line = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.]*)[ \t]*=[ \t]*(?:'([^']*)'|"((?:\\.|[^"\\])*)"|([^\r\n]*))/gm;
  for (const [, name, single, double, plain] of text.replace(/^\ufeff/, '').matchAll(line)) {
    if (single !== undefined) values[name as string] = single;
    else if (double !== undefined) values[name as string] = unescaped(expand(double));
    else values[name as string] = expand((plain ?? '').replace(/(^|[ \t])#.*$/, '').trim());
  }
  return { ...values };
}

function unescaped(text: string): string {
  const names: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return text.replace(/\\(.)/gs, (_, character: string) => names[character] ?? character);
}

/** The environment with `<folder>/.env` below it: a variable that is set stays. A missing file is fine. */
export function withDotEnv(env: Env, folder: string): { env: Env; warning?: string } {
  const file = path.join(folder, '.env');
  try {
    return { env: { ...parseDotEnv(readFileSync(file, 'utf8'), env), ...env } };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    return code === 'ENOENT' ? { env } : { env, warning: `config: ${file} was not read: ${code}` };
  }
}
