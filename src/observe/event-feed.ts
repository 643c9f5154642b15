// Live events for the panel: a ring of the newest 1,000 and whoever listens (management-api.md R17).
export type FeedType = 'request' | 'credential' | 'config' | 'log' | 'login';

export interface FeedEvent {
  /** Counts up from 1 within one process. */
  id: number;
  type: FeedType;
  /** Unix ms */
  at: number;
  data: unknown;
}

export interface EventFeed {
  publish(type: FeedType, data: unknown): void;
  /** Events after `lastId` that are still in the ring, oldest first. */
  since(lastId: number): FeedEvent[];
  /** Somebody listens, or has: what nobody ever asked for need not be written down. */
  readonly followed: boolean;
  /** Id of the newest event, 0 when there is none. */
  readonly lastId: number;
  subscribe(listener: (event: FeedEvent) => void): () => void;
}

export const ringSize = 1_000;

export function createEventFeed(now: () => number = Date.now): EventFeed {
  const ring: FeedEvent[] = [];
  const listeners = new Set<(event: FeedEvent) => void>();
  let lastId = 0;
  let followed = false;
  return {
    get followed() {
      return followed;
    },
    get lastId() {
      return lastId;
    },
    publish(type, data) {
      lastId += 1;
      const event: FeedEvent = { id: lastId, type, at: now(), data };
      // Overwriting in place: a shift per event would move the whole ring.
      ring[(lastId - 1) % ringSize] = event;
      for (const listener of listeners) listener(event);
    },
    since(id) {
      const from = Math.max(id, lastId - ringSize) + 1;
      const events: FeedEvent[] = [];
      for (let next = from; next <= lastId; next++) {
        const event = ring[(next - 1) % ringSize];
        if (event) events.push(event);
      }
      return events;
    },
    subscribe(listener) {
      followed = true;
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
