// The recorded vectors (protocols.md §6): their shape, and where they lie.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type ClientName = 'openai' | 'completions' | 'responses' | 'claude' | 'gemini';
export type UpstreamName =
  | 'openai-compat'
  | 'claude'
  | 'codex'
  | 'gemini'
  | 'vertex'
  | 'gemini-cli'
  | 'antigravity'
  | 'none';

export type WireEvent = { event?: string; data: Json } | { raw: string };

export interface Vector {
  id: string;
  client_protocol: ClientName;
  upstream_protocol: UpstreamName;
  stream: boolean;
  kind: 'request' | 'reply' | 'error';
  feature: string;
  client_request: { method?: string; path: string; headers: Record<string, string>; body: Json };
  upstream_response: {
    status: number;
    json?: Json;
    sse?: WireEvent[];
    text?: string;
    content_type?: string;
    headers?: Record<string, string>;
    eol?: 'crlf';
    split?: number;
  };
  expected_upstream_request: {
    method: string;
    path: string;
    query: string;
    headers: Record<string, string>;
    body: JsonObject;
    host?: string;
  } | null;
  expected_client_response: { status: number; content_type: string; json?: Json; sse?: WireEvent[]; text?: string };
  request_check: 'full' | 'core' | 'none';
  request_loose?: string[];
  response_check: 'full' | 'core' | 'error' | 'errors' | 'terminates';
  volatile?: { request?: string[]; response?: string[] };
  ignore?: { request?: string[] };
  upstream_stream_any?: boolean;
  ids_from_upstream?: boolean;
  finish_any?: string[];
  status_any?: number[];
  message_any?: boolean;
  lint_allow?: string[];
  merge_kinds?: boolean;
  sequence_check?: boolean;
  passthrough_error?: boolean;
  reference_wrong?: boolean;
  notes?: string[];
}

export interface Pair {
  name: string;
  vectors: Vector[];
}

/** All pairs, in file order. */
export function loadPairs(): Pair[] {
  const folder = path.join(import.meta.dirname, 'data');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const file = JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as { vectors: Vector[] };
      return { name: name.slice(0, -'.json'.length), vectors: file.vectors };
    });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function list(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

export function objects(value: Json | undefined): JsonObject[] {
  return list(value).filter(isObject);
}

export function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
