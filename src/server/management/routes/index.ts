// All management routes.
import * as z from 'zod';
import { docsHeaders, docsPage } from '../docs-page.ts';
import { openApiDocument } from '../openapi.ts';
import { type Route, route } from '../route.ts';
import { ampcodeRoutes } from './ampcode.ts';
import { apiCallRoutes } from './api-call.ts';
import { apiKeyRoutes } from './api-keys.ts';
import { auditRoutes } from './audit.ts';
import { authFileWriteRoutes } from './auth-file-writes.ts';
import { authFileRoutes } from './auth-files.ts';
import { credentialListRoutes } from './credential-lists.ts';
import { eventRoutes } from './events.ts';
import { logRoutes } from './logs.ts';
import { modelMapRoutes } from './model-maps.ts';
import { modelRoutes } from './models.ts';
import { oauthRoutes } from './oauth.ts';
import { scalarRoutes } from './scalars.ts';
import { usageRoutes } from './usage.ts';
import { vertexRoutes } from './vertex.ts';
import { wholeConfigRoutes } from './whole-config.ts';

let document: Record<string, unknown> | undefined;
const described = (): Record<string, unknown> => (document ??= openApiDocument(allRoutes));

const documentRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: 'openapi.json',
    tag: 'System',
    summary: 'This document',
    scope: 'viewer',
    responses: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) } },
    answer: () => ({ json: described() }),
  }),
  route({
    method: 'GET',
    path: 'docs',
    tag: 'System',
    summary: 'This document as a page',
    scope: 'viewer',
    responses: { 200: { description: 'A page.', contentType: 'text/html', schema: z.string() } },
    answer: () => ({ text: docsPage(described()), type: 'text/html; charset=utf-8', headers: docsHeaders }),
  }),
];

export const allRoutes: readonly Route[] = [
  ...wholeConfigRoutes,
  ...scalarRoutes,
  ...apiKeyRoutes,
  ...credentialListRoutes,
  ...modelMapRoutes,
  ...ampcodeRoutes,
  ...authFileRoutes,
  ...authFileWriteRoutes,
  ...vertexRoutes,
  ...modelRoutes,
  ...oauthRoutes,
  ...usageRoutes,
  ...logRoutes,
  ...apiCallRoutes,
  ...auditRoutes,
  ...eventRoutes,
  ...documentRoutes,
];
