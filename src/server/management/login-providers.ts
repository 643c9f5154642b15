// Names of the providers in login URLs and callbacks, and the reference's leading error texts (auth.md §5.2–5.6).
export const loginKeys = ['anthropic', 'codex', 'gemini-cli', 'antigravity', 'qwen', 'kimi', 'iflow'] as const;
export type LoginKey = (typeof loginKeys)[number];

/** Alias in lower case → canonical name. */
const canonicalNames: Readonly<Record<string, string>> = {
  anthropic: 'anthropic',
  claude: 'anthropic',
  codex: 'codex',
  openai: 'codex',
  gemini: 'gemini',
  google: 'gemini',
  'gemini-cli': 'gemini',
  antigravity: 'antigravity',
  'anti-gravity': 'antigravity',
  iflow: 'iflow',
  'i-flow': 'iflow',
  qwen: 'qwen',
  kimi: 'kimi',
};

export const providerAliases = Object.keys(canonicalNames);

export function canonicalProvider(name: string): string | undefined {
  const key = name.trim().toLowerCase();
  return Object.hasOwn(canonicalNames, key) ? canonicalNames[key] : undefined;
}

/** Path of the callback page on the main port. */
export const callbackPaths: Readonly<Record<string, string>> = {
  anthropic: '/anthropic/callback',
  codex: '/codex/callback',
  gemini: '/google/callback',
  iflow: '/iflow/callback',
  antigravity: '/antigravity/callback',
};

interface Texts {
  denied: string;
  exchange: string;
}

const texts: Readonly<Record<string, Texts>> = {
  anthropic: { denied: 'Bad request', exchange: 'Failed to exchange authorization code for tokens' },
  codex: { denied: 'Bad Request', exchange: 'Failed to exchange authorization code for tokens' },
  gemini: { denied: 'Authentication failed', exchange: 'Failed to exchange token' },
  antigravity: { denied: 'Authentication failed', exchange: 'Failed to exchange token' },
};
const plainTexts: Texts = { denied: 'Authentication failed', exchange: 'Authentication failed' };
const ownTexts =
  /^(timeout|bad request|state code error|failed to|oauth flow|authentication failed|get user info|google one|cloud ai api)/i;

/** The reference's leading text with our cause behind it. */
export function failureText(provider: string, cause: string): string {
  if (ownTexts.test(cause)) return cause;
  const { denied, exchange } = texts[provider] ?? plainTexts;
  const leading = /^[a-z_]+(:|$)/.test(cause) ? denied : exchange;
  return cause === '' ? leading : `${leading}: ${cause}`;
}
