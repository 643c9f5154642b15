// The exact command that makes a dead login live again, for messages (spec/auth.md R11).
import type { CredentialKind } from '../credentials/credential.ts';
import type { Provider } from './provider.ts';

/** `./cliproxy -iflow-cookie`; undefined for API keys, which have no login. */
export function loginCommand(provider: Provider | undefined, kind: CredentialKind): string | undefined {
  return provider?.loginCommands?.[kind] ?? provider?.loginCommand;
}

/** `; log in again: <command>`, or nothing. */
export function loginAdvice(provider: Provider | undefined, kind: CredentialKind): string {
  const command = loginCommand(provider, kind);
  return command === undefined ? '' : `; log in again: ${command}`;
}
