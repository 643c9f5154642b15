// The one schema of the configuration: types, defaults, sanitising, messages and documentation come from here
// (spec/config.md §4). Key names are those of the file.
import * as z from 'zod';
import { credentialLists, requestScopedErrors } from './credential-lists.ts';
import { bool, count, duration, key, networks, text, trimmed, words } from './kinds.ts';
import { ampcode, modelFallback, oauthModelMaps, payload } from './model-rules.ts';

// Each schema is used a few times in the life of a process: compiling it would cost more than it saves.
z.config({ jitless: true });

export const panelRepository = 'https://github.com/router-for-me/Cli-Proxy-API-Management-Center';
export const profilerAddress = '127.0.0.1:8316';
export const defaultPort = 8080;
export const defaultAuthFolder = 'auth';

export const strategies = ['round-robin', 'fill-first', 'weighted-round-robin', 'least-loaded', 'quota-aware'] as const;
export type Strategy = (typeof strategies)[number];

const strategyNames: Readonly<Record<string, Strategy>> = {
  '': 'round-robin',
  roundrobin: 'round-robin',
  rr: 'round-robin',
  fillfirst: 'fill-first',
  ff: 'fill-first',
  weighted: 'weighted-round-robin',
  wrr: 'weighted-round-robin',
  ...Object.fromEntries(strategies.map((name) => [name, name])),
};

/** The strategy a word stands for, any case; undefined for an unknown word. */
export function strategyOf(word: string): Strategy | undefined {
  return strategyNames[word.trim().toLowerCase()];
}

const restart = { reload: 'restart' } as const;
const none = { effect: 'none' } as const;
const planned = { effect: 'planned' } as const;
const secret = { secret: true } as const;

/** An object whose members have defaults: absent means all of them. */
const group = <T extends z.core.$ZodShape>(shape: T) => z.object(shape).prefault({} as never);

const listening = {
  host: key(text(), 'address to listen on; empty = all, but loopback as long as there are no `api-keys`', restart),
  port: key(z.int().min(0).max(65_535).default(defaultPort), 'port to listen on; 0 = any free one', restart),
  tls: key(
    group({
      enable: key(bool(), 'HTTPS instead of HTTP', restart),
      cert: key(trimmed(), 'PEM file of the certificate chain', restart),
      key: key(trimmed(), 'PEM file of the private key', restart),
    }),
    'TLS',
  ),
};

const access = {
  'remote-management': key(
    group({
      'allow-remote': key(bool(), 'management from other machines too; a key is needed in any case'),
      'secret-key': key(
        text(),
        'management key; a plain one is replaced by its bcrypt hash; empty = management off',
        secret,
      ),
      'disable-control-panel': key(bool(), 'no web panel at `/management.html`', planned),
      'disable-auto-update-panel': key(bool(), 'kept; the panel is part of the program', none),
      'panel-github-repository': key(
        z
          .string()
          .overwrite((url) => url.trim() || panelRepository)
          .default(panelRepository),
        'kept; the panel is part of the program',
        none,
      ),
    }),
    'management API and web panel',
  ),
  'management-keys': key(
    z
      .array(
        z.object({
          name: key(trimmed(), 'who it is, for the audit log'),
          hash: key(trimmed(), 'bcrypt hash of the key', secret),
          scope: key(z.enum(['admin', 'viewer']).default('viewer'), 'a viewer reads, with secrets masked'),
        }),
      )
      .default([]),
    'more management keys',
  ),
  'management-allowed-origins': key(words(), 'web origins that may call the management API'),
  'management-allowed-hosts': key(words(), 'host names accepted in `Host` from loopback, beside the usual ones'),
  'api-call-allowed-hosts': key(words(), "hosts to which management's api-call may send a stored token"),
  'auth-dir': key(
    z
      .string()
      .overwrite((folder) => folder.trim() || defaultAuthFolder)
      .default(defaultAuthFolder),
    'folder of the credential files; a leading `~` is the home folder',
  ),
  'strict-perms': key(bool(true), 'set credential files that others may read to 0600'),
  'api-keys': key(words(), 'keys that clients must send; empty = no key needed', secret),
  'allow-unauthenticated': key(bool(), 'no `api-keys` on an open address is intended'),
  'trusted-proxies': key(networks(), 'networks (CIDR) whose `X-Forwarded-For` is believed'),
};

