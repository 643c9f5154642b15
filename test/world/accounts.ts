// The users of the fake services and their live credentials: tokens expire, refresh tokens are used once, iFlow's keys
// die when they are replaced.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { formatInstant } from '../../src/credentials/expiry.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import type { FakeProviderId } from './types.ts';

export interface AccountOptions {
  /** s; negative: already expired. Default: the provider's usual life. */
  expiresIn?: number;
  email?: string;
  phone?: string;
  plan?: string;
  projects?: readonly string[];
  /** iFlow: name of the API key; default the e-mail. */
  keyName?: string;
  /** iFlow: state of the browser session. */
  cookie?: 'ok' | 'expired' | 'no-key';
  /** iFlow: days that a key from a cookie lives; default 7. */
  keyDays?: number;
  /** User info without an e-mail. */
  noEmail?: boolean;
  /** iFlow: user info without a key. */
  noApiKey?: boolean;
  /** The refresh token is refused. */
  refreshBroken?: boolean;
  /** Google: no project until `onboardUser`. */
  notOnboarded?: boolean;
}

export interface Account {
  readonly provider: FakeProviderId;
  readonly name: string;
  email: string;
  phone: string;
  accessToken: string;
  refreshToken: string;
  idToken: string;
  /** iFlow and API-key services. */
  apiKey: string;
  /** Unix ms. */
  expiresAt: number;
  /** How many sets of tokens were issued. */
  generation: number;
  /** Successful refreshes and key renewals. */
  refreshes: number;
  /** iFlow: value of `BXAuth`. */
  cookie: string;
  cookieState: 'ok' | 'expired' | 'no-key';
  /** iFlow: `YYYY-MM-DD HH:mm`, UTC. */
  keyExpires: string;
  keyName: string;
  keyDays: number;
  projects: readonly string[];
  onboarded: boolean;
  uuid: string;
  plan: string;
  noEmail: boolean;
  noApiKey: boolean;
  refreshBroken: boolean;
}

export interface Settings {
  /** s, instead of the providers' own. */
  expiresIn?: number;
  /** Refresh tokens are replaced at each use (never Google's). */
  rotateRefresh: boolean;
  /** s, announced by device flows. */
  deviceInterval: number;
  /** "Not yet" answers given after the approval. */
  devicePending: number;
}

export interface AuthorizationCode {
  provider: FakeProviderId;
  account: string;
  clientId: string;
  redirectUri: string;
  challenge: string;
  state: string;
  used: boolean;
}

export interface DeviceGrant {
  provider: FakeProviderId;
  deviceCode: string;
  userCode: string;
  challenge: string;
  /** Codex: the verifier comes from the service. */
  verifier: string;
  account: string;
  state: 'pending' | 'approved' | 'denied' | 'used';
  polls: number;
}

export interface ServiceAccount {
  email: string;
  project: string;
  publicKey: KeyObject;
  /** The JSON key file that Google hands out. */
  keyFile: JsonObject;
}

interface TokenState {
  account: Account;
  /** Unix ms. */
  expiresAt?: number;
  revoked: boolean;
}

/** Usual lives of access tokens, in s. */
const lifetimes: Partial<Record<FakeProviderId, number>> = {
  iflow: 172_800,
  claude: 28_800,
  codex: 864_000,
  'gemini-cli': 3_599,
  antigravity: 3_599,
  qwen: 21_600,
  kimi: 900,
  vertex: 3_600,
};

export class Identity {
  readonly settings: Settings;
  readonly codes = new Map<string, AuthorizationCode>();
  readonly devices = new Map<string, DeviceGrant>();
  readonly serviceAccounts = new Map<string, ServiceAccount>();
  readonly #accounts = new Map<string, Account>();
  readonly #tokens = new Map<string, TokenState>();
  readonly #refresh = new Map<string, Account>();
  readonly #spent = new Map<string, string>();

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** The account, made without tokens when it is new. */
  account(provider: FakeProviderId, name: string, options: AccountOptions = {}): Account {
    const key = `${provider}/${name}`;
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const email = options.email ?? `${name}@${provider}.test`;
    const account: Account = {
      provider,
      name,
      email,
      phone: options.phone ?? '',
      accessToken: '',
      refreshToken: '',
      idToken: '',
      apiKey: '',
      expiresAt: 0,
      generation: 0,
      refreshes: 0,
      cookie: `bx-${name}-${randomHex(4)}`,
      cookieState: options.cookie ?? 'ok',
      keyExpires: '',
      keyName: options.keyName ?? email,
      keyDays: options.keyDays ?? 7,
      projects: options.projects ?? [`proj-${name}`],
      onboarded: options.notOnboarded !== true,
      uuid: uuidFrom(key),
      plan: options.plan ?? 'plus',
      noEmail: options.noEmail ?? false,
      noApiKey: options.noApiKey ?? false,
      refreshBroken: options.refreshBroken ?? false,
    };
    this.#accounts.set(key, account);
    return account;
  }

