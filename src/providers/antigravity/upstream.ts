// Antigravity: Gemini and Claude models behind Cloud Code Assist (upstreams.md §2.8), at up to three hosts.
import { Failure } from '../../failure.ts';
import { reduceAntigravitySchemas } from '../../protocols/gemini/antigravity-schema.ts';
import { prepareAntigravity } from '../../protocols/gemini/same-protocol.ts';
import { userAgent } from '../../version.ts';
import { endpointList } from '../endpoints.ts';
import { classifyCommon } from '../failures.ts';
import { parseObject } from '../fields.ts';
import { codeAssistPath, unwrapEnvelope } from '../google-envelope.ts';
import type { Upstream, UpstreamCall } from '../provider.ts';
import { adaptForModel, isClaudeModel, limitBudget } from './body.ts';
import { CreditUse } from './credits.ts';
import { envelope } from './envelope.ts';
import { type Refusal, readRefusal } from './quota.ts';

const credits = new CreditUse();

/** What `classify` read in an answer, for `retry`, which sees the failure only. */
const refusals = new WeakMap<Failure, Refusal>();

/** These answer only as streams; whole answers are folded from one. */
const streamOnly = ['claude', 'gemini-3-pro', 'gemini-3.1-flash-image'] as const;

export const upstream: Upstream = {
  native: () => 'gemini',
  thinking: 'gemini-envelope',
  countTokens: 'remote',
  streams,
  adapt: (body, call) => reduceAntigravitySchemas(adaptForModel(prepareAntigravity(body), call.model), call.model),
  finish: (body, call) => (isClaudeModel(call.model) ? limitBudget(body, call.info?.thinking?.min ?? 0) : body),
  request(body, call) {
    const stream = streams(call);
    const json = Buffer.isBuffer(body) ? (parseObject(body.toString('utf8')) ?? {}) : body;
    const options = { project: projectOf(call), credits: usesCredits(call) };
    return {
      method: 'POST',
      url: `${baseUrls(call)[baseIndex(call)]}${codeAssistPath(call.operation, stream)}`,
      headers: {
        'content-type': 'application/json',
        accept: stream ? 'text/event-stream' : 'application/json',
        authorization: `Bearer ${call.token}`,
        'user-agent': userAgent,
      },
      body: JSON.stringify(envelope(json, call, options)),
      stream,
    };
  },
  unwrap: unwrapEnvelope,
  classify(response, call) {
    const failure = classifyCommon(response, call, { protocol: 'gemini' });
    const refusal = readRefusal(response, call.now());
    refusals.set(failure, refusal);
    if (usesCredits(call)) credits.failed(call.credential.id, call.now(), refusal.creditsExhausted);
    return failure;
  },
  retry,
};

function streams(call: UpstreamCall): boolean {
  if (call.operation !== 'generate') return false;
  return call.stream || streamOnly.some((name) => call.model.includes(name));
}

/** The credential's own base URL stands for the whole list. */
function baseUrls(call: UpstreamCall): readonly string[] {
  const own = call.credential.baseUrl?.replace(/\/+$/, '');
  return own ? [own] : endpointList(call.config, 'antigravity', 'api');
}

function baseIndex(call: UpstreamCall): number {
  const base = call.variant.base;
  return typeof base === 'number' && base < baseUrls(call).length ? base : 0;
}

function projectOf(call: UpstreamCall): string {
  const project = call.credential.projectId ?? '';
  if (project === '' && call.operation !== 'count-tokens') {
    throw new Failure({
      kind: 'forbidden',
      status: 403,
      scope: 'credential',
      message: 'This Antigravity login has no Google Cloud project; run ./cliproxy -antigravity-login again',
    });
  }
  return project;
}

function creditsAllowed(call: UpstreamCall): boolean {
  return call.operation === 'generate' && call.config['quota-exceeded']['antigravity-credits'];
}

function usesCredits(call: UpstreamCall): boolean {
  if (!creditsAllowed(call)) return false;
  return call.variant.credits === true || credits.prefers(call.credential.id, call.now());
}

interface NextTry {
  variant: Record<string, unknown>;
  waitMs: number;
}

/** The walk over hosts and attempts of upstreams.md §2.8; undefined: this credential is done. */
function retry(failure: Failure, call: UpstreamCall): NextTry | undefined {
  const refusal = refusals.get(failure);
  const attempt = typeof call.variant.attempt === 'number' ? call.variant.attempt : 0;
  const base = baseIndex(call);
  const nextBase =
    base + 1 < baseUrls(call).length ? { variant: { ...call.variant, base: base + 1 }, waitMs: 0 } : undefined;
  const again = (waitMs: number): NextTry | undefined =>
    attempt < (call.credential.requestRetry ?? call.config['request-retry'])
      ? { variant: { ...call.variant, base: 0, attempt: attempt + 1 }, waitMs }
      : undefined;

  // No answer at all: never reached, or lost.
  if (refusal === undefined) return failure.kind === 'transient' ? nextBase : undefined;
  switch (refusal.kind) {
    case 'full':
      return withCredits(refusal, call);
    case 'instant':
      return again((refusal.delayMs ?? 0) + 800) ?? nextBase;
    case 'short':
      return nextBase;
    case 'soft':
      return nextBase ?? again(Math.min((attempt + 1) * 500, 3_000));
    case 'capacity':
      return nextBase ?? again(Math.min((attempt + 1) * 250, 2_000));
    case 'other':
      return undefined;
  }
}

/** A quota belongs to the account: other hosts would say the same, only credits can help. */
function withCredits(refusal: Refusal, call: UpstreamCall): NextTry | undefined {
  const { id } = call.credential;
  if (!creditsAllowed(call) || usesCredits(call) || !credits.mayTry(id, call.now())) return undefined;
  credits.begin(id, call.now(), refusal.delayMs);
  return { variant: { ...call.variant, credits: true }, waitMs: 0 };
}
