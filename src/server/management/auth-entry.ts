// One credential as `GET auth-files` shows it (management-api.md §12.1, R18).
import type { Stats } from 'node:fs';
import type { Credential, CredentialStatus } from '../../credentials/credential.ts';
import type { CredentialHealth } from './deps.ts';
import { mask } from './redact.ts';

/** Statuses the reference's panels know; ours in `health`. */
const shownStatus: Readonly<Record<CredentialStatus, string>> = {
  active: 'active',
  disabled: 'disabled',
  pending: 'pending',
  expired: 'error',
  reauth_required: 'error',
  invalid: 'error',
  unsupported: 'unknown',
};

const time = (ms: number): string => new Date(ms).toISOString();

export function authEntry(
  credential: Credential,
  facts: Stats | undefined,
  health: CredentialHealth | undefined,
  now: number,
): Record<string, unknown> {
  const fields = credential.fields.reveal();
  const name = credential.source === 'file' ? fileOf(credential) : credential.id;
  const label = credential.email ?? nonEmpty(fields.email) ?? undefined;
  const cooldowns = (health?.cooldowns ?? []).filter((window) => window.until > now);
  const entry: Record<string, unknown> = {
    id: credential.id,
    name,
    type: credential.providerKey,
    provider: credential.providerKey,
    auth_index: credential.authIndex,
    label: label ?? credential.providerKey,
    ...account(credential, label),
    ...state(credential, health, cooldowns),
    disabled: credential.disabled,
    runtime_only: credential.source !== 'file',
    source: credential.source === 'file' ? 'file' : 'memory',
    size: facts?.size ?? 0,
    success: health?.success ?? 0,
    failed: health?.failed ?? 0,
    recent_requests: (health?.recent ?? []).map(({ start, success, failed }) => ({
      time: span(start),
      success,
      failed,
    })),
    cooldowns: cooldowns.map(({ model, reason, until, attempts }) => ({ model, reason, until: time(until), attempts })),
    health: credential.status,
    weight: credential.weight,
  };
  if (label !== undefined) entry.email = label;
  if (credential.path !== undefined) entry.path = credential.path;
  if (facts) {
    entry.created_at = time(facts.birthtimeMs || facts.ctimeMs);
    entry.updated_at = time(facts.mtimeMs);
    entry.modtime = time(facts.mtimeMs);
  } else {
    entry.created_at = time(now);
    entry.updated_at = time(now);
    entry.modtime = time(now);
  }
  if (credential.lastRefreshAt !== undefined) entry.last_refresh = time(credential.lastRefreshAt);
  if (credential.expiresAt !== undefined) entry.expires_at = time(credential.expiresAt);
  if (credential.priority !== 0) entry.priority = credential.priority;
  if (credential.note) entry.note = credential.note;
  if (credential.prefix) entry.prefix = credential.prefix;
  if (credential.projectId) entry.project_id = credential.projectId;
  if (credential.plan) entry.plan = credential.plan;
  if (credential.websockets !== undefined) entry.websockets = credential.websockets;
  if (credential.requestRetry !== undefined) entry.request_retry = credential.requestRetry;
  if (health?.quota) {
    entry.quota = {
      remaining: health.quota.remaining,
      ...(health.quota.resetAt === undefined ? {} : { reset_at: time(health.quota.resetAt) }),
    };
  }
  const token = codexToken(credential);
  if (token) entry.id_token = token;
  return entry;
}

function fileOf(credential: Credential): string {
  return credential.id.split('::', 1)[0] as string;
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

/** Gemini CLI shows `mail (project)`: the panel reads the project from there. */
function account(credential: Credential, label: string | undefined): Record<string, unknown> {
  if (credential.kind === 'api-key' && credential.source === 'config') {
    return { account_type: 'api_key', account: mask(credential.token?.reveal() ?? '') };
  }
  if (label === undefined) return {};
  const project = credential.provider === 'gemini-cli' && credential.projectId ? ` (${credential.projectId})` : '';
  return { account_type: 'oauth', account: `${label}${project}` };
}

function state(
  credential: Credential,
  health: CredentialHealth | undefined,
  cooldowns: readonly { until: number }[],
): Record<string, unknown> {
  const told = credential.statusMessage || health?.lastError || '';
  const dead = credential.status === 'reauth_required' || credential.status === 'expired';
  const message = dead ? `${credential.status}: ${told}` : told;
  const own = credential.disabled ? 'disabled' : shownStatus[credential.status];
  const shown: Record<string, unknown> = {
    status: own === 'active' && message !== '' ? 'error' : own,
    status_message: message,
    unavailable: cooldowns.length > 0,
  };
  if (cooldowns.length > 0) shown.next_retry_after = time(Math.min(...cooldowns.map((window) => window.until)));
  return shown;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `15:00-15:10`, server local time. */
export function span(start: number): string {
  const clock = (ms: number): string => `${two(new Date(ms).getHours())}:${two(new Date(ms).getMinutes())}`;
  return `${clock(start)}-${clock(start + 600_000)}`;
}

const authClaim = 'https://api.openai.com/auth';

/** The four public claims of a Codex id token that panels need; the token itself is never shown. */
function codexToken(credential: Credential): Record<string, unknown> | undefined {
  if (credential.provider !== 'codex') return undefined;
  const claims = payloadOf(credential.fields.reveal().id_token)?.[authClaim];
  if (typeof claims !== 'object' || claims === null) return undefined;
  const given = claims as Record<string, unknown>;
  const shown: Record<string, unknown> = {};
  for (const [name, claim] of [
    ['chatgpt_account_id', 'chatgpt_account_id'],
    ['plan_type', 'chatgpt_plan_type'],
    ['chatgpt_subscription_active_start', 'chatgpt_subscription_active_start'],
    ['chatgpt_subscription_active_until', 'chatgpt_subscription_active_until'],
  ] as const) {
    if (given[claim] !== undefined && given[claim] !== null) shown[name] = given[claim];
  }
  return Object.keys(shown).length > 0 ? shown : undefined;
}

function payloadOf(token: unknown): Record<string, unknown> | undefined {
  if (typeof token !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
