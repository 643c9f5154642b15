// The ways upstreams write how much a model shall think.
export type ThinkingDialect = 'openai' | 'codex' | 'claude' | 'gemini' | 'gemini-envelope' | 'kimi' | 'iflow';
