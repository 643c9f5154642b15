// Masks of headers, query strings and texts (spec/config.md §11.2).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { headerLines, redactHeader, redactUrl, scrub, scrubBytes } from '../../src/observe/redact-headers.ts';

const secret = 'abcd-a-long-secret-wxyz';

test('headers that carry secrets are masked, the scheme stays', () => {
  const cases: [name: string, value: string, shown: string][] = [
    ['Authorization', `Bearer ${secret}`, 'Bearer abcd...wxyz'],
    ['authorization', secret, 'abcd...wxyz'],
    ['Proxy-Authorization', `Basic ${secret}`, 'Basic abcd...wxyz'],
    ['X-Api-Key', secret, 'abcd...wxyz'],
    ['x-goog-apikey', secret, 'abcd...wxyz'],
    ['X-Refresh-Token', secret, 'abcd...wxyz'],
    ['client-secret', secret, 'abcd...wxyz'],
    ['Cookie', `a=${secret}; b=short`, 'a=abcd...wxyz; b=...'],
    ['Set-Cookie', `sid=${secret}; Path=/; Secure`, 'sid=abcd...wxyz; Path=/; Secure'],
    ['User-Agent', 'curl/8', 'curl/8'],
    ['Content-Type', 'application/json', 'application/json'],
  ];
  for (const [name, value, shown] of cases) assert.equal(redactHeader(name, value), shown, name);
});

test('of a secret shorter than 16 characters at most four are shown', () => {
  for (const name of ['authorization', 'x-api-key', 'cookie']) {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{1,15}$/), (text) => {
        const shown = redactHeader(name, text).replaceAll('.', '');
        return shown.length <= 4 && shown.length < text.length;
      }),
    );
  }
});

test('several values of one header are several lines, and none can start a line of its own', () => {
  assert.equal(headerLines({ 'x-a': ['1', '2\r\nx-b: 3'], 'x-c': undefined }), 'x-a: 1\nx-a: 2 x-b: 3\n');
});

test('secrets in a query are masked, the rest stays as it came', () => {
  const cases: [url: string, shown: string][] = [
    [`/v1?key=${secret}&alt=sse`, '/v1?key=abcd...wxyz&alt=sse'],
    [`/v1?API_KEY=${secret}`, '/v1?API_KEY=abcd...wxyz'],
    [`/v1?access_token[]=${secret}`, '/v1?access_token[]=abcd...wxyz'],
    [`/cb?code=${secret}&state=${secret}`, '/cb?code=abcd...wxyz&state=abcd...wxyz'],
    ['/v1?keyword=tea&x', '/v1?keyword=tea&x'],
    ['/v1?key=%zz', '/v1?key=...'],
    [`https://user:${secret}@host/path`, 'https://host/path'],
  ];
  for (const [url, shown] of cases) assert.equal(redactUrl(url), shown);
});

test('a quoted secret is replaced in texts and in bytes, whatever stands around it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (before, after) => {
      const text = `${before.toWellFormed()}${secret}${after.toWellFormed()}`;
      const clean = text.replaceAll(secret, 'abcd...wxyz');
      return scrub(text, [secret]) === clean && scrubBytes(Buffer.from(text), [secret]).toString() === clean;
    }),
  );
});

test('a chunk without secrets is the very same chunk', () => {
  const chunk = Buffer.from('nothing to hide');
  assert.equal(scrubBytes(chunk, [secret, 'hide']), chunk);
});
