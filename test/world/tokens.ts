// Token endpoints and device flows, as strict as the real ones: single-use codes bound to client, redirect URI and PKCE
// challenge (RFC 6749, RFC 7636, RFC 8628), refresh tokens that are replaced at each use.
import { createHash } from 'node:crypto';
import { defaultConfig } from '../../src/config/index.ts';
import type { JsonObject } from '../../src/protocols/neutral.ts';
import { type OAuthProvider, oauthClient } from '../../src/providers/endpoints.ts';
import { type Account, type DeviceGrant, jwt, randomHex, uuidFrom } from './accounts.ts';
import type { Call } from './call.ts';
import type { FakeProviderId, Route } from './types.ts';
import { oauth } from './wire/oauth.ts';

export const deviceGrantType = 'urn:ietf:params:oauth:grant-type:device_code';

export function clientOf(provider: OAuthProvider): { id: string; secret: string } {
  const client = oauthClient(defaultConfig(), provider, {});
  return { id: client.id, secret: client.secret ?? '' };
}

export interface TokenRules {
  provider: OAuthProvider;
  /** Claude and Codex: a code without a challenge is not given out, so a verifier always comes back. */
  pkce: boolean;
  body: 'form' | 'json';
  /** iFlow: client id and secret in a Basic header too. */
  basic?: boolean;
  /** More members of the token answer. */
  extra?(account: Account, withRefresh: boolean): JsonObject;
  /** Google never replaces refresh tokens. */
  rotates: boolean;
  /** Claude: the state takes part in the exchange. */
  state?: boolean;
  /** Answer for a refresh token that was used before. */
  reused?: { status: number; body: JsonObject };
  /** More demands on every call. */
  check?(call: Call): string;
}

/** `path` serves all grants: the kind of call is read from the body. */
export function tokenRoute(path: string, rules: TokenRules): Route {
  return {
    method: 'POST',
    path,
    kind: 'token',
    wire: oauth,
    identify: (call) => identify(call, rules.provider),
    serve: (call) => serveToken(call, rules),
  };
}

function identify(call: Call, provider: FakeProviderId): void {
  const { identity } = call.world;
  switch (call.param('grant_type')) {
    case 'refresh_token': {
      call.entry.kind = 'refresh';
      call.entry.credential = call.param('refresh_token');
      const found = identity.byRefreshToken(call.entry.credential);
      call.entry.account = found.account?.name ?? found.spentBy ?? '';
      break;
    }
    case deviceGrantType:
      call.entry.kind = 'poll';
      call.entry.account = identity.devices.get(call.param('device_code'))?.account ?? '';
      break;
    default: {
      const code = identity.codes.get(call.param('code'));
      if (code?.provider === provider) call.entry.account = code.account;
    }
  }
}

function refuse(call: Call, status: number, error: string, why: string): void {
  call.problem(why);
  call.reply(status, { error, error_description: why });
}

function serveToken(call: Call, rules: TokenRules) {
  const form = call.entry.form !== undefined;
  if (form !== (rules.body === 'form')) return refuse(call, 400, 'invalid_request', `body is not ${rules.body}`);
  const client = clientProblem(call, rules) || rules.check?.(call) || '';
  if (client !== '') return refuse(call, 401, 'invalid_client', client);
  switch (call.entry.kind) {
    case 'refresh':
      return refreshGrant(call, rules);
    case 'poll':
      return pollDevice(call, rules);
    default:
      return codeGrant(call, rules);
  }
}

function clientProblem(call: Call, rules: TokenRules): string {
  const client = clientOf(rules.provider);
  if (call.param('client_id') !== client.id) return `client_id ${JSON.stringify(call.param('client_id'))}`;
  if (client.secret !== '' && call.param('client_secret') !== client.secret) return 'wrong client_secret';
  if (rules.basic === true) {
    const expected = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
    if (call.header('authorization') !== expected) return 'no or wrong Basic authorization';
  }
  return '';
}

function codeGrant(call: Call, rules: TokenRules) {
  const { identity } = call.world;
  if (call.param('grant_type') !== 'authorization_code') {
    return refuse(call, 400, 'unsupported_grant_type', `grant_type ${call.param('grant_type')}`);
  }
  const code = identity.codes.get(call.param('code'));
  const verifier = call.param('code_verifier');
  const why =
    code === undefined || code.provider !== rules.provider
      ? 'unknown authorization code'
      : code.used
        ? 'authorization code used twice'
        : code.redirectUri !== call.param('redirect_uri')
          ? `redirect_uri ${call.param('redirect_uri')} is not the authorized ${code.redirectUri}`
          : code.clientId !== call.param('client_id')
            ? 'client_id is not the authorized one'
            : rules.state === true && code.state !== call.param('state')
              ? 'state is not the authorized one'
              : challengeProblem(code.challenge, verifier, rules.pkce);
  // RFC 6749 §4.1.2: also a failed use ends the code.
  if (code !== undefined) code.used = true;
  if (code === undefined || why !== '') return refuse(call, 400, 'invalid_grant', why);
  const account = identity.account(code.provider, code.account);
  identity.issue(account, { rotate: true });
  call.reply(200, tokenAnswer(account, rules, true));
}

