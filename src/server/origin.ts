// Whether a browser sent this request on behalf of another site. Only asked while no client key protects the routes.
import type { IncomingMessage } from 'node:http';

/**
 * A page elsewhere can make a browser post to localhost (CSRF), or point its own name at 127.0.0.1 (DNS rebinding).
 * SDKs and coding agents send no `Origin` and address us by an address or a loopback name.
 */
export function isForeignSite(request: IncomingMessage): boolean {
  const origin = request.headers.origin;
  if (origin !== undefined && !isLocalOrigin(origin)) return true;
  const site = request.headers['sec-fetch-site'];
  if (site === 'cross-site') return true;
  return origin !== undefined && !isLocalName(hostName(request.headers.host ?? ''));
}

function isLocalOrigin(origin: string): boolean {
  if (origin === 'null') return false;
  try {
    const { protocol, hostname } = new URL(origin);
    // Desktop apps (`app://`, `vscode-webview://`) are not web sites.
    return (protocol !== 'http:' && protocol !== 'https:') || isLocalName(hostname);
  } catch {
    return false;
  }
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, '');
}

function isLocalName(name: string): boolean {
  const bare = name.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare.endsWith('.localhost') || bare === '::1' || /^127\.\d+\.\d+\.\d+$/.test(bare);
}
