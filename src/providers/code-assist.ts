// Cloud Code Assist's set-up calls, `v1internal:loadCodeAssist` and `:onboardUser`, for the Gemini CLI and Antigravity
// logins (auth.md §3.6, §3.7).
import { sleepFor } from '../oauth/device.ts';
import { loginError } from '../oauth/errors.ts';
import type { RemoteContext } from '../oauth/flow.ts';
import { sendForJson } from '../oauth/token-request.ts';
import type { Json, JsonObject } from '../protocols/neutral.ts';
import { arrayOf, objectOf, textOf } from './fields.ts';

export interface CodeAssist {
  /** Base URL, without `/v1internal`. */
  base: string;
  accessToken: string;
  ideType: 'IDE_UNSPECIFIED' | 'ANTIGRAVITY';
}

export interface LoadedAccount {
  tier: string;
  /** Project the account works with already. */
  project: string;
  /** Why Google will not let this account in, in its own words. */
  ineligible: string;
}

/** What the account has. `project` absent: Google decides. */
export async function loadCodeAssist(
  context: RemoteContext,
  account: CodeAssist,
  project?: string,
): Promise<LoadedAccount> {
  const reply = await call(context, account, 'loadCodeAssist', {
    metadata: metadataOf(account),
    ...(project === undefined ? {} : { cloudaicompanionProject: project }),
  });
  const allowed = arrayOf(reply.allowedTiers).map((tier) => objectOf(tier));
  const preferred = allowed.find((tier) => tier?.isDefault === true);
  const ineligible = arrayOf(reply.ineligibleTiers).map((tier) => textOf(objectOf(tier)?.reasonMessage));
  return {
    tier: textOf(preferred?.id) || (account.ideType === 'ANTIGRAVITY' ? antigravityTier(reply) : 'legacy-tier'),
    project: projectOf(reply),
    ineligible: ineligible.find((reason) => reason !== '') ?? '',
  };
}

function antigravityTier(reply: JsonObject): string {
  return textOf(objectOf(reply.currentTier)?.id) || 'free-tier';
}

export interface Onboarding {
  tier: string;
  project?: string;
  /** ms between tries. */
  everyMs: number;
  /** ms in all. */
  withinMs: number;
  /** Also a limit on the number of tries. */
  tries?: number;
  onProgress?: (elapsedMs: number) => void;
}

/** Asks until Google says `done`; gives the project it named, '' when it named none. Undefined: not done in time. */
export async function onboard(
  context: RemoteContext,
  account: CodeAssist,
  onboarding: Onboarding,
): Promise<string | undefined> {
  const started = context.now();
  const sleep = context.sleep ?? sleepFor;
  for (let attempt = 1; ; attempt++) {
    const reply = await call(context, account, 'onboardUser', {
      tierId: onboarding.tier,
      metadata: metadataOf(account),
      ...(onboarding.project === undefined ? {} : { cloudaicompanionProject: onboarding.project }),
    });
    if (reply.done === true) return projectOf(objectOf(reply.response) ?? {});
    const elapsed = context.now() - started;
    if (elapsed + onboarding.everyMs > onboarding.withinMs || attempt >= (onboarding.tries ?? Infinity)) {
      return undefined;
    }
    onboarding.onProgress?.(elapsed);
    await sleep(onboarding.everyMs, context.signal);
    if (context.signal.aborted) throw loginError('aborted', 'cancelled');
  }
}

/** The name changed over time, and is a string or an object with an `id`. */
function projectOf(reply: JsonObject): string {
  for (const key of ['cloudaicompanionProject', 'projectId', 'project']) {
    const value: Json | undefined = reply[key];
    const project = textOf(value) || textOf(objectOf(value)?.id);
    if (project !== '') return project;
  }
  return '';
}

function metadataOf({ ideType }: CodeAssist): JsonObject {
  return { ideType, platform: 'PLATFORM_UNSPECIFIED', pluginType: 'GEMINI' };
}

function call(context: RemoteContext, account: CodeAssist, method: string, body: JsonObject): Promise<JsonObject> {
  return sendForJson(context, `${account.base}/v1internal:${method}`, {
    step: 'onboarding_failed',
    prefix: method,
    method: 'POST',
    headers: { authorization: `Bearer ${account.accessToken}` },
    json: body,
  });
}
