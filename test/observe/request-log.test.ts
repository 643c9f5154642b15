// Request and error logs of a running server: which are written, their names, sections, masks and limits.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { answerCookie, clientKey, type Lab, openLab, until, upstreamKey } from './lab.ts';

let lab: Lab;
afterEach(() => lab.close());

const full = 'request-log: true';
const sections = (text: string): string[] => [...text.matchAll(/^=== (.+) ===$/gm)].map((match) => match[1] as string);

test('a request log has the documented name, mode and sections in order', async () => {
  lab = await openLab({ config: full });
  const answer = await lab.chat('m-ok');
  const body = await answer.text();
  const [name, ...rest] = await lab.logs();
  assert.deepEqual(rest, []);
  assert.match(name as string, /^v1-chat-completions-\d{4}-\d\d-\d\dT\d{6}-[0-9a-f]{8}\.log$/);
  assert.ok(name?.endsWith(`-${answer.headers.get('x-request-id')}.log`));
  assert.equal(lab.mode(name as string), 0o600);
  const text = lab.read(name as string);
  assert.deepEqual(sections(text), [
    'REQUEST INFO',
    'HEADERS',
    'REQUEST BODY',
    'API REQUEST 1',
    'API RESPONSE 1',
    'RESPONSE',
  ]);
  assert.ok(text.trimEnd().endsWith(body));
  assert.match(text, /"model":"up-ok"/);
  assert.match(text, /Status: 200/);
  for (const part of text.split(/^(?==== )/m).slice(1, -1)) assert.ok(part.endsWith('\n\n\n'), part);
});

test('headers show masks only, cookies included', async () => {
  lab = await openLab({ config: full });
  await (
    await lab.chat('m-ok', {}, { headers: { 'x-api-key': clientKey, cookie: 'sid=canary-client-cookie' } })
  ).text();
  const text = lab.read((await lab.logs())[0] as string);
  for (const secret of [clientKey, upstreamKey, 'canary-client-cookie', 'canary-answer-cookie']) {
    assert.ok(!text.includes(secret), secret);
  }
  assert.match(text, /^x-api-key: clie\.\.\.cr3t$/m);
  assert.match(text, /^authorization: Bearer sk-c\.\.\.6789$/im);
  assert.match(text, /^cookie: sid=cana\.\.\.okie$/m);
  assert.match(text, /^set-cookie: session=cana\.\.\.e-42; Path=\/; HttpOnly$/m);
  assert.match(text, /Auth: provider=fakeup, auth_id=\S+, label=.+, type=api_key value=sk-c\.\.\.6789/);
});

test('a stream is logged with every byte that was sent', async () => {
  lab = await openLab({ config: full });
  const sent = await (await lab.chat('m-ok', { stream: true, stream_options: { include_usage: true } })).text();
  const text = lab.read((await lab.logs())[0] as string);
  assert.ok(text.trimEnd().endsWith(sent.trimEnd()));
  assert.match(text, /=== API RESPONSE 1 ===[\s\S]*data: \{[\s\S]*\[DONE\][\s\S]*=== RESPONSE ===/);
});

test('each attempt has its own pair of sections', async () => {
  lab = await openLab({ config: `${full}\nmodel-fallback: [{ from: m-limit, to: [m-ok] }]` });
  await (await lab.chat('m-limit')).text();
  const text = lab.read((await lab.logs())[0] as string);
  assert.deepEqual(sections(text).slice(3), [
    'API REQUEST 1',
    'API RESPONSE 1',
    'API REQUEST 2',
    'API RESPONSE 2',
    'RESPONSE',
  ]);
  assert.match(text, /slow down/);
});

test('a body beyond the memory limit goes through files and leaves none of them behind', async () => {
  lab = await openLab({ config: full });
  const content = 'x'.repeat(300_000);
  await (await lab.chat('m-ok', { messages: [{ role: 'user', content }] })).text();
  const names = await lab.logs();
  assert.equal(names.length, 1);
  assert.equal(lab.read(names[0] as string).split(content).length, 3);
  assert.equal(lab.mode(names[0] as string), 0o600);
});

test('without bodies only their sizes are told', async () => {
  lab = await openLab({ config: `${full}\nrequest-log-bodies: false` });
  await (await lab.chat('m-ok')).text();
  const text = lab.read((await lab.logs())[0] as string);
  assert.ok(!text.includes('"hello"') && !text.includes('"hi"'));
  assert.equal(text.match(/bytes, not kept: request-log-bodies is off\]/g)?.length, 4);
});

