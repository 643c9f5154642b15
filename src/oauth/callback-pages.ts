// The few pages a browser sees at the end of a login. Fixed texts only: nothing from the request is repeated.
import type { ServerResponse } from 'node:http';

export interface PageText {
  title: string;
  text: string;
}

export function successPage(name: string): PageText {
  return {
    title: 'Login successful',
    text: `${name} accepted the login. You can close this page and go back to the terminal.`,
  };
}

/** `reason` is one of our own sentences. */
export function failurePage(name: string, reason: string): PageText {
  return { title: 'Login failed', text: `The ${name} login failed: ${reason} The terminal says what to do next.` };
}

/** The outcome is not known yet, and the browser has waited long enough. */
export function progressPage(name: string): PageText {
  return { title: 'Almost there', text: `The ${name} login goes on in the terminal. Look there for how it ends.` };
}

/** A request that does not belong to the login that is waiting here. */
export function notForUsPage(): PageText {
  return {
    title: 'Not accepted',
    text: 'This address does not belong to the login that is waiting here. Use the page opened from the terminal.',
  };
}

/** Our own sentence for a provider's `error`; whatever it really said goes to the terminal only. */
export function reasonOf(error: string): string {
  return reasons[error] ?? 'the provider reported an error.';
}

const reasons: Readonly<Record<string, string>> = {
  access_denied: 'the request was denied.',
  server_error: 'the provider had an error of its own.',
  temporarily_unavailable: 'the provider is temporarily unavailable.',
  invalid_scope: 'the provider refused the requested permissions.',
  unauthorized_client: 'the provider no longer accepts this program.',
};

export function pageHtml({ title, text }: PageText): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}</style></head>
<body><h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p></body></html>
`;
}

/** Headers of every such page: not stored, not framed, no script, no referrer that could carry a code. */
export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
} as const;

export function page(response: ServerResponse, status: number, text: PageText): void {
  response.writeHead(status, pageHeaders);
  response.end(pageHtml(text));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
