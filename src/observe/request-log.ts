// Request logs (every request in full) and error logs (requests that failed): which are written, where, and how many stay.
import { mkdirSync } from 'node:fs';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import type { Config } from '../config/index.ts';
import type { RequestTrace } from '../routing/dispatch.ts';
import { secretsOf } from './credential-secrets.ts';
import { enforceCap } from './main-log.ts';
import { scrub } from './redact-headers.ts';
import {
  errorSection,
  leftOut,
  requestBodyHead,
  requestLogName,
  requestSections,
  responseHead,
  sectionEnd,
} from './request-log-text.ts';
import { TranscriptRecorder } from './request-recorder.ts';
import { Spool, type SpoolBudget } from './spool.ts';

export interface RequestLogOptions {
  config(): Config;
  /** Absolute; created when the first log is written. */
  folder(): string;
  warn(line: string): void;
  /** Every key that a request presents, so that no text may quote it. */
  presentedKeys(request: IncomingMessage): Iterable<string>;
  now?: () => Date;
}

export interface OpenTranscript extends Pick<TranscriptRecorder, 'body' | 'exchange'> {
  /** The request is over: the log gets its name. Never rejects. */
  close(): Promise<void>;
}

/** A request that failed, for the error log. */
export interface FailedRequest {
  id: string;
  request: IncomingMessage;
  /** Decoded, as far as it came. */
  body: Buffer | undefined;
  trace: RequestTrace;
  status: number;
  /** What the client was told. */
  answer: string;
}

export interface RequestLog {
  /** Ask only while `request-log` is on; undefined in commercial mode. */
  open(id: string, request: IncomingMessage, response: ServerResponse): OpenTranscript | undefined;
  /** Writes an error log, unless they are off. Returns at once. */
  failed(failed: FailedRequest): void;
  /** Resolves when everything asked for so far is on disk. */
  flush(): Promise<void>;
}

/** Larger request bodies are not kept in an error log (bytes). */
const errorBodyLimit = 1024 * 1024;
/** Error logs being written at once; a storm of failures must not become a storm of writes. */
const maxPending = 16;
/** Bytes of transcripts in memory, over all requests. */
const memoryBudget = 64 * 1024 * 1024;
/** ms */
const staleAfter = 60 * 60_000;
const capEvery = 10_000;

const temporary = /^(request|response)-body-[0-9a-f]+\.tmp$/;

export function createRequestLog(options: RequestLogOptions): RequestLog {
  const { config, folder, warn, now = () => new Date() } = options;
  // Needs a restart to change (spec/config.md §4): taken once.
  const commercial = config()['commercial-mode'];
  const budget: SpoolBudget = { pending: 0, limit: memoryBudget };
  const pending = new Set<Promise<void>>();
  let prepared: string | undefined;
  let cappedAt = 0;
  let trimming: Promise<void> = Promise.resolve();
  let warnedAt = 0;

  const complain = (error: unknown): void => {
    prepared = undefined;
    const at = now().getTime();
    if (at - warnedAt < 60_000) return;
    warnedAt = at;
    warn(`a request log could not be written: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  };
  const track = (work: Promise<void>): Promise<void> => {
    const done = work.catch(complain).finally(() => pending.delete(done));
    pending.add(done);
    return done;
  };
  const prepare = (): string => {
    const dir = folder();
    if (prepared === dir) return dir;
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    prepared = dir;
    void track(removeStale(dir, now().getTime() - staleAfter));
    return dir;
  };
  const keepUnderCap = (dir: string): void => {
    const at = now().getTime();
    if (at - cappedAt < capEvery && at >= cappedAt) return;
    cappedAt = at;
    enforceCap(dir, config()['logs-max-total-size-mb'] * 1024 * 1024);
  };

  return {
    open(id, request, response) {
      if (commercial) return undefined;
      let dir: string;
      try {
        dir = prepare();
      } catch (error) {
        complain(error);
        return undefined;
      }
      const at = now();
      const main = new Spool(path.join(dir, `request-body-${id}.tmp`), budget);
      const recorder = new TranscriptRecorder({
        request,
        response,
        main,
        answer: new Spool(path.join(dir, `response-body-${id}.tmp`), budget),
        bodies: config()['request-log-bodies'],
        clientSecrets: [...options.presentedKeys(request)],
        now,
      });
      const write = async (): Promise<void> => {
        await recorder.close();
        await main.finish(path.join(dir, requestLogName(request.url ?? '', at, id)));
        keepUnderCap(dir);
      };
      return {
        body: (bytes) => recorder.body(bytes),
        exchange: (credential, upstream) => recorder.exchange(credential, upstream),
        close: () => track(write()),
      };
    },

    failed(failed) {
      if (commercial || pending.size >= maxPending) return;
      const keep = config()['error-logs-max-files'];
      const write = async (): Promise<void> => {
        const dir = prepare();
        const at = now();
        const name = requestLogName(failed.request.url ?? '', at, failed.id, 'error-');
        const text = errorLogText(
          failed,
          at,
          [...options.presentedKeys(failed.request)],
          config()['request-log-bodies'],
        );
        await writeFile(path.join(dir, name), text, { flag: 'wx', mode: 0o600 });
        if (keep > 0) {
          trimming = trimming.catch(() => {}).then(() => trimErrorLogs(dir, keep));
          await trimming;
        }
        keepUnderCap(dir);
      };
      void track(write());
    },

    async flush() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}

/** All of an error log. */
export function errorLogText(failed: FailedRequest, at: Date, clientSecrets: readonly string[], bodies = true): string {
  const { request, body, trace, status, answer } = failed;
  const secrets = new Set(clientSecrets);
  for (const { credential } of trace.attempts) for (const secret of secretsOf(credential)) secrets.add(secret);
  let text = requestSections({ url: request.url ?? '', method: request.method ?? '', headers: request.headers, at });
  text += `${requestBodyHead}${keptBody(request, body, bodies)}${sectionEnd}`;
  for (const record of trace.attempts) {
    if (record.failure === undefined || record.failure.kind === 'aborted') continue;
    text += errorSection(record, record.failure.upstreamBody ?? record.failure.message);
  }
  text += `${responseHead(status, {})}${answer}\n`;
  return scrub(text, secrets);
}

function keptBody(request: IncomingMessage, body: Buffer | undefined, bodies: boolean): string {
  if (body === undefined || body.length === 0) return '';
  if (!bodies) return leftOut(body.length, 'request-log-bodies is off');
  if (/^multipart\//i.test(request.headers['content-type'] ?? '')) return leftOut(body.length, 'multipart');
  return body.length > errorBodyLimit ? leftOut(body.length, 'larger than 1 MiB') : body.toString('utf8');
}

/** Leaves the newest `keep` error logs. */
export async function trimErrorLogs(folder: string, keep: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('error-') && name.endsWith('.log'));
  if (names.length <= keep) return;
  const files = await Promise.all(
    names.map(async (name) => ({
      name,
      at: (await stat(path.join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  );
  files.sort((a, b) => b.at - a.at || (a.name < b.name ? 1 : -1));
  for (const { name } of files.slice(keep)) await rm(path.join(folder, name), { force: true });
}

/** What a process that died left half written. */
async function removeStale(folder: string, before: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!temporary.test(name)) continue;
    const file = path.join(folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < before) await rm(file, { force: true });
  }
}
