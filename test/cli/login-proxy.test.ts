// Logins go through the proxy of the config, from the first call to the last poll, or not at all.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { after, before, type TestContext } from 'node:test';
import { binaryExists, freePort, runCli } from '../world/binary.ts';
import { startWorld, type World } from '../world/index.ts';

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.close());

const options = { skip: binaryExists ? false : 'build ./cliproxy first' };

/** An http proxy that counts. */
async function proxy(context: TestContext): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((incoming, answer) => {
    asked.push(`${incoming.method} ${new URL(incoming.url ?? '').pathname}`);
    const { host: _, ...headers } = incoming.headers;
    const onward = request(incoming.url ?? '', { method: incoming.method, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test('asking for a code, polling and the exchange all pass the proxy', options, async (context) => {
  const through = await proxy(context);
  const before = world.log.length;
  const run = await runCli({
    config: { endpoints: world.endpoints, 'proxy-url': through.url },
    args: ['-qwen-login', '-email', 'me', '-no-browser'],
  });
  context.after(() => run.stop());
  const [, url = ''] = await run.until(new RegExp(`^(${world.origin}\\S+)\\s`, 'm'));
  await world.authorize(url);
  assert.equal(await run.exit, 0, run.output);
  assert.ok(through.asked.length >= 2, String(through.asked));
  assert.equal(world.log.length - before, through.asked.length, 'nothing went past the proxy');
});

test('a dead proxy ends the login with 5, names the proxy, and nobody is asked directly', options, async (context) => {
  const before = world.log.length;
  const dead = `127.0.0.1:${await freePort()}`;
  for (const url of [`http://user:pass-word-1@${dead}`, `socks5://${dead}`]) {
    const run = await runCli({
      config: { endpoints: world.endpoints, 'proxy-url': url },
      args: ['-qwen-login', '-email', 'me', '-no-browser'],
    });
    context.after(() => run.stop());
    assert.equal(await run.exit, 5, run.output);
    assert.match(run.stderr, new RegExp(dead));
    assert.doesNotMatch(run.output, /pass-word-1/);
  }
  assert.equal(world.log.length, before);
});