test('a client that leaves in mid-stream still gets its log', async () => {
  lab = await openLab({ config: full });
  const leave = new AbortController();
  const answer = await lab.chat('m-hang', { stream: true }, { signal: leave.signal });
  await answer.body?.getReader().read();
  leave.abort();
  await until(() => lab.over() === 1, 'the end of the request');
  const text = lab.read((await lab.logs())[0] as string);
  assert.match(text, /\[aborted: /);
});

test('with request logs off a good request writes nothing', async () => {
  lab = await openLab();
  await (await lab.chat('m-ok')).text();
  assert.deepEqual(await lab.logs(), []);
});

test('a failed request leaves an error log with what the upstream and the client were told', async () => {
  lab = await openLab();
  const answer = await lab.chat('m-limit');
  const told = await answer.text();
  const [name] = await lab.logs();
  assert.match(name as string, /^error-v1-chat-completions-\d{4}-\d\d-\d\dT\d{6}-[0-9a-f]{8}\.log$/);
  assert.equal(lab.mode(name as string), 0o600);
  const text = lab.read(name as string);
  assert.deepEqual(sections(text), ['REQUEST INFO', 'HEADERS', 'REQUEST BODY', 'API ERROR RESPONSE', 'RESPONSE']);
  assert.match(text, /"content":"hi"/);
  assert.match(text, /slow down/);
  assert.match(text, /Status: 429/);
  assert.ok(text.trimEnd().endsWith(told));
  assert.ok(!text.includes(clientKey) && !text.includes(upstreamKey));
});

test('an upstream that quotes the key it refuses does not get it into a log', async () => {
  lab = await openLab({ config: full });
  await (await lab.chat('m-quote')).text();
  const text = lab.read((await lab.logs())[0] as string);
  assert.match(text, /bad key: Bearer sk-c\.\.\.6789/);
  assert.ok(!text.includes(upstreamKey));
});

test('who sends no valid key leaves no error log', async () => {
  lab = await openLab();
  const answer = await lab.chat('m-ok', {}, { headers: { authorization: 'Bearer wrong-key-wrong-key' } });
  assert.equal(answer.status, 401);
  assert.deepEqual(await lab.logs(), []);
});

test('only the newest error logs stay', async () => {
  lab = await openLab({ config: 'error-logs-max-files: 3' });
  for (let n = 0; n < 6; n++) {
    await (await lab.chat('no-such-model')).text();
    await lab.logs();
  }
  const names = await lab.logs();
  assert.equal(names.length, 3);
});

test('the cap of the folder counts request logs too', async () => {
  lab = await openLab({ config: `${full}\nlogs-max-total-size-mb: 1` });
  const content = 'x'.repeat(900_000);
  await (await lab.chat('m-ok', { messages: [{ role: 'user', content }] })).text();
  assert.deepEqual(await lab.logs(), []);
});

test('commercial mode writes neither request nor error logs', async () => {
  lab = await openLab({ config: `${full}\ncommercial-mode: true` });
  await (await lab.chat('m-ok')).text();
  await (await lab.chat('m-limit')).text();
  assert.deepEqual(await lab.logs(), []);
});

test('secrets in a query are masked', async () => {
  lab = await openLab({ config: full });
  await (
    await fetch(`${lab.url}/v1beta/models/m-ok:generateContent?key=${clientKey}`, {
      method: 'POST',
      body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }),
    })
  ).text();
  const [name] = await lab.logs();
  assert.match(name as string, /^v1beta-models-m-ok-generateContent-/);
  const text = lab.read(name as string);
  assert.match(text, /^URL: \/v1beta\/models\/m-ok:generateContent\?key=clie\.\.\.cr3t$/m);
  assert.ok(!text.includes(clientKey) && !text.includes(answerCookie));
});
