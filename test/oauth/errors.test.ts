import assert from 'node:assert/strict';
import test from 'node:test';
import { describeAnswer, nextStep, plain, providerError, proxyNote, redact } from '../../src/oauth/errors.ts';
import { exitCode, LoginError } from '../../src/oauth/flow.ts';

const answer = (status: number, text: string) => {
  let json: never | undefined;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status, headers: {}, text, json };
};

const answers: [status: number, body: string, said: string][] = [
  [400, '{"error":"invalid_grant","error_description":"Code expired"}', 'status 400, invalid_grant: Code expired'],
  [
    403,
    '{"error":{"code":"unsupported_country_region_territory","message":"no"}}',
    'status 403, unsupported_country_region_territory: no',
  ],
  [200, '{"success":false,"code":"500","message":"server busy"}', 'status 200, server busy'],
  [403, '<!DOCTYPE html><title>Just a moment...</title>', 'status 403, an HTML page with a bot check instead of JSON'],
  [502, '<html><h1>Bad gateway</h1></html>', 'status 502, an HTML page instead of JSON'],
  [500, '', 'status 500, empty answer'],
  [500, 'oops\n\u001b[31mred', 'status 500, oops [31mred'],
  [400, '{"error":"bad sk-ant-oat01-aaaabbbbccccdddd1111"}', 'status 400, bad sk-a…'],
];
for (const [status, body, said] of answers) {
  test(`an answer is told as: ${said}`, () => {
    assert.equal(describeAnswer(answer(status, body)), said);
  });
}

test('what a provider says is one short line', () => {
  assert.equal(plain(`a\u0000b\r\n${'x'.repeat(400)}`).length, 301);
  assert.doesNotMatch(plain('a\u001b]0;title\u0007b'), /[\u0000-\u001f]/);
});

test('long words that look like secrets are cut, others stay', () => {
  assert.equal(redact('code ac_1234567890abcdefghijklmnop refused'), 'code ac_1… refused');
  assert.equal(redact('unsupported_country_region_territory'), 'unsupported_country_region_territory');
});

test('the proxy in use is named without its password', () => {
  const note = (url: string) => proxyNote({ 'proxy-url': url } as never);
  assert.equal(note('socks5://user:hidden@10.0.0.1:1080'), ' (through proxy socks5://10.0.0.1:1080)');
  assert.equal(note('direct'), '');
  assert.equal(note(''), '');
});

const ends: [error: string, exit: number][] = [
  ['access_denied', exitCode.denied],
  ['expired_token', exitCode.timeout],
  ['server_error', exitCode.failed],
];
for (const [error, exit] of ends) {
  test(`the provider's ${error} ends with ${exit}`, () => {
    assert.equal(providerError('', error).exit, exit);
  });
}

test('every exit code but success and wrong usage has a next step', () => {
  for (const [name, exit] of Object.entries(exitCode)) {
    if (name === 'ok' || name === 'usage') continue;
    assert.notEqual(nextStep(new LoginError('x', { exit }), './cliproxy -x-login'), '', name);
  }
});
