// Whose request it is: the socket's address, or behind `trusted-proxies` the last hop that is not one of them (R8).
import { BlockList, isIP, isIPv4 } from 'node:net';

/** `::ffff:127.0.0.1` → `127.0.0.1`; zone ids dropped. */
export function plainAddress(address: string): string {
  const bare = address.replace(/^\[|\]$/g, '').split('%')[0] ?? '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare);
  return mapped?.[1] ?? bare;
}

export function isLoopback(address: string): boolean {
  const plain = plainAddress(address);
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}

/** Addresses and CIDR ranges; entries that are neither are ignored. */
export function addressRanges(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.trim().split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) continue;
    if (bits === undefined) list.addAddress(address, family);
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 'ipv6' ? 128 : 32))
      list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function inside(list: BlockList, address: string): boolean {
  const kind = isIP(address);
  return kind !== 0 && list.check(address, kind === 6 ? 'ipv6' : 'ipv4');
}

export function clientAddress(
  socketAddress: string,
  forwardedFor: string | string[] | undefined,
  trustedProxies: readonly string[],
): string {
  let address = plainAddress(socketAddress);
  if (trustedProxies.length === 0 || forwardedFor === undefined) return address;
  const trusted = addressRanges(trustedProxies);
  const hops = [forwardedFor].flat().join(',').split(',');
  while (inside(trusted, address) && hops.length > 0) {
    const hop = plainAddress((hops.pop() ?? '').trim());
    if (isIP(hop) === 0) break;
    address = hop;
  }
  return address;
}
