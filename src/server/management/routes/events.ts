// The live feed as server-sent events (R17; WHATWG HTML §9.2).
import { Readable } from 'node:stream';
import * as z from 'zod';
import type { FeedEvent } from '../../../observe/event-feed.ts';
import { redacted } from '../redact.ts';
import { type Call, type Route, route } from '../route.ts';

const heartbeatMs = 15_000;
/** A listener that does not read is cut off; it resumes from the ring. */
const maxBuffered = 1024 * 1024;

function line(event: FeedEvent, redact: boolean): string {
  const data = redact ? redacted('data', event.data) : event.data;
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify({ at: event.at, ...(data as object) })}\n\n`;
}

function stream(call: Call, lastId: number): Readable {
  const feed = call.deps.events;
  const out = new Readable({ read: () => undefined });
  const push = (text: string): void => {
    if (out.readableLength > maxBuffered) out.destroy();
    else if (!out.destroyed) out.push(text);
  };
  push(': connected\n\n');
  for (const event of feed.since(lastId)) push(line(event, call.redact));
  const unsubscribe = feed.subscribe((event) => push(line(event, call.redact)));
  const heartbeat = setInterval(() => push(': keep-alive\n\n'), heartbeatMs);
  heartbeat.unref();
  out.once('close', () => {
    clearInterval(heartbeat);
    unsubscribe();
  });
  call.signal.addEventListener('abort', () => out.destroy(), { once: true });
  return out;
}

export const eventRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: 'events',
    tag: 'System',
    summary: 'Live events: request, credential, config, log, login',
    description:
      'Server-sent events. `Last-Event-ID` (header, or `last_event_id` in the query) resumes within the newest 1,000.',
    scope: 'viewer',
    query: z.object({ last_event_id: z.string().optional(), redact: z.string().optional() }),
    responses: {
      200: { description: 'A stream that stays open.', contentType: 'text/event-stream', schema: z.string() },
    },
    answer(call) {
      const asked = [call.headers['last-event-id'] ?? call.query.last_event_id ?? ''].flat()[0] ?? '';
      const lastId = /^\d{1,15}$/.test(asked) ? Number(asked) : call.deps.events.lastId;
      return {
        stream: stream(call, lastId),
        type: 'text/event-stream; charset=utf-8',
        headers: { 'x-accel-buffering': 'no' },
      };
    },
  }),
];
