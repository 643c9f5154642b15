// Where `api-call` may go and where a token may go (management-api.md R14).
import type { LookupAddress } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { isLoopback, plainAddress } from './client-address.ts';

const refused = new BlockList();
// Link-local, and the metadata services of the clouds that live elsewhere.
refused.addSubnet('169.254.0.0', 16, 'ipv4');
refused.addAddress('100.100.100.200', 'ipv4');
refused.addAddress('192.0.0.192', 'ipv4');
refused.addSubnet('fe80::', 10, 'ipv6');
refused.addAddress('fd00:ec2::254', 'ipv6');
refused.addAddress('fd20:ce::254', 'ipv6');

const refusedNames = new Set(['metadata', 'metadata.google.internal', 'instance-data', 'metadata.azure.internal']);

/** IPv6 forms that carry an IPv4 address: mapped, compatible, NAT64, 6to4. */
function embedded(address: string): string | undefined {
  const groups = expanded(address);
  if (!groups) return undefined;
  const last = groups.slice(6);
  const zero = (from: number, to: number): boolean => groups.slice(from, to).every((group) => group === 0);
  const carries =
    (zero(0, 5) && (groups[5] === 0xffff || groups[5] === 0)) ||
    (groups[0] === 0x64 && groups[1] === 0xff9b && zero(2, 6));
  const pair = carries ? last : groups[0] === 0x2002 ? groups.slice(1, 3) : undefined;
  if (!pair) return undefined;
  const [high = 0, low = 0] = pair;
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** The eight groups of an IPv6 address, as the URL parser writes it. */
function expanded(address: string): number[] | undefined {
  let text: string;
  try {
    text = new URL(`http://[${address.split('%')[0]}]/`).hostname.slice(1, -1);
  } catch {
    return undefined;
  }
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const fill = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array<string>(fill).fill('0'), ...right].map((group) => Number.parseInt(group, 16));
}

export function isRefusedAddress(address: string): boolean {
  const plain = plainAddress(address);
  const kind = isIP(plain);
  if (kind === 4) return refused.check(plain, 'ipv4');
  if (kind !== 6) return true;
  const inner = embedded(plain);
  return refused.check(plain, 'ipv6') || (inner !== undefined && refused.check(inner, 'ipv4'));
}

export type Destination = { ok: true; addresses: LookupAddress[] } | { ok: false; reason: 'refused' | 'unknown' };

/** Looks the host up and refuses it when any of its addresses is off limits. */
export async function checkDestination(
  url: URL,
  lookup: (hostname: string) => Promise<LookupAddress[]>,
): Promise<Destination> {
  const name = plainAddress(url.hostname).replace(/\.$/, '').toLowerCase();
  if (refusedNames.has(name)) return { ok: false, reason: 'refused' };
  const kind = isIP(name);
  const addresses =
    kind !== 0 ? [{ address: name, family: kind }] : await lookup(name).catch((): LookupAddress[] => []);
  if (addresses.some(({ address }) => isRefusedAddress(address))) return { ok: false, reason: 'refused' };
  return addresses.length === 0 ? { ok: false, reason: 'unknown' } : { ok: true, addresses };
}

/** `hosts`: of the provider; `allowed`: `api-call-allowed-hosts` (a name, or `*.name`). Plain http only to named ones. */
export function tokenMayGo(url: URL, hosts: readonly string[], allowed: readonly string[]): boolean {
  const fits = (pattern: string): boolean => {
    const text = pattern.trim().toLowerCase();
    if (text.startsWith('*.')) return url.hostname.endsWith(text.slice(1));
    return text === url.hostname || text === url.host;
  };
  if (allowed.some(fits)) return true;
  return hosts.some(fits) && (url.protocol === 'https:' || isLoopback(url.hostname));
}
