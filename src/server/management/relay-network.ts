// The real network under `api-call`: direct connections go to the addresses that were checked, nowhere else.
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import type { Dispatchers } from '../../net/dispatchers.ts';
import { Agent } from '../../net/undici.ts';
import type { RelayNetwork } from './deps.ts';

export function createRelayNetwork(dispatchers: Dispatchers): RelayNetwork {
  return {
    lookup: (hostname) => lookup(hostname, { all: true }),
    lease({ proxyUrl, pinned, url }) {
      if (proxyUrl) return { dispatcher: dispatchers.dispatcherFor(proxyUrl, url), release: () => undefined };
      const agent = new Agent({ connect: { lookup: pinnedLookup(pinned), timeout: 10_000 }, pipelining: 0 });
      return { dispatcher: agent, release: () => void agent.close().catch(() => undefined) };
    },
  };
}

/** Answers from the checked addresses, so that a name cannot change its mind between check and connect. */
export function pinnedLookup(pinned: readonly LookupAddress[]): LookupFunction {
  return (hostname, options, done) => {
    const wanted = pinned.filter(({ family }) => !options.family || options.family === family);
    const first = wanted[0];
    if (isIP(hostname) === 0 && !first) {
      const error: NodeJS.ErrnoException = new Error('no address');
      error.code = 'ENOTFOUND';
      done(error, []);
    } else if (options.all)
      done(
        null,
        wanted.map(({ address, family }) => ({ address, family })),
      );
    else done(null, first?.address ?? hostname, first?.family);
  };
}