function challengeProblem(challenge: string, verifier: string, needed: boolean): string {
  if (challenge === '') return needed ? 'no PKCE challenge was authorized' : '';
  if (verifier === '') return 'no code_verifier';
  // RFC 7636 §4.1
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return 'code_verifier of a wrong form';
  const digest = createHash('sha256').update(verifier).digest('base64url');
  return digest === challenge.replace(/=+$/, '') ? '' : 'code_verifier does not fit the challenge';
}

function refreshGrant(call: Call, rules: TokenRules) {
  const { identity, settings } = call.world;
  const found = identity.byRefreshToken(call.param('refresh_token'));
  if (found.spentBy !== undefined) {
    call.note('reused', 'yes');
    call.problem(`refresh token of ${found.spentBy} used again`);
    const reused = rules.reused ?? { status: 400, body: { error: 'invalid_grant', error_description: 'Token reused' } };
    return call.reply(reused.status, reused.body);
  }
  const { account } = found;
  if (account === undefined || account.provider !== rules.provider || account.refreshBroken) {
    return refuse(call, 400, 'invalid_grant', 'unknown or revoked refresh token');
  }
  const rotate = rules.rotates && settings.rotateRefresh;
  account.refreshes++;
  identity.issue(account, { rotate });
  call.reply(200, tokenAnswer(account, rules, rotate));
}

function tokenAnswer(account: Account, rules: TokenRules, withRefresh: boolean): JsonObject {
  return {
    access_token: account.accessToken,
    token_type: 'Bearer',
    expires_in: Math.round((account.expiresAt - Date.now()) / 1_000),
    ...(withRefresh ? { refresh_token: account.refreshToken } : {}),
    ...rules.extra?.(account, withRefresh),
  };
}

/** Google's answers carry an id token. */
export function googleExtra(account: Account): JsonObject {
  return {
    scope: 'https://www.googleapis.com/auth/cloud-platform openid',
    id_token: jwt({ iss: 'https://accounts.google.com', email: account.email, sub: account.name }),
  };
}

export function claudeExtra(account: Account): JsonObject {
  return {
    scope: 'user:inference user:profile',
    organization: { uuid: uuidFrom(`org/${account.name}`), name: `${account.name}'s Organization` },
    account: { uuid: account.uuid, email_address: account.noEmail ? '' : account.email },
  };
}

// --- device flows (RFC 8628) ---

/** Starts a grant; the caller writes it in its provider's words. */
export function startDevice(call: Call, provider: FakeProviderId, challenge: string): DeviceGrant {
  const verifier = randomHex(32);
  const grant: DeviceGrant = {
    provider,
    deviceCode: `${provider}-dc-${randomHex(12)}`,
    userCode: userCode(),
    challenge,
    verifier,
    account: '',
    state: 'pending',
    polls: 0,
  };
  call.world.identity.devices.set(grant.deviceCode, grant);
  return grant;
}

/** Letters that cannot be mistaken for others (RFC 8628 §6.1). */
function userCode(): string {
  const alphabet = 'BCDFGHJKLMNPQRSTVWXZ';
  const letters = [...Buffer.from(randomHex(8), 'hex')].map((byte) => alphabet[byte % alphabet.length] as string);
  return `${letters.slice(0, 4).join('')}-${letters.slice(4).join('')}`;
}

function pollDevice(call: Call, rules: TokenRules) {
  const { identity, settings } = call.world;
  const grant = identity.devices.get(call.param('device_code'));
  if (grant === undefined || grant.provider !== rules.provider || grant.state === 'used') {
    return refuse(call, 400, 'expired_token', 'unknown or used device_code');
  }
  if (grant.state === 'denied') {
    return call.reply(400, { error: 'access_denied', error_description: 'The user said no' });
  }
  if (grant.state === 'pending' || grant.polls++ < settings.devicePending) {
    return call.reply(400, { error: 'authorization_pending', error_description: 'Not yet approved' });
  }
  const why = challengeProblem(grant.challenge, call.param('code_verifier'), rules.pkce);
  if (why !== '') return refuse(call, 400, 'invalid_grant', why);
  grant.state = 'used';
  const account = identity.account(grant.provider, grant.account);
  identity.issue(account, { rotate: true });
  call.reply(200, tokenAnswer(account, rules, true));
}
