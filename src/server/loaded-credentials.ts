// What the user is told at start: which credentials are there, and what to do when there are none (the seed asks for it).
import type { Credential, CredentialStore } from '../credentials/credential.ts';
import type { Log } from '../observe/log.ts';
import { providers } from '../providers/index.ts';

const scope = 'auth';

/** More files than this are told as a count only. */
const listed = 50;

export function logCredentials(log: Log, store: CredentialStore, folder: string): void {
  const credentials = store.list();
  log.info(`credentials are in ${folder}`, { scope });
  const files = credentials.filter((credential) => credential.source === 'file');
  if (files.length <= listed) {
    for (const credential of files)
      log.info(
        `loaded credential ${credential.provider} ${maskEmail(credential.label)} (${credential.id})${remark(credential)}`,
        { scope },
      );
  }
  const byProvider = new Map<string, number>();
  for (const credential of credentials)
    byProvider.set(credential.providerKey, (byProvider.get(credential.providerKey) ?? 0) + 1);
  for (const [key, count] of byProvider) {
    const provider = providers.get(key as Credential['provider']);
    log.info(`${provider?.displayName ?? key}: ${count} credential${count === 1 ? '' : 's'} loaded`, { scope });
  }
  if (credentials.length > 0) return;
  log.warn(
    'no credentials yet: log in with ./cliproxy -iflow-login (or -claude-login, -codex-login, -login, -antigravity-login, -qwen-login, -kimi-login), or add an API key to config.yaml (see config.example.yaml); they are picked up without a restart',
    { scope },
  );
}

function remark(credential: Credential): string {
  if (credential.disabled) return ', disabled';
  if (credential.status === 'active') return '';
  const command = providers.get(credential.provider)?.loginCommand;
  return `, ${credential.status}${command ? `: run ${command}` : ''}`;
}

/** `user@example.com` → `us***@example.com`: enough to tell accounts apart. */
export function maskEmail(label: string): string {
  const at = label.indexOf('@');
  if (at < 1) return label;
  return `${label.slice(0, Math.min(2, at))}***${label.slice(at)}`;
}
