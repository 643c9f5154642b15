// The user's browser: opens an authorization or device page, decides, and follows the way back to the application.

import { randomHex } from './accounts.ts';
import type { Surroundings } from './call.ts';
import { clientOf } from './tokens.ts';
import type { FakeProviderId } from './types.ts';

export interface Decision {
  /** Who is logged in; default `alice`. */
  account?: string;
  deny?: boolean;
  /** Comes back instead of the application's state: an attack. */
  state?: string;
  /** Open the redirect (default), or only say where it goes: for pasted callbacks. */
  follow?: boolean;
  /** For pages that ask for the code. */
  userCode?: string;
}

export interface Visit {
  provider: FakeProviderId;
  flow: 'code' | 'device';
  /** Everything that is wrong with the URL. */
  problems: string[];
  /** Where the browser is sent; absent for device pages. */
  redirect?: string;
  code?: string;
  state?: string;
  /** What the application's callback answered. */
  page?: { status: number; body: string; location: string };
}

interface AuthorizePage {
  provider: 'iflow' | 'claude' | 'codex' | 'gemini-cli' | 'antigravity';
  /** Parameters with the only value they may have. */
  exact: Readonly<Record<string, string>>;
  scopes: readonly string[];
  redirectParameter: string;
  callbackPath: string;
  /** Port of a registered redirect URI that is not flexible. */
  port?: string;
  pkce: boolean;
}

const google = 'https://www.googleapis.com/auth/';
const googleScopes = ['cloud-platform', 'userinfo.email', 'userinfo.profile'].map((name) => google + name);

const authorizePages: Readonly<Record<string, AuthorizePage>> = {
  '/iflow/oauth': {
    provider: 'iflow',
    exact: { loginMethod: 'phone', type: 'phone' },
    scopes: [],
    redirectParameter: 'redirect',
    callbackPath: '/oauth2callback',
    pkce: false,
  },
  '/claude/oauth/authorize': {
    provider: 'claude',
    exact: { response_type: 'code', code: 'true' },
    scopes: ['user:inference', 'user:profile'],
    redirectParameter: 'redirect_uri',
    callbackPath: '/callback',
    port: '54545',
    pkce: true,
  },
  '/codex/oauth/authorize': {
    provider: 'codex',
    exact: { response_type: 'code', id_token_add_organizations: 'true', codex_cli_simplified_flow: 'true' },
    scopes: ['openid', 'email', 'profile', 'offline_access'],
    redirectParameter: 'redirect_uri',
    callbackPath: '/auth/callback',
    port: '1455',
    pkce: true,
  },
  '/gemini-cli/o/oauth2/auth': {
    provider: 'gemini-cli',
    exact: { response_type: 'code', access_type: 'offline' },
    scopes: googleScopes,
    redirectParameter: 'redirect_uri',
    callbackPath: '/oauth2callback',
    pkce: false,
  },
  '/antigravity/o/oauth2/v2/auth': {
    provider: 'antigravity',
    exact: { response_type: 'code', access_type: 'offline' },
    scopes: [...googleScopes, `${google}cclog`, `${google}experimentsandconfigs`],
    redirectParameter: 'redirect_uri',
    callbackPath: '/oauth-callback',
    pkce: false,
  },
};

const devicePages: Readonly<Record<string, FakeProviderId>> = {
  '/qwen/authorize': 'qwen',
  '/kimi/code/authorize_device': 'kimi',
  '/codex/codex/device': 'codex',
};

/** Rejects for a URL that no browser could use; what the service would only frown at is in `problems`. */
export async function authorize(world: Surroundings, text: string, decision: Decision = {}): Promise<Visit> {
  const url = new URL(text.trim());
  if (url.origin !== world.origin) throw new Error(`${url.origin} is not part of this world`);
  const device = devicePages[url.pathname];
  if (device !== undefined) return approve(world, device, url, decision);
  const page = authorizePages[url.pathname];
  if (page === undefined) throw new Error(`${url.pathname} is no authorization page`);
  const visit = checkUrl(page, url);
  const redirect = new URL(url.searchParams.get(page.redirectParameter) ?? '');
  grant(world, page, url, redirect, decision, visit);
  if (decision.follow !== false) visit.page = await open(redirect);
  return visit;
}

