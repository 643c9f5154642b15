// One log line per request: what was asked, who answered, how often it was tried (spec/config.md §11.1).
import type { Credential } from '../credentials/credential.ts';
import { secretsOf } from '../observe/credential-secrets.ts';
import type { Log } from '../observe/log.ts';
import { scrub } from '../observe/redact-headers.ts';
import type { RequestSummary } from './client-route.ts';
import { maskEmail } from './loaded-credentials.ts';

export function requestLine(log: Log, summary: RequestSummary): void {
  const { status, trace, failure } = summary;
  const level = status >= 500 ? 'error' : status >= 400 ? 'warn' : 'info';
  if (level === 'info' && !log.enabled('info')) return;
  const last = trace.attempts[trace.attempts.length - 1];
  let json = `{"level":"${level}","time":${Date.now()},"scope":"request","requestId":"${summary.id}"`;
  if (summary.model !== undefined) json += `,"model":${quoted(summary.model.slice(0, 128))}`;
  if (last) {
    json += `${answeredBy(last.credential)}${trace.attempts.length}`;
  }
  if (trace.answeredBy !== undefined) json += `,"answered_by":${quoted(trace.answeredBy)}`;
  if (failure && failure.kind !== 'aborted') json += `,"error":${quoted(quotable(failure.message, summary))}`;
  log.record(`${json},"message":"${accessText(summary)}"}\n`, level === 'info');
  if (failure?.kind === 'internal')
    log.error('internal error', { scope: 'request', requestId: summary.id, stack: stackOf(failure.cause) });
}

/** Written anew each time: kept texts of thousands of credentials cost more to find than to write (docs/performance.md). */
function answeredBy({ providerKey, label }: Credential): string {
  return `,"provider":${quoted(providerKey)},"credential":${quoted(maskEmail(label))},"attempts":`;
}

/** A JSON string. Escaping is the rare case. */
function quoted(text: string): string {
  return /["\\]|[^ -~]/.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Upstreams like to quote the key that they refuse. */
function quotable(message: string, { trace }: RequestSummary): string {
  let text = message;
  for (const { credential } of trace.attempts) text = scrub(text, secretsOf(credential));
  return text.slice(0, 300);
}

/** `200 |         23ms |       127.0.0.1 | POST    "/v1/chat/completions"`, written for the inside of a JSON string. */
function accessText(summary: RequestSummary): string {
  const { status, tookMs } = summary;
  const took = tookMs >= 60_000 ? `${Math.round(tookMs / 1000)}s` : `${Math.round(tookMs)}ms`;
  return `${status} | ${took.padStart(13)} | ${asked(summary)}`;
}

/** Most requests come from where the one before came from, and ask for the same. */
let before = { address: '', method: '', path: '', text: '' };

function asked({ address, method, path }: RequestSummary): string {
  if (before.path !== path || before.address !== address || before.method !== method) {
    const peer = address.startsWith('::ffff:') ? address.slice(7) : address;
    const text = `${peer.padStart(15)} | ${method.padEnd(7)} \\${quoted(path.slice(0, 256)).slice(0, -1)}\\"`;
    before = { address, method, path, text };
  }
  return before.text;
}

function stackOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** What the live feed shows of a request: no key, no body, the account by its masked name. */
export function requestEvent(summary: RequestSummary): Record<string, unknown> {
  const { id, method, path, status, tookMs, model, stream, trace, failure } = summary;
  const last = trace.attempts.at(-1);
  return {
    request_id: id,
    method,
    path: path.slice(0, 256),
    status,
    latency_ms: Math.round(tookMs),
    model: model?.slice(0, 128),
    stream,
    attempts: trace.attempts.length,
    provider: last?.provider,
    auth_index: last?.credential.authIndex,
    account: last && maskEmail(last.credential.label),
    answered_by: trace.answeredBy,
    error: failure?.message.slice(0, 300),
  };
}
