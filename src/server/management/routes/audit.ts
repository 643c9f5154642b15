// Reads the audit log (R15).
import * as z from 'zod';
import { intParam } from '../query.ts';
import { type Route, route } from '../route.ts';

export const auditRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: 'audit',
    tag: 'System',
    summary: 'Who changed what, when and from where',
    scope: 'admin',
    query: z.object({
      after: intParam({ max: 99_999_999_999 }).optional(),
      limit: intParam({ min: 1, max: 10_000 }).optional(),
    }),
    responses: {
      200: {
        description: 'Oldest first. `after` is in Unix seconds.',
        schema: z.object({
          entries: z.array(
            z.looseObject({
              time: z.string(),
              address: z.string(),
              key: z.string(),
              method: z.string(),
              path: z.string(),
              changed: z.array(z.string()),
              status: z.int(),
              result: z.enum(['ok', 'refused']),
              request_id: z.string(),
            }),
          ),
        }),
      },
    },
    errors: { 400: '`after` or `limit` is not a number in range.' },
    async answer(call) {
      const { after, limit } = call.query;
      const entries = await call.deps.audit.read({ after: (after ?? 0) * 1000, limit: limit ?? 200 });
      return { json: { entries } };
    },
  }),
];
