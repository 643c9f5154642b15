// The words of request and error logs: file names and sections (spec/config.md §11.2).
import type { Credential } from '../credentials/credential.ts';
import type { AttemptRecord } from '../routing/dispatch.ts';
import { mask } from '../secret.ts';
import { version } from '../version.ts';
import { type HeaderSet, headerLines, redactUrl } from './redact-headers.ts';

const two = (n: number): string => String(n).padStart(2, '0');

/** Longest part of a name that comes from a path. */
const maxPathChars = 100;

/** `v1-chat-completions-2026-11-22T173622-6845886c.log`: local time; nothing of a path can leave the folder. */
export function requestLogName(path: string, at: Date, id: string, prefix = ''): string {
  const from = path.split('?', 1)[0] as string;
  const safe = from
    .replace(/^\/+/, '')
    .replace(/[^\w.-]/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[.-]+/, '')
    .slice(0, maxPathChars);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`;
  return `${prefix}${safe === '' ? 'root' : safe}-${day}T${time}-${id}.log`;
}

/** Two blank lines end every section. */
export const sectionEnd = '\n\n\n';

export interface RequestFacts {
  url: string;
  method: string;
  headers: HeaderSet;
  at: Date;
}

/** The first two sections. */
export function requestSections({ url, method, headers, at }: RequestFacts): string {
  const facts = [
    '=== REQUEST INFO ===',
    `Version: ${version}`,
    `URL: ${redactUrl(url)}`,
    `Method: ${method}`,
    'Downstream Transport: http',
    'Upstream Transport: http',
    `Timestamp: ${at.toISOString()}`,
  ];
  return `${facts.join('\n')}${sectionEnd}=== HEADERS ===\n${headerLines(headers).trimEnd()}${sectionEnd}`;
}

export const requestBodyHead = '=== REQUEST BODY ===\n';

export interface UpstreamFacts {
  url: string;
  method: string;
  headers: HeaderSet;
  credential: Credential;
  at: Date;
}

/** Up to the body. */
export function upstreamRequestHead(n: number, { url, method, headers, credential, at }: UpstreamFacts): string {
  return [
    `=== API REQUEST ${n} ===`,
    `Timestamp: ${at.toISOString()}`,
    `Upstream URL: ${redactUrl(url)}`,
    `HTTP Method: ${method}`,
    `Auth: ${authLine(credential)}`,
    '',
    'Headers:',
    headerLines(headers),
    'Body:\n',
  ].join('\n');
}

export function authLine({ providerKey, id, label, kind, token }: Credential): string {
  const type = kind.replaceAll('-', '_');
  const value = token === undefined ? '' : ` value=${mask(token.reveal())}`;
  return `provider=${providerKey}, auth_id=${id}, label=${label}, type=${type}${value}`;
}

/** Up to the body. */
export function upstreamResponseHead(n: number, status: number, headers: HeaderSet, at: Date): string {
  return `=== API RESPONSE ${n} ===\nTimestamp: ${at.toISOString()}\nStatus: ${status}\nHeaders:\n${headerLines(headers)}\nBody:\n`;
}

/** Up to the body. */
export function responseHead(status: number, headers: HeaderSet): string {
  const lines = headerLines(headers);
  return `=== RESPONSE ===\nStatus: ${status}\n${lines}\n`;
}

/** What one upstream said when it refused; `text` is its body, else our own words for it. */
export function errorSection(record: AttemptRecord, text: string): string {
  return [
    '=== API ERROR RESPONSE ===',
    `Timestamp: ${new Date(record.startedAt + record.tookMs).toISOString()}`,
    `Auth: ${authLine(record.credential)}`,
    `Model: ${record.upstreamModel}`,
    `Status: ${record.status}`,
    '',
    `${text}${sectionEnd}`,
  ].join('\n');
}

/** Stands where a body is left out. */
export function leftOut(bytes: number, why: string): string {
  return `[${bytes} bytes, not kept: ${why}]`;
}
