// Callback routes on the main port: no key, the state is the secret. The page says what really happened (auth.md §5.4).
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type PageText, pageHeaders, pageHtml, reasonOf } from '../../oauth/callback-pages.ts';
import { isValidState } from '../../oauth/state.ts';
import type { ManagementDeps } from './deps.ts';
import { callbackPaths } from './login-providers.ts';
import { readQuery } from './query.ts';

/** How long the browser waits for the outcome. */
const patienceMs = 10_000;

const stranger: PageText = {
  title: 'Login failed: unknown or expired',
  text: 'No login is waiting for this address. Start the login again and use the page it opens.',
};
const progress: PageText = {
  title: 'Almost there',
  text: 'The login goes on. The place where you started it shows how it ends.',
};
const success: PageText = { title: 'Login successful', text: 'The account is ready. You can close this page.' };

const failed = (reason: string): PageText => ({
  title: 'Login failed',
  text: `Login failed: ${reason} The place where you started it shows more.`,
});

export function callbackPages(app: FastifyInstance, deps: ManagementDeps): void {
  for (const [provider, url] of Object.entries(callbackPaths)) {
    app.get(url, { exposeHeadRoute: false, logLevel: 'silent' }, async (request, reply) => {
      const query = readQuery(request.raw.url ?? '');
      const one = (name: string): string => [query[name] ?? ''].flat()[0]?.trim() ?? '';
      const [state, code] = [one('state'), one('code')];
      const error = one('error') || one('error_description');
      if (!isValidState(state) || (code === '' && error === '')) return show(reply, 400, stranger);
      const delivery = await deps.remote.deliver({ state, provider, code, error });
      if (!delivery.ok) return show(reply, 400, stranger);
      if (error !== '') return show(reply, 400, failed(reasonOf(error)));
      const outcome = await within(delivery.done, patienceMs);
      if (outcome === undefined || outcome.status === 'wait') return show(reply, 200, progress);
      return outcome.status === 'ok'
        ? show(reply, 200, success)
        : show(reply, 400, failed('the provider did not accept the code.'));
    });
  }
}

function show(reply: FastifyReply, status: number, text: PageText): FastifyReply {
  return reply.code(status).headers(pageHeaders).send(pageHtml(text));
}

async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([work.catch(() => undefined), limit]);
  } finally {
    clearTimeout(timer);
  }
}
