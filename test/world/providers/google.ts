// What Google's two logins share: token endpoint, user info, projects, Cloud Code Assist (auth.md §3.6, §3.7).
import type { Account } from '../accounts.ts';
import type { Call } from '../call.ts';
import { asObject, asText } from '../model.ts';
import { googleExtra, tokenRoute } from '../tokens.ts';
import type { Route } from '../types.ts';
import { gemini, readGemini, serveGemini, serveGeminiCount } from '../wire/gemini.ts';

/** `check`: what else the provider demands of a chat body; gives a complaint or `''`. */
export function googleRoutes(provider: 'gemini-cli' | 'antigravity', check: (call: Call) => string): Route[] {
  const known = (call: Call): void => call.authenticate(call.bearer());
  return [
    tokenRoute('/token', { provider, body: 'form', pkce: false, rotates: false, extra: googleExtra }),
    {
      method: 'GET',
      path: '/oauth2/v1/userinfo',
      kind: 'user-info',
      wire: gemini,
      identify: known,
      serve: (call) => {
        const account = call.account as Account;
        call.reply(200, { id: '1', verified_email: true, ...(account.noEmail ? {} : { email: account.email }) });
      },
    },
    {
      method: 'GET',
      path: '/v1/projects',
      kind: 'projects',
      wire: gemini,
      identify: known,
      serve: (call) => {
        const projects = (call.account as Account).projects.map((projectId) => ({
          projectId,
          name: `Project ${projectId}`,
          lifecycleState: 'ACTIVE',
        }));
        call.reply(200, { projects });
      },
    },
    {
      method: 'GET',
      path: /^\/serviceusage\/v1\/projects\/([^/]+)\/services\/([^/:]+)$/,
      kind: 'onboard',
      wire: gemini,
      identify: known,
      serve: (call) => call.reply(200, { name: `projects/${call.groups[0]}`, state: 'ENABLED' }),
    },
    {
      method: 'POST',
      path: /^\/serviceusage\/v1\/projects\/([^/]+)\/services\/([^/:]+):enable$/,
      kind: 'onboard',
      wire: gemini,
      identify: known,
      serve: (call) => call.reply(200, { name: 'operations/1', done: true }),
    },
    {
      method: 'POST',
      path: '/v1internal:loadCodeAssist',
      kind: 'onboard',
      wire: gemini,
      identify: known,
      serve: loadCodeAssist,
    },
    { method: 'POST', path: '/v1internal:onboardUser', kind: 'onboard', wire: gemini, identify: known, serve: onboard },
    {
      method: 'POST',
      path: /^\/v1internal:(?:generateContent|streamGenerateContent)$/,
      kind: 'chat',
      wire: gemini,
      identify: identifyChat,
      async serve(call) {
        const complaint = bodyComplaint(call) || check(call);
        if (complaint !== '') {
          call.problem(complaint);
          return call.fail('invalid-request');
        }
        if (!(call.account as Account).projects.includes(asText(call.json.project))) {
          call.problem(`project ${JSON.stringify(call.json.project)} is not the account's`);
          return call.fail('forbidden');
        }
        await serveGemini(call, { envelope: true });
      },
    },
    {
      method: 'POST',
      path: '/v1internal:countTokens',
      kind: 'count',
      wire: gemini,
      identify: identifyChat,
      serve(call) {
        for (const name of ['project', 'model']) {
          if (call.json[name] !== undefined) call.problem(`${name} in a token count`);
        }
        serveGeminiCount(call);
      },
    },
  ];
}

function identifyChat(call: Call): void {
  call.authenticate(call.bearer());
  readGemini(call, asObject(call.json.request), asText(call.json.model));
  call.note('project', asText(call.json.project));
}

function bodyComplaint(call: Call): string {
  if (asText(call.json.model) === '') return 'no model';
  const request = asObject(call.json.request);
  for (const name of ['model', 'stream', 'project']) if (request[name] !== undefined) return `request.${name}`;
  return '';
}

function loadCodeAssist(call: Call): void {
  const account = call.account as Account;
  if (asText(asObject(call.json.metadata).pluginType) !== 'GEMINI') call.problem('metadata.pluginType');
  const free = { id: 'free-tier', name: 'Free', isDefault: true };
  call.reply(200, {
    allowedTiers: [free, { id: 'standard-tier', name: 'Standard', userDefinedCloudaicompanionProject: true }],
    ...(account.onboarded ? { currentTier: free, cloudaicompanionProject: account.projects[0] ?? '' } : {}),
  });
}

function onboard(call: Call): void {
  const account = call.account as Account;
  if (asText(call.json.tierId) === '' && asText(call.json.tier_id) === '') call.problem('no tierId');
  account.onboarded = true;
  const id = asText(call.json.cloudaicompanionProject) || (account.projects[0] ?? '');
  call.reply(200, { name: 'operations/1', done: true, response: { cloudaicompanionProject: { id, name: id } } });
}
