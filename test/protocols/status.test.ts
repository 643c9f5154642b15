import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorWords, statusOf } from '../../src/protocols/status.ts';

describe('errorWords', () => {
  const rows: Array<[number, string, string | undefined, string, string]> = [
    [400, 'invalid_request_error', undefined, 'invalid_request_error', 'INVALID_ARGUMENT'],
    [401, 'authentication_error', 'invalid_api_key', 'authentication_error', 'UNAUTHENTICATED'],
    [403, 'permission_error', 'insufficient_quota', 'permission_error', 'PERMISSION_DENIED'],
    [404, 'invalid_request_error', 'model_not_found', 'not_found_error', 'NOT_FOUND'],
    [413, 'invalid_request_error', undefined, 'request_too_large', 'INVALID_ARGUMENT'],
    [429, 'rate_limit_error', 'rate_limit_exceeded', 'rate_limit_error', 'RESOURCE_EXHAUSTED'],
    [500, 'server_error', 'internal_server_error', 'api_error', 'INTERNAL'],
    [502, 'server_error', 'internal_server_error', 'api_error', 'INTERNAL'],
    [503, 'server_error', 'internal_server_error', 'api_error', 'UNAVAILABLE'],
    [529, 'server_error', 'internal_server_error', 'overloaded_error', 'UNAVAILABLE'],
  ];
  for (const [status, openai, code, anthropic, gemini] of rows) {
    it(`calls ${status} what each protocol calls it`, () => {
      const words = errorWords(status);
      assert.deepEqual([words.openai, words.code, words.anthropic, words.gemini], [openai, code, anthropic, gemini]);
    });
  }

  it('reads an unlisted status as the client’s or the server’s fault', () => {
    assert.equal(errorWords(418), errorWords(400));
    assert.equal(errorWords(599), errorWords(500));
  });
});

describe('statusOf', () => {
  it('takes the first word it knows', () => {
    assert.equal(statusOf('whatever', 'rate_limit_exceeded'), 429);
    assert.equal(statusOf('RESOURCE_EXHAUSTED'), 429);
    assert.equal(statusOf(undefined, 'overloaded_error'), 529);
  });

  it('does not guess', () => {
    assert.equal(statusOf('constructor', undefined), undefined);
  });
});