function checkUrl(page: AuthorizePage, url: URL): Visit {
  const query = url.searchParams;
  const problems: string[] = [];
  const exact = { client_id: clientOf(page.provider).id, ...page.exact };
  for (const [name, value] of Object.entries(exact)) {
    if (query.get(name) !== value) problems.push(`${name}=${query.get(name)}, not ${value}`);
  }
  const scopes = (query.get('scope') ?? '').split(/\s+/);
  for (const scope of page.scopes) if (!scopes.includes(scope)) problems.push(`scope lacks ${scope}`);
  if (!/^[A-Za-z0-9._-]{16,128}$/.test(query.get('state') ?? '')) problems.push('state is missing or guessable');
  const challenge = query.get('code_challenge') ?? '';
  if (challenge !== '' || page.pkce) {
    if (!/^[A-Za-z0-9_-]{43}$/.test(challenge)) problems.push('code_challenge');
    if (query.get('code_challenge_method') !== 'S256') problems.push('code_challenge_method');
  }
  const redirect = URL.parse(query.get(page.redirectParameter) ?? '');
  const loopback = redirect?.hostname === 'localhost' || redirect?.hostname === '127.0.0.1';
  if (redirect === null || redirect.protocol !== 'http:' || !loopback || redirect.port === '') {
    throw new Error(`redirect ${query.get(page.redirectParameter)} refused`);
  }
  if (redirect.pathname !== page.callbackPath) problems.push(`redirect path ${redirect.pathname}`);
  if (page.port !== undefined && redirect.port !== page.port) problems.push(`redirect port ${redirect.port}`);
  return { provider: page.provider, flow: 'code', problems };
}

function grant(
  world: Surroundings,
  page: AuthorizePage,
  url: URL,
  redirect: URL,
  decision: Decision,
  visit: Visit,
): void {
  const query = url.searchParams;
  const redirectUri = redirect.href;
  if (decision.deny === true) {
    redirect.searchParams.set('error', 'access_denied');
    redirect.searchParams.set('error_description', 'The user denied the request');
  } else {
    visit.code = `code-${page.provider}-${randomHex(12)}`;
    redirect.searchParams.set('code', visit.code);
    world.identity.account(page.provider, decision.account ?? 'alice');
    world.identity.codes.set(visit.code, {
      provider: page.provider,
      account: decision.account ?? 'alice',
      clientId: query.get('client_id') ?? '',
      redirectUri: query.get(page.redirectParameter) ?? redirectUri,
      challenge: query.get('code_challenge') ?? '',
      state: query.get('state') ?? '',
      used: false,
    });
  }
  visit.state = decision.state ?? query.get('state') ?? '';
  redirect.searchParams.set('state', visit.state);
  visit.redirect = redirect.href;
}

function approve(world: Surroundings, provider: FakeProviderId, url: URL, decision: Decision): Visit {
  const userCode = url.searchParams.get('user_code') ?? decision.userCode ?? '';
  const account = decision.account ?? 'alice';
  for (const device of world.identity.devices.values()) {
    if (device.provider !== provider || device.userCode !== userCode || device.state !== 'pending') continue;
    device.account = account;
    device.state = decision.deny === true ? 'denied' : 'approved';
    world.identity.account(provider, account);
    return { provider, flow: 'device', problems: [] };
  }
  throw new Error(`no device waits with the code ${JSON.stringify(userCode)}`);
}

/** Opens the callback as a browser does, without following where it sends us then. */
async function open(redirect: URL): Promise<{ status: number; body: string; location: string }> {
  const response = await fetch(redirect, { redirect: 'manual' });
  return { status: response.status, body: await response.text(), location: response.headers.get('location') ?? '' };
}