  /** A new set of tokens. The refresh token is replaced when `rotate` says so, or when there is none. */
  issue(account: Account, options: { expiresIn?: number; rotate: boolean }): void {
    const now = Date.now();
    const life = options.expiresIn ?? this.settings.expiresIn ?? lifetimes[account.provider] ?? 3_600;
    account.generation++;
    account.expiresAt = now + life * 1_000;
    const tag = `${account.name}-g${account.generation}-${randomHex(6)}`;
    account.accessToken = accessToken(account, tag);
    if (account.provider === 'codex') account.idToken = jwt(codexClaims(account));
    this.#tokens.set(account.accessToken, { account, expiresAt: account.expiresAt, revoked: false });
    if (options.rotate || account.refreshToken === '') {
      if (account.refreshToken !== '') {
        this.#refresh.delete(account.refreshToken);
        this.#spent.set(account.refreshToken, account.name);
      }
      account.refreshToken = `${account.provider}-rt-${tag}`;
      this.#refresh.set(account.refreshToken, account);
    }
    if (account.provider === 'iflow') this.issueKey(account);
  }

  /** A new API key; the one before stops working. */
  issueKey(account: Account): void {
    const before = this.#tokens.get(account.apiKey);
    if (before !== undefined) before.revoked = true;
    account.apiKey = `sk-${account.name}-${randomHex(10)}`;
    account.keyExpires = zoneless(Date.now() + account.keyDays * 86_400_000);
    this.#tokens.set(account.apiKey, { account, revoked: false });
  }

  /** A key that works from now on, for API-key services. */
  addKey(account: Account, key: string): void {
    account.apiKey = key;
    this.#tokens.set(key, { account, revoked: false });
  }

  revoke(account: Account, what: 'access' | 'refresh' | 'api-key' | 'all'): void {
    const tokens = { access: account.accessToken, 'api-key': account.apiKey } as const;
    for (const kind of ['access', 'api-key'] as const) {
      const state = this.#tokens.get(tokens[kind]);
      if (state !== undefined && (what === kind || what === 'all')) state.revoked = true;
    }
    if (what === 'refresh' || what === 'all') this.#refresh.delete(account.refreshToken);
  }

  /** Who may use this token now; `problem` says why not. */
  lookup(provider: FakeProviderId | '', token: string): { account?: Account; name: string; problem: string } {
    if (token === '') return { name: '', problem: 'no credential' };
    const state = this.#tokens.get(token);
    if (state === undefined) return { name: '', problem: 'unknown credential' };
    const { account } = state;
    const found = { account, name: account.name };
    if (account.provider !== provider) return { ...found, problem: `credential of ${account.provider}` };
    if (state.revoked) return { ...found, problem: 'revoked credential' };
    if (state.expiresAt !== undefined && Date.now() > state.expiresAt) {
      return { ...found, problem: 'expired credential' };
    }
    return { ...found, problem: '' };
  }

  /** The account of a refresh token; `spentBy` when it was used before. */
  byRefreshToken(token: string): { account?: Account; spentBy?: string } {
    const account = this.#refresh.get(token);
    if (account !== undefined) return { account };
    const spentBy = this.#spent.get(token);
    return spentBy === undefined ? {} : { spentBy };
  }

  byCookie(value: string): Account | undefined {
    return [...this.#accounts.values()].find((account) => account.provider === 'iflow' && account.cookie === value);
  }

  serviceAccount(project: string, tokenUri: string): ServiceAccount {
    const email = `sa@${project}.iam.gserviceaccount.com`;
    const known = this.serviceAccounts.get(email);
    if (known !== undefined) return known;
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const made: ServiceAccount = {
      email,
      project,
      publicKey,
      keyFile: {
        type: 'service_account',
        project_id: project,
        private_key_id: randomHex(8),
        private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        client_email: email,
        client_id: '1',
        token_uri: tokenUri,
      },
    };
    this.serviceAccounts.set(email, made);
    return made;
  }
}

function accessToken(account: Account, tag: string): string {
  switch (account.provider) {
    case 'claude':
      return `sk-ant-oat01-${tag}`;
    case 'codex':
      return jwt({ ...codexClaims(account), jti: tag });
    case 'gemini-cli':
    case 'antigravity':
    case 'vertex':
      return `ya29.${tag}`;
    default:
      return `${account.provider}-at-${tag}`;
  }
}

function codexClaims(account: Account): JsonObject {
  return {
    iss: 'https://auth.openai.com',
    aud: ['app'],
    sub: `auth0|${account.name}`,
    exp: Math.floor(account.expiresAt / 1_000),
    ...(account.noEmail ? {} : { email: account.email }),
    'https://api.openai.com/auth': {
      chatgpt_account_id: account.uuid,
      chatgpt_plan_type: account.plan,
      chatgpt_user_id: `user-${account.name}`,
      organizations: [{ id: `org-${account.name}`, is_default: true, role: 'owner', title: 'Personal' }],
    },
  };
}

/** A token of the right form; nobody can verify its signature. */
export function jwt(claims: JsonObject): string {
  const encode = (value: JsonObject): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}.c2lnbmF0dXJl`;
}

export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

export function uuidFrom(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** `YYYY-MM-DD HH:mm`, as iFlow writes times. */
function zoneless(ms: number): string {
  return formatInstant(ms).slice(0, 16).replace('T', ' ');
}
