// Tokens for the request path: the refresh scheduler's, or minted by the provider (Vertex).
import type { Config } from '../config/index.ts';
import type { Refresher } from '../credentials/refresh.ts';
import type { HttpClient } from '../net/http.ts';
import type { TokenSource } from '../routing/dispatch.ts';

export interface TokenSourceOptions {
  refresher: Refresher;
  http: HttpClient;
  config: () => Config;
}

export function tokenSource({ refresher, http, config }: TokenSourceOptions): TokenSource {
  return {
    ensureFresh: (credential, options) => refresher.ensureFresh(credential, options),
    async mint(provider, credential) {
      if (provider.upstream.token === undefined) return credential.token?.reveal() ?? '';
      return provider.upstream.token(credential, { http, config: config(), now: Date.now });
    },
  };
}
