// Cross-origin reads of the client routes. A browser application with a client key may call us from anywhere, as it may
// call the vendors' APIs: the key is the permission. Without keys nobody's page gets to read anything (threat model:
// docs/security.md).
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Sets the headers for an answer to a page; nothing for callers that are no browser. */
export function allowKeyedPages(request: IncomingMessage, response: ServerResponse, open: boolean): void {
  if (open || request.headers.origin === undefined) return;
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-expose-headers', 'Retry-After, X-Request-Id, X-Cliproxy-Model');
}

/** Answers a preflight (Fetch standard §3.2). `*` does not cover `Authorization`, so it is named. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, open: boolean): void {
  request.resume();
  if (!open && request.headers.origin !== undefined) {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-allow-methods', 'GET, POST, OPTIONS');
    response.setHeader('access-control-allow-headers', 'Authorization, *');
    response.setHeader('access-control-max-age', '600');
  }
  response.writeHead(204, { allow: 'GET, POST, OPTIONS' });
  response.end();
}
