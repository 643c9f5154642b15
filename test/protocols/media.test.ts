import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileFromData, fileFromUrl, mediaTypeByName, parseDataUrl, urlOf } from '../../src/protocols/media.ts';

describe('media', () => {
  it('reads base64 and percent-encoded data URLs, with parameters', () => {
    assert.deepEqual(parseDataUrl('data:image/png;base64,QUJD'), { mediaType: 'image/png', base64: 'QUJD' });
    assert.deepEqual(parseDataUrl('data:text/plain;charset=utf-8;base64,QQ=='), {
      mediaType: 'text/plain',
      base64: 'QQ==',
    });
    assert.deepEqual(parseDataUrl('data:,a%20b'), { mediaType: 'text/plain', base64: 'YSBi' });
    assert.equal(parseDataUrl('https://example.com/a.png'), undefined);
  });

  it('knows the MIME type of a link by its extension, query and fragment aside', () => {
    assert.equal(mediaTypeByName('https://example.com/cat.JPG?w=1.2#x.y'), 'image/jpeg');
    assert.equal(mediaTypeByName('https://example.com/cat'), undefined);
    assert.equal(fileFromUrl('https://example.com/cat', 'image/*').mediaType, 'image/*');
  });

  it('takes file data with and without the data: prefix', () => {
    assert.deepEqual(fileFromData('QUJD', 'a.csv').data, { kind: 'base64', base64: 'QUJD' });
    assert.equal(fileFromData('QUJD', 'a.csv').mediaType, 'text/csv');
    assert.equal(fileFromData('QUJD', undefined).mediaType, 'application/pdf');
  });

  it('writes a file back as the URL it came from', () => {
    for (const url of ['data:image/png;base64,QUJD', 'https://example.com/a.pdf']) {
      assert.equal(urlOf(fileFromUrl(url, 'image/*')), url);
    }
  });
});
