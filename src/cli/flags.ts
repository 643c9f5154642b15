// Every command-line flag: one table for parsing, help and documentation (config.md §8, auth.md §2.1).
import type { ProviderId } from '../credentials/credential.ts';

export type FlagKind = 'bool' | 'text' | 'number';

export const flagGroups = ['Server', 'Log in', 'Options of a login', 'Other'] as const;
export type FlagGroup = (typeof flagGroups)[number];

export interface Flag {
  readonly name: string;
  readonly kind: FlagKind;
  readonly group: FlagGroup;
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
  /** Not in the help. */
  readonly hidden?: boolean;
  /** Set for login flags: who answers it. */
  readonly login?: ProviderId;
}

export const flags: readonly Flag[] = [
  {
    name: 'config',
    kind: 'text',
    group: 'Server',
    value: '<file>',
    help: 'configuration file (default: config.yaml, when there is one)',
  },
  {
    name: 'auth-dir',
    kind: 'text',
    group: 'Server',
    value: '<folder>',
    help: 'folder of the credential files (default: auth)',
  },
  { name: 'host', kind: 'text', group: 'Server', value: '<address>', help: 'address to listen on' },
  { name: 'port', kind: 'number', group: 'Server', value: '<n>', help: 'port to listen on (default: 8080)' },
  { name: 'log-dir', kind: 'text', group: 'Server', value: '<folder>', help: 'folder of the log files' },
  { name: 'local-model', kind: 'bool', group: 'Server', help: 'use the built-in model catalog only' },
  {
    name: 'password',
    kind: 'text',
    group: 'Server',
    value: '<key>',
    help: 'management key for this machine only',
    hidden: true,
  },
  { name: 'tui', kind: 'bool', group: 'Server', help: 'terminal interface', hidden: true },
  { name: 'standalone', kind: 'bool', group: 'Server', help: 'terminal interface with its own server', hidden: true },

  { name: 'iflow-login', kind: 'bool', group: 'Log in', help: 'iFlow, with the browser', login: 'iflow' },
  {
    name: 'iflow-cookie',
    kind: 'bool',
    group: 'Log in',
    help: 'iFlow, with the cookies of a browser session',
    login: 'iflow',
  },
  { name: 'claude-login', kind: 'bool', group: 'Log in', help: 'Claude', login: 'claude' },
  {
    name: 'codex-login',
    kind: 'bool',
    group: 'Log in',
    help: 'Codex (ChatGPT account), with the browser',
    login: 'codex',
  },
  {
    name: 'codex-device-login',
    kind: 'bool',
    group: 'Log in',
    help: 'Codex, with a code entered on any other machine',
    login: 'codex',
  },
  { name: 'login', kind: 'bool', group: 'Log in', help: 'Gemini CLI (Google account)', login: 'gemini-cli' },
  {
    name: 'antigravity-login',
    kind: 'bool',
    group: 'Log in',
    help: 'Antigravity (Google account)',
    login: 'antigravity',
  },
  { name: 'qwen-login', kind: 'bool', group: 'Log in', help: 'Qwen, with a code', login: 'qwen' },
  { name: 'kimi-login', kind: 'bool', group: 'Log in', help: 'Kimi, with a code', login: 'kimi' },
  {
    name: 'vertex-import',
    kind: 'text',
    group: 'Log in',
    value: '<file>',
    help: 'Vertex AI, from a service account key file',
    login: 'vertex',
  },

  { name: 'no-browser', kind: 'bool', group: 'Options of a login', help: 'only print the URL; paste the answer' },
  {
    name: 'oauth-callback-port',
    kind: 'number',
    group: 'Options of a login',
    value: '<n>',
    help: "listen there instead of on the provider's port",
  },
  {
    name: 'email',
    kind: 'text',
    group: 'Options of a login',
    value: '<address>',
    help: 'e-mail or alias, instead of a question (iFlow, Qwen)',
  },
  {
    name: 'project_id',
    kind: 'text',
    group: 'Options of a login',
    value: '<id>',
    help: 'Google Cloud project for -login: one, several as a,b, or ALL',
  },
  {
    name: 'vertex-import-prefix',
    kind: 'text',
    group: 'Options of a login',
    value: '<word>',
    help: 'models of the import become <word>/<model>',
  },

  { name: 'doctor', kind: 'bool', group: 'Other', help: 'look for what is wrong, say what to do' },
  {
    name: 'online',
    kind: 'bool',
    group: 'Other',
    help: 'with doctor: also ask the providers whether they answer, and what time it is there',
  },
  { name: 'seal', kind: 'bool', group: 'Other', help: 'encrypt the credential files with CLIPROXY_MASTER_KEY' },
  { name: 'unseal', kind: 'bool', group: 'Other', help: 'decrypt them again' },
  {
    name: 'check-config',
    kind: 'bool',
    group: 'Other',
    value: '[file]',
    help: 'check a configuration, print what it means',
  },
  { name: 'version', kind: 'bool', group: 'Other', help: 'print the version' },
  { name: 'help', kind: 'bool', group: 'Other', help: 'print this' },
];

export const flagByName: ReadonlyMap<string, Flag> = new Map(flags.map((flag) => [flag.name, flag]));

/** Flags that a start of the server may have: nothing but these needs no further code to be loaded. */
export const serverFlags: ReadonlySet<string> = new Set(
  flags.filter((flag) => flag.group === 'Server').map((flag) => flag.name),
);