const observing = {
  debug: key(bool(), 'log more'),
  pprof: key(
    group({
      enable: key(bool(), 'accepted and kept', none),
      addr: key(
        z
          .string()
          .overwrite((address) => address.trim() || profilerAddress)
          .default(profilerAddress),
        'its address',
      ),
    }),
    'accepted and kept: figures of the process are at `/metrics`',
    none,
  ),
  metrics: key(group({ enable: key(bool(true), 'Prometheus figures at `/metrics`') }), 'metrics'),
  'commercial-mode': key(bool(), 'never write request or error logs', restart),
  'logging-to-file': key(bool(), 'log to `main.log` instead of standard output'),
  'logs-max-total-size-mb': key(count(), 'cap of the log folder in MiB; 0 = none'),
  'error-logs-max-files': key(count(10, 10), 'error logs kept; 0 = all'),
  'request-log': key(bool(), 'log every request in full'),
  'request-log-bodies': key(bool(true), 'bodies too'),
  'usage-statistics-enabled': key(bool(), 'count requests and tokens'),
  'usage-retention-days': key(count(30), 'days that statistics are kept; 0 = for ever'),
};

const outbound = {
  'proxy-url': key(
    text(),
    'outbound proxy (`http` `https` `socks5` `socks5h`); `direct` or `none` = not even those of the environment',
  ),
  'connect-timeout-seconds': key(count(10), 'to reach an upstream; 0 = off'),
  'first-byte-timeout-seconds': key(count(), 'from request to first byte of the answer; 0 = off'),
  'idle-timeout-seconds': key(count(), 'between two pieces of an answer; 0 = off'),
  endpoints: key(
    z.record(z.string(), z.record(z.string(), z.string().trim())).default({}),
    "other URLs for a provider's services: provider → purpose → URL",
  ),
  'oauth-clients': key(
    z
      .record(
        z.string(),
        z.object({
          'client-id': key(z.string().trim().optional(), 'OAuth client id'),
          'client-secret': key(z.string().trim().optional(), 'OAuth client secret', secret),
        }),
      )
      .default({}),
    'another OAuth client per provider',
  ),
  'oauth-callback-host': key(trimmed(), 'address on which a login waits for the browser; empty = loopback'),
  iflow: key(group({ 'cookie-auto-renew': key(bool(true), 'renew the API key with the stored cookie') }), 'iFlow'),
};

const serving = {
  'force-model-prefix': key(bool(), 'credentials with a prefix answer only as `prefix/model`'),
  'passthrough-headers': key(bool(), 'hand harmless headers of the upstream on to the client'),
  'ws-auth': key(bool(), 'a client key is needed on `/v1/ws`', planned),
  'enable-gemini-cli-endpoint': key(bool(), "serve Gemini CLI's `/v1internal` to loopback clients"),
  'nonstream-keepalive-interval': key(count(), 'seconds between newlines while a whole answer is awaited; 0 = off'),
  streaming: key(
    group({
      'keepalive-seconds': key(count(), 'seconds between comments in a silent stream; 0 = off'),
      'bootstrap-retries': key(count(), 'extra starts of a stream before its first byte'),
    }),
    'streams',
  ),
  'body-limit-mb': key(z.int().min(1).default(64), 'largest request body in MiB', restart),
  'shutdown-timeout-seconds': key(count(30), 'time for open requests after SIGTERM'),
  'antigravity-signature-cache-enabled': key(
    z.boolean().nullable().default(null),
    'kept without effect: signatures travel with the client',
    none,
  ),
  'antigravity-signature-bypass-strict': key(z.boolean().nullable().default(null), 'kept without effect', none),
};

