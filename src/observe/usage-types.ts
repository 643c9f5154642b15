// What usage statistics are made of (config.md §12, management-api.md §15).

export interface UsageTokens {
  input_tokens: number;
  output_tokens: number;
  reasoning_tokens: number;
  cached_tokens: number;
  total_tokens: number;
}

/** One upstream attempt. */
export interface UsageRecord {
  /** Client key, or `METHOD /path` without one. */
  api: string;
  /** Upstream model name. */
  model: string;
  /** Name the client asked for. */
  alias?: string;
  /** Request start, Unix ms. */
  at: number;
  latencyMs: number;
  /** E-mail or masked key; never a secret. */
  source: string;
  authIndex: string;
  tokens: Partial<UsageTokens>;
  failed: boolean;
}

export interface UsageDetail {
  /** RFC 3339 */
  timestamp: string;
  latency_ms: number;
  source: string;
  auth_index: string;
  tokens: UsageTokens;
  failed: boolean;
  alias?: string;
}

export interface ModelUsage {
  total_requests: number;
  total_tokens: number;
  details: UsageDetail[];
}

export interface ApiUsage {
  total_requests: number;
  total_tokens: number;
  models: Record<string, ModelUsage>;
}

export interface UsageSnapshot {
  total_requests: number;
  success_count: number;
  failure_count: number;
  total_tokens: number;
  apis: Record<string, ApiUsage>;
  requests_by_day: Record<string, number>;
  requests_by_hour: Record<string, number>;
  tokens_by_day: Record<string, number>;
  tokens_by_hour: Record<string, number>;
}

export type UsageGroup = 'api' | 'model' | 'alias' | 'credential' | 'day' | 'hour';
