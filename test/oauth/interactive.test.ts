import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import type { LoginContext, LoginRequest } from '../../src/oauth/flow.ts';
import { type CallbackFlow, logInWithBrowser, sshHint } from '../../src/oauth/interactive.ts';

interface Stage {
  context: LoginContext;
  lines: string[];
  /** Resolves with the prompt when it is shown; the text given to `answer` is what the user types. */
  asked: Promise<string>;
  answer(text: string | undefined): void;
  opened: string[];
  ending: AbortController;
}

function stage(interactive = true, browser = true): Stage {
  const lines: string[] = [];
  const opened: string[] = [];
  const ending = new AbortController();
  const asked = Promise.withResolvers<string>();
  let settle: (text: string | undefined) => void = () => undefined;
  const context = {
    config: {},
    env: {},
    now: Date.now,
    signal: ending.signal,
    openBrowser: async (url: string) => {
      opened.push(url);
      return browser;
    },
    terminal: {
      interactive,
      print: (line: string) => void lines.push(line),
      warn: (line: string) => void lines.push(line),
      ask: (prompt: string, { signal }: { signal: AbortSignal }) => {
        const { promise, resolve } = Promise.withResolvers<string | undefined>();
        settle = resolve;
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
        asked.resolve(prompt);
        return promise;
      },
    },
  } as unknown as LoginContext;
  return { context, lines, opened, ending, asked: asked.promise, answer: (text) => settle(text) };
}

const flow = (change: Partial<CallbackFlow<string>> = {}): CallbackFlow<string> => ({
  name: 'Claude',
  port: 0,
  path: '/callback',
  fixedRedirect: false,
  errorPrefix: 'auth: ',
  authorizeUrl: (redirectUri, state) => `https://claude.test/?${new URLSearchParams({ redirectUri, state })}`,
  exchange: async (code) => `token for ${code}`,
  ...change,
});

const request: LoginRequest = { noBrowser: true, callbackPort: 0 };
const timing = { callback: 5_000, pasteAfter: 60_000, pageLinger: 1_000 };
const urlIn = (lines: string[]) => new URL(lines.find((line) => line.startsWith('https://')) ?? '');

async function taken(context: TestContext): Promise<number> {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  context.after(() => other.close());
  return (other.address() as AddressInfo).port;
}

test('without a browser the prompt is there at once, and a pasted callback ends the wait', async () => {
  const { context, lines, asked, answer, opened } = stage();
  const login = logInWithBrowser(context, request, flow(), timing);
  assert.equal(await asked, 'Paste the Claude callback URL (or press Enter to keep waiting): ');
  answer(`c1#${urlIn(lines).searchParams.get('state')}`);
  assert.equal(await login, 'token for c1');
  assert.deepEqual(opened, []);
});

test('with a browser exactly one page is opened, and its URL is printed too', async () => {
  const { context, lines, opened, ending } = stage();
  const login = logInWithBrowser(context, { ...request, noBrowser: false }, flow(), timing);
  await new Promise(setImmediate);
  while (opened.length === 0) await new Promise(setImmediate);
  assert.equal(lines[1], `Attempting to open URL in browser: ${opened[0]}`);
  ending.abort();
  await assert.rejects(login, { code: 'aborted' });
  assert.equal(opened.length, 1);
});

test('when no browser can be opened the way by hand is shown', async () => {
  const { context, lines, ending } = stage(true, false);
  const login = logInWithBrowser(context, { ...request, noBrowser: false }, flow(), timing);
  while (!lines.includes('Visit the following URL to continue authentication:')) await new Promise(setImmediate);
  ending.abort();
  await assert.rejects(login, { code: 'aborted' });
});

test('the end of input does not end the wait for the browser', async () => {
  const { context, lines, asked, answer } = stage(false);
  const login = logInWithBrowser(context, request, flow(), timing);
  await asked;
  answer(undefined);
  const url = urlIn(lines);
  const redirect = new URL(url.searchParams.get('redirectUri') ?? '');
  const page = await fetch(`${redirect}?code=c2&state=${url.searchParams.get('state')}`);
  assert.match(await page.text(), /Login successful/);
  assert.equal(await login, 'token for c2');
});

test('a taken port: another one is used where the redirect URI may change', async (context) => {
  const port = await taken(context);
  const { context: login, lines, asked, answer } = stage();
  const running = logInWithBrowser(login, request, flow({ port }), timing);
  await asked;
  assert.match(
    lines[0] as string,
    new RegExp(`^Callback port ${port} is already in use \\(EADDRINUSE\\)\\. Using port`),
  );
  assert.ok(!urlIn(lines).searchParams.get('redirectUri')?.includes(`:${port}/`));
  answer(`c#${urlIn(lines).searchParams.get('state')}`);
  await running;
});

test('a taken port: the pasted URL is the way where the redirect URI is fixed', async (context) => {
  const port = await taken(context);
  const { context: login, lines, asked, answer } = stage();
  const running = logInWithBrowser(
    login,
    { ...request, noBrowser: false },
    flow({ port, fixedRedirect: true }),
    timing,
  );
  await asked;
  assert.match(lines[0] as string, /Paste the callback URL when asked/);
  const url = urlIn(lines.map((line) => line.replace('Attempting to open URL in browser: ', '')));
  assert.equal(url.searchParams.get('redirectUri'), `http://localhost:${port}/callback`);
  answer(`c#${url.searchParams.get('state')}`);
  await running;
});

test('a taken port with nobody at the terminal ends with 13', async (context) => {
  const port = await taken(context);
  const { context: login } = stage(false);
  await assert.rejects(logInWithBrowser(login, request, flow({ port }), timing), { exit: 13, code: 'port_in_use' });
});

test('nobody comes: exit 4', async () => {
  const { context } = stage();
  await assert.rejects(logInWithBrowser(context, request, flow(), { ...timing, callback: 1 }), {
    exit: 4,
    message: 'auth: callback wait failed: timeout waiting for OAuth callback',
  });
});

test('the SSH hint names the address of the session, and asks nobody for it', () => {
  const [, known] = sshHint({ SSH_CONNECTION: '10.0.0.9 50000 10.0.0.5 2222', USER: 'ann' }, 8085);
  assert.equal(known, '  ssh -L 8085:127.0.0.1:8085 ann@10.0.0.5 -p 2222');
  const [, unknown] = sshHint({}, 8085);
  assert.equal(unknown, '  ssh -L 8085:127.0.0.1:8085 root@<server-ip> -p 22');
});