const routing = {
  'request-retry': key(count(), 'more rounds after all credentials failed'),
  'max-retry-credentials': key(count(), 'credentials tried per round; 0 = all'),
  'max-retry-interval': key(count(), 'longest wait in seconds for a cooling credential between rounds; 0 = no rounds'),
  'disable-cooling': key(bool(), 'never let a failed credential rest'),
  'max-cooldown': key(duration(), 'longest rest of a credential; empty = as long as the upstream says'),
  'cooldown-probe-after': key(duration('15m'), 'rests longer than this are probed with a real request'),
  'cooldown-probe-interval': key(duration('15m'), 'time between two probes'),
  'transient-error-cooldown-seconds': key(
    z.int().min(-1).default(0),
    'rest after a 5xx or network error; 0 = 1, 2, 4 … 60 s; -1 = none',
  ),
  'not-found-cooldown-seconds': key(count(900), 'rest after "no such model"; 0 = none'),
  'max-concurrency': key(count(), 'requests at once per credential; 0 = no limit'),
  'client-max-concurrency': key(count(), 'requests at once per client key; 0 = no limit'),
  'queue-timeout-seconds': key(count(30), 'longest wait for a free place before 429'),
  'auth-auto-refresh-workers': key(
    z
      .int()
      .overwrite((n) => (n <= 0 ? 16 : n))
      .default(16),
    'token refreshes at once',
    restart,
  ),
  'quota-exceeded': key(
    group({
      'switch-project': key(bool(), 'kept without effect, as in the reference', none),
      'switch-preview-model': key(bool(), 'kept without effect, as in the reference', none),
      'antigravity-credits': key(bool(), 'Antigravity: use paid credits when the free quota is out'),
    }),
    'what to do when a quota is out',
  ),
  routing: key(
    group({
      strategy: key(
        z
          .string()
          .overwrite((word) => strategyOf(word) ?? 'round-robin')
          .pipe(z.enum(strategies))
          .default('round-robin'),
        'how a credential is picked',
      ),
      'session-affinity': key(bool(), 'keep a conversation on one credential'),
      'session-affinity-ttl': key(duration('1h'), 'how long after its last request'),
      'session-affinity-hash': key(bool(), 'recognise conversations by their first words when nothing else tells'),
    }),
    'choice of the credential',
  ),
  'model-fallback': key(modelFallback, 'models to try when one cannot answer'),
  'save-cooldown-status': key(bool(), "the newer reference's switch; here `state-file` decides", none),
  'state-file': key(
    trimmed(),
    'where rests and counters survive a restart; empty = in `auth-dir`, `none` = nowhere',
    restart,
  ),
  'oauth-request-scoped-errors': key(
    z.record(z.string(), requestScopedErrors()).default({}),
    'rules for errors that concern one request only, per login channel',
    planned,
  ),
};

const imitation = {
  'claude-header-defaults': key(
    group({
      'user-agent': key(trimmed(), 'accepted and kept', none),
      'package-version': key(trimmed(), 'accepted and kept', none),
      'runtime-version': key(trimmed(), 'accepted and kept', none),
      os: key(trimmed(), 'accepted and kept', none),
      arch: key(trimmed(), 'accepted and kept', none),
      timeout: key(trimmed(), 'accepted and kept', none),
      'stabilize-device-profile': key(z.boolean().nullable().default(null), 'accepted and kept', none),
    }),
    'accepted and kept: this program sends its own headers',
    none,
  ),
  'codex-header-defaults': key(
    group({
      'user-agent': key(trimmed(), 'accepted and kept', none),
      'beta-features': key(trimmed(), '`X-Codex-Beta-Features` for Codex over WebSocket when the client sends none'),
    }),
    'headers for Codex',
  ),
};

export const configSchema = z.object({
  ...listening,
  ...access,
  ...observing,
  ...outbound,
  ...routing,
  ...serving,
  ...credentialLists,
  ...imitation,
  ...oauthModelMaps,
  payload: key(payload.prefault({}), 'rules that rewrite request bodies'),
  ampcode: key(
    ampcode.prefault({}),
    'accepted and kept: the reverse proxy for the Amp CLI is not part of this program',
    none,
  ),
});

type DeepReadonly<T> = T extends (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The effective configuration: the file's own key names, every default filled in. An immutable snapshot. */
export type Config = DeepReadonly<z.output<typeof configSchema>>;

/** One entry of a credential list. */
export type ConfigEntry<
  K extends 'gemini-api-key' | 'codex-api-key' | 'claude-api-key' | 'vertex-api-key' | 'openai-compatibility',
> = Config[K][number];

/** What an empty file means. */
export function defaultConfig(): Config {
  return configSchema.parse({});
}
