// How much a model shall think: read from any body, fitted to the model, written for any upstream (upstreams.md §4).
import type { ModelInfo } from '../../credentials/credential.ts';
import type { JsonObject, ProtocolId, Thinking } from '../neutral.ts';
import type { ThinkingDialect } from './dialect.ts';
import { fitThinking } from './fit.ts';
import { readIflowSwitch, type ThinkingIntent } from './read.ts';
import { writeThinking } from './write.ts';

export type { ThinkingDialect } from './dialect.ts';
export { type FitOptions, type FittedThinking, fitThinking } from './fit.ts';
export { readIncludeThoughts, readThinking, type ThinkingIntent } from './read.ts';
export { type SuffixedModel, splitSuffix } from './suffix.ts';
export { writeThinking } from './write.ts';

export interface ApplyThinking {
  /** The upstream's own dialect; bodies in Anthropic's or Responses' protocol are written in theirs all the same. */
  dialect: ThinkingDialect;
  client: ProtocolId;
  /** Protocol of `body`. */
  native: ProtocolId;
  /** What the client's body says (`readThinking`). */
  intent?: ThinkingIntent;
  /** What the model name says; beats the body. */
  suffix?: Thinking;
  includeThoughts?: boolean;
  info: ModelInfo | undefined;
  /** Upstream model name. */
  model: string;
}

/**
 * Puts the wish of suffix or body into the upstream's body; the same object comes back when nothing is to change.
 * Throws a 400 `Failure` for a wish the model does not take.
 */
export function applyThinking(body: JsonObject, context: ApplyThinking): JsonObject {
  const dialect = effectiveDialect(context.dialect, context.native);
  const { info, model, includeThoughts } = context;
  const write = { model: info, name: model, includeThoughts };
  if (info?.thinking === null) return writeThinking(dialect, body, { type: 'remove' }, write);
  const intent = context.suffix ?? context.intent ?? (dialect === 'iflow' ? readIflowSwitch(body) : undefined);
  if (intent === undefined) return body;
  const fromSuffix = context.suffix !== undefined;
  if (leavesDefault(intent, dialect, context)) return writeThinking(dialect, body, { type: 'remove' }, write);
  const sameFamily = families[dialect].includes(context.client);
  return writeThinking(dialect, body, fitThinking(intent, info, { dialect, sameFamily, fromSuffix }), write);
}

/** Clients whose levels and budgets mean exactly what the target means by them (upstreams.md §4.4). */
const families: Record<ThinkingDialect, readonly ProtocolId[]> = {
  openai: ['openai-chat', 'openai-responses'],
  codex: ['openai-chat', 'openai-responses'],
  claude: ['anthropic'],
  gemini: ['gemini'],
  'gemini-envelope': ['gemini'],
  kimi: [],
  iflow: [],
};

function effectiveDialect(dialect: ThinkingDialect, native: ProtocolId): ThinkingDialect {
  if (native === 'anthropic') return 'claude';
  return native === 'openai-responses' ? 'codex' : dialect;
}

/** Anthropic's `disabled` is that API's default: a Gemini model that cannot stop thinking keeps its own default. */
function leavesDefault(intent: ThinkingIntent, dialect: ThinkingDialect, context: ApplyThinking): boolean {
  return (
    intent.type === 'off' &&
    context.suffix === undefined &&
    context.client === 'anthropic' &&
    (dialect === 'gemini' || dialect === 'gemini-envelope') &&
    context.info?.thinking?.zeroAllowed === false
  );
}
