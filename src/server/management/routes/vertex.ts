// Import of a Vertex service account (management-api.md §13).
import path from 'node:path';
import * as z from 'zod';
import { ImportError } from '../deps.ts';
import { ApiError } from '../errors.ts';
import { textParam } from '../query.ts';
import { limits } from '../request-body.ts';
import { type Route, route, type UploadBody } from '../route.ts';

export const vertexRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: 'vertex/import',
    tag: 'Credential files',
    summary: 'Store a Google Cloud service account',
    scope: 'admin',
    query: z.object({ location: textParam.optional() }),
    body: { kind: 'multipart', description: 'Form with the key file as `file` and optionally `location`.' },
    responses: {
      200: {
        description: 'Stored.',
        schema: z.looseObject({
          status: z.literal('ok'),
          'auth-file': z.string(),
          email: z.string(),
          project_id: z.string(),
          location: z.string(),
        }),
      },
    },
    errors: { 400: 'No file, or not a usable service account.' },
    async answer(call) {
      const parts = (call.body as UploadBody).parts ?? [];
      const file = parts.find((part) => part.name === 'file' && part.filename !== undefined);
      if (!file) throw new ApiError(400, 'file required');
      if (file.data.length > limits.json) throw new ApiError(413, 'file too large', { code: 'payload_too_large' });
      const asked = parts.find((part) => part.name === 'location')?.data.toString('utf8') ?? call.query.location ?? '';
      const location = asked.trim() || 'us-central1';
      if (!/^[a-z0-9-]{1,40}$/.test(location)) throw new ApiError(400, 'invalid location');
      let account: unknown;
      try {
        account = JSON.parse(file.data.toString('utf8'));
      } catch {
        throw new ApiError(400, 'invalid json', { message: 'The file is not valid JSON.' });
      }
      try {
        const stored = await call.deps.importVertex(account, location);
        const name = path.basename(stored.path);
        call.note({ changed: [`auth-files/${name}`] });
        call.deps.events.publish('credential', { change: 'added', name });
        return {
          json: {
            status: 'ok',
            'auth-file': stored.path,
            email: stored.email,
            project_id: stored.projectId,
            location: stored.location,
          },
        };
      } catch (error) {
        if (!(error instanceof ImportError)) throw error;
        throw new ApiError(error.code === 'save_failed' ? 500 : 400, error.code, { message: error.message });
      }
    },
  }),
];
