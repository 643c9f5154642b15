// Names of credential files: what each provider's file is called, and what may be in a name (auth.md §2.7, §3).
import { createHash } from 'node:crypto';

/** Keeps `[A-Za-z0-9@._+-]`, `*` becomes `x`, no leading dots, at most 100 characters; `fallback` when nothing is left. */
export function safeName(text: string, fallback: string): string {
  const safe = text
    .trim()
    .replaceAll('*', 'x')
    .replace(/[^A-Za-z0-9@._+-]/g, '')
    .replace(/^\.+/, '')
    .slice(0, 100);
  return safe === '' ? fallback : safe;
}

/** `iflow-<email>-<unix s>.json`; `attempt` 2, 3 … when that one is taken. */
export function iflowFileName(email: string, nowMs: number, attempt = 1): string {
  const suffix = attempt > 1 ? `-${attempt}` : '';
  return `iflow-${safeName(email, 'account')}-${Math.floor(nowMs / 1000)}${suffix}.json`;
}

/** The organization is added when another organization's file has the plain name. */
export function claudeFileName(email: string, organization?: string): string {
  const suffix = organization ? `-${safeName(organization, 'org').slice(0, 8)}` : '';
  return `claude-${safeName(email, 'account')}${suffix}.json`;
}

/** `codex-<hash8>-<email>-<plan>.json`: the account id tells teams of one person apart. */
export function codexFileName(email: string, accountId?: string, plan?: string): string {
  const hash = accountId ? `${createHash('sha256').update(accountId).digest('hex').slice(0, 8)}-` : '';
  const planSlug = (plan ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return `codex-${hash}${safeName(email, 'account')}${planSlug === '' ? '' : `-${planSlug}`}.json`;
}

/** One project: its id; several: `all`. */
export function geminiFileName(email: string, projects: readonly string[]): string {
  const project = projects.length === 1 ? safeName(projects[0] ?? '', 'project') : 'all';
  return `gemini-${safeName(email, 'account')}-${project}.json`;
}

export function antigravityFileName(email: string): string {
  return `antigravity-${safeName(email, 'account')}.json`;
}

export function qwenFileName(emailOrAlias: string): string {
  return `qwen-${safeName(emailOrAlias, 'account')}.json`;
}

export function kimiFileName(nowMs: number): string {
  return `kimi-${nowMs}.json`;
}

/** `/ \ :` become `_`, blanks `-` (auth.md §3.10), then the common rule. */
export function vertexFileName(project: string, prefix?: string): string {
  const part = (text: string) =>
    safeName(
      text
        .trim()
        .replace(/[/\\:]/g, '_')
        .replaceAll(' ', '-'),
      'project',
    );
  return `vertex-${prefix ? `${part(prefix)}-` : ''}${part(project)}.json`;
}

/** A finished authorization whose set-up is not (R7). */
export function pendingFileName(provider: string, nowMs: number): string {
  return `pending-${provider}-${Math.floor(nowMs / 1000)}.json`;
}
