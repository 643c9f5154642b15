// Tool names that an upstream refuses: made to fit on the way up, restored on the way down (protocols.md §2.4).
import { lookup } from './json.ts';
import type { ChatRequest } from './neutral.ts';
import type { EncodeTarget } from './protocol.ts';

const limit = 64;

/** One provider family's idea of a lawful name. Pure; uniqueness is added by `wireToolNames`. */
type NameRule = (name: string) => string;

/** Codex: 64 characters; `mcp__server__tool` keeps its first and last segment. */
const codexName: NameRule = (name) => {
  if (name.length <= limit) return name;
  const last = name.lastIndexOf('__');
  const short = name.startsWith('mcp__') && last > 'mcp__'.length - 2 ? `mcp__${name.slice(last + 2)}` : name;
  return short.slice(0, limit);
};

/** Gemini: `[A-Za-z0-9_.:-]`, starts with a letter or `_`, 64 characters. */
const geminiName: NameRule = (name) => {
  const clean = name.replace(/[^A-Za-z0-9_.:-]/g, '_');
  return (/^[A-Za-z_]/.test(clean) ? clean : `_${clean}`).slice(0, limit);
};

const rules: Record<string, NameRule> = {
  codex: codexName,
  gemini: geminiName,
  vertex: geminiName,
  'gemini-cli': geminiName,
  antigravity: geminiName,
};

/**
 * Original → wire name, for the names that change; empty for most requests. Deterministic: the same request gives the
 * same names, and names that need no change keep theirs. Collisions get `_1`, `_2`.
 */
export function wireToolNames(request: ChatRequest, target: Pick<EncodeTarget, 'provider'>): Map<string, string> {
  const rule = lookup(rules, target.provider);
  const wire = new Map<string, string>();
  if (!rule) return wire;
  const names = new Set(toolNames(request));
  const taken = new Set<string>();
  for (const name of names) if (rule(name) === name) taken.add(name);
  for (const name of names) {
    const short = rule(name);
    if (short === name) continue;
    const free = unique(short, taken);
    taken.add(free);
    wire.set(name, free);
  }
  return wire;
}

/** Wire → original name: what the pipeline applies to `tool-start` parts so that clients see their own names. */
export function restoreToolNames(request: ChatRequest, target: Pick<EncodeTarget, 'provider'>): Map<string, string> {
  const restored = new Map<string, string>();
  for (const [original, short] of wireToolNames(request, target)) restored.set(short, original);
  return restored;
}

/** Every function name a request mentions: declarations first, then the choice, then history. */
function* toolNames(request: ChatRequest): Generator<string> {
  for (const tool of request.tools) if (tool.type === 'function') yield tool.name;
  if (request.toolChoice?.type === 'tool') yield request.toolChoice.name;
  for (const message of request.messages) {
    for (const part of message.parts) {
      if ((part.type === 'tool-call' || part.type === 'tool-result') && part.name !== '') yield part.name;
    }
  }
}

function unique(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let n = 1; ; n++) {
    const tail = `_${n}`;
    const candidate = name.slice(0, limit - tail.length) + tail;
    if (!taken.has(candidate)) return candidate;
  }
}
