// How much a model shall think: read from any body, fitted to the model, written for any upstream (upstreams.md §4).
export type ThinkingDialect = 'openai' | 'codex' | 'claude' | 'gemini' | 'gemini-envelope' | 'kimi' | 'iflow';
