// Where each provider's services live and which installed-app client we are there. All public facts, all overridable:
// services move, mirrors exist, tests run on loopback. Source: spec/auth.md §3, spec/upstreams.md §2.
import type { Config } from '../config/index.ts';
import type { ProviderId } from '../credentials/credential.ts';

/**
 * Built-in URLs, by provider and purpose. `endpoints.<provider>.<purpose>` in the config replaces one of them; for a
 * purpose with several URLs (fallback order) the one given replaces the whole list.
 */
const defaults = {
  iflow: {
    authorize: 'https://iflow.cn/oauth',
    token: 'https://iflow.cn/oauth/token',
    'user-info': 'https://iflow.cn/api/oauth/getUserInfo',
    'api-key': 'https://platform.iflow.cn/api/openapi/apikey',
    'success-page': 'https://iflow.cn/oauth/success',
    'error-page': 'https://iflow.cn/oauth/error',
    api: 'https://apis.iflow.cn/v1',
  },
  claude: {
    authorize: 'https://claude.ai/oauth/authorize',
    token: 'https://api.anthropic.com/v1/oauth/token',
    profile: 'https://api.anthropic.com/api/oauth/profile',
    api: 'https://api.anthropic.com',
  },
  codex: {
    authorize: 'https://auth.openai.com/oauth/authorize',
    token: 'https://auth.openai.com/oauth/token',
    'device-code': 'https://auth.openai.com/api/accounts/deviceauth/usercode',
    'device-token': 'https://auth.openai.com/api/accounts/deviceauth/token',
    'device-page': 'https://auth.openai.com/codex/device',
    'device-redirect': 'https://auth.openai.com/deviceauth/callback',
    api: 'https://chatgpt.com/backend-api/codex',
  },
  'gemini-cli': {
    authorize: 'https://accounts.google.com/o/oauth2/auth',
    token: 'https://oauth2.googleapis.com/token',
    'user-info': 'https://www.googleapis.com/oauth2/v1/userinfo',
    projects: 'https://cloudresourcemanager.googleapis.com/v1/projects',
    'service-usage': 'https://serviceusage.googleapis.com/v1',
    api: 'https://cloudcode-pa.googleapis.com',
  },
  antigravity: {
    authorize: 'https://accounts.google.com/o/oauth2/v2/auth',
    token: 'https://oauth2.googleapis.com/token',
    'user-info': 'https://www.googleapis.com/oauth2/v1/userinfo',
    onboard: 'https://cloudcode-pa.googleapis.com',
    api: [
      'https://cloudcode-pa.googleapis.com',
      'https://daily-cloudcode-pa.googleapis.com',
      'https://daily-cloudcode-pa.sandbox.googleapis.com',
    ],
  },
  qwen: {
    'device-code': 'https://chat.qwen.ai/api/v1/oauth2/device/code',
    token: 'https://chat.qwen.ai/api/v1/oauth2/token',
    api: 'https://portal.qwen.ai/v1',
  },
  kimi: {
    'device-code': 'https://auth.kimi.com/api/oauth/device_authorization',
    token: 'https://auth.kimi.com/api/oauth/token',
    api: 'https://api.kimi.com/coding',
  },
  gemini: { api: 'https://generativelanguage.googleapis.com' },
  vertex: {
    // `{location}-` in front, except for the location `global`; see providers/vertex/upstream.ts
    api: 'https://aiplatform.googleapis.com',
    token: 'https://oauth2.googleapis.com/token',
  },
} as const satisfies Partial<Record<ProviderId, Record<string, string | readonly string[]>>>;

export type EndpointProvider = keyof typeof defaults;
export type EndpointName<P extends EndpointProvider> = keyof (typeof defaults)[P] & string;

/** One URL without a trailing slash. */
export function endpoint<P extends EndpointProvider>(config: Config, provider: P, name: EndpointName<P>): string {
  return endpointList(config, provider, name)[0] as string;
}

/** All URLs of a purpose, in fallback order. */
export function endpointList<P extends EndpointProvider>(
  config: Config,
  provider: P,
  name: EndpointName<P>,
): readonly string[] {
  const override = config.endpoints?.[provider]?.[name];
  const value = override ?? (defaults[provider] as Record<string, string | readonly string[]>)[name] ?? [];
  return (typeof value === 'string' ? [value] : value).map((url) => url.replace(/\/+$/, ''));
}

/** True when the user pointed this purpose elsewhere. */
export function isOverridden(config: Config, provider: EndpointProvider, name: string): boolean {
  return config.endpoints?.[provider]?.[name] !== undefined;
}

export interface OAuthClient {
  id: string;
  /** Absent for public clients. */
  secret?: string;
}

/**
 * The OAuth clients of the vendors' installed apps. Such ids and secrets ship inside public programs and authenticate
 * nobody: they are not secrets in OAuth's sense (RFC 8252 §8.5, RFC 6749 §2.1 "public client").
 */
const clients = {
  iflow: { id: '10009311001', secret: '4Z3YjXycVsQvyGF1etiNlIBB4RsqSDtW' },
  claude: { id: '9d1c250a-e61b-44d9-88ed-5944d1962f5e' },
  codex: { id: 'app_EMoamEEZ73f0CkXaXp7hrann' },
  qwen: { id: 'f0304373b74a44d2b584a3fb70ca9e56' },
  kimi: { id: '17e5f671-d194-4dfb-9706-5516cb48c098' },
  'gemini-cli': {
    id: '681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com',
    secret: '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',
  },
  antigravity: {
    id: '1071006060591-tmhssin2h21lcre235vtolojh4g403ep.apps.googleusercontent.com',
    secret: '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',
  },
} as const satisfies Partial<Record<ProviderId, OAuthClient>>;

export type OAuthProvider = keyof typeof clients;

/**
 * The client to log in as: environment (`CLIPROXY_IFLOW_CLIENT_ID`, `…_CLIENT_SECRET`; `-` becomes `_`), then
 * `oauth-clients.<provider>` of the config, then the built-in one.
 */
export function oauthClient(
  config: Config,
  provider: OAuthProvider,
  env: NodeJS.ProcessEnv = process.env,
): OAuthClient {
  const name = provider.toUpperCase().replaceAll('-', '_');
  const builtIn: OAuthClient = clients[provider];
  const configured = config['oauth-clients']?.[provider];
  const id = env[`CLIPROXY_${name}_CLIENT_ID`]?.trim() || configured?.['client-id'] || builtIn.id;
  const secret = env[`CLIPROXY_${name}_CLIENT_SECRET`]?.trim() || configured?.['client-secret'] || builtIn.secret;
  return secret === undefined ? { id } : { id, secret };
}
