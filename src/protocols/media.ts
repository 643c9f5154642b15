// Data URLs and MIME types, as the protocols spell attachments (protocols.md §2.3).
import { lookup } from './json.ts';
import type { FilePart } from './neutral.ts';

const byExtension: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  heic: 'image/heic',
  svg: 'image/svg+xml',
  pdf: 'application/pdf',
  txt: 'text/plain',
  md: 'text/markdown',
  csv: 'text/csv',
  html: 'text/html',
  json: 'application/json',
  wav: 'audio/wav',
  mp3: 'audio/mp3',
  ogg: 'audio/ogg',
  flac: 'audio/flac',
  mp4: 'video/mp4',
  webm: 'video/webm',
};

/** MIME type told by the last extension of a file name or URL path; undefined when unknown. */
export function mediaTypeByName(name: string | undefined): string | undefined {
  const path = name?.split(/[?#]/, 1)[0] ?? '';
  const dot = path.lastIndexOf('.');
  return dot < 0 ? undefined : lookup(byExtension, path.slice(dot + 1).toLowerCase());
}

/** RFC 2397. A payload that is not marked `;base64` is percent-decoded and encoded. */
export function parseDataUrl(url: string): { mediaType: string; base64: string } | undefined {
  if (!url.startsWith('data:')) return undefined;
  const comma = url.indexOf(',');
  if (comma < 0) return undefined;
  const [mediaType = '', ...parameters] = url.slice(5, comma).split(';');
  const payload = url.slice(comma + 1);
  if (parameters.includes('base64')) return { mediaType, base64: payload };
  try {
    return {
      mediaType: mediaType || 'text/plain',
      base64: Buffer.from(decodeURIComponent(payload), 'utf8').toString('base64'),
    };
  } catch {
    return undefined;
  }
}

export function dataUrl(mediaType: string, base64: string): string {
  return `data:${mediaType || 'application/octet-stream'};base64,${base64}`;
}

/** `data:` or `http(s):` address → file part; `fallback` is the MIME type when neither tells it. */
export function fileFromUrl(url: string, fallback: string): FilePart {
  const data = parseDataUrl(url);
  if (data) {
    return {
      type: 'file',
      mediaType: data.mediaType || fallback,
      data: { kind: 'base64', base64: data.base64 },
    };
  }
  return { type: 'file', mediaType: mediaTypeByName(url) ?? fallback, data: { kind: 'url', url } };
}

/** What an OpenAI `file_data` holds: a data URL by contract, bare base64 from some clients. */
export function fileFromData(text: string, filename: string | undefined): FilePart {
  const data = parseDataUrl(text);
  return {
    type: 'file',
    mediaType: data?.mediaType || mediaTypeByName(filename) || 'application/pdf',
    data: { kind: 'base64', base64: data?.base64 ?? text },
    ...(filename === undefined ? {} : { filename }),
  };
}

export function isImage(file: FilePart): boolean {
  return file.mediaType.startsWith('image/');
}

/** Address of a file's content: data URL or link; undefined for text and ids. */
export function urlOf(file: FilePart): string | undefined {
  if (file.data.kind === 'base64') return dataUrl(file.mediaType, file.data.base64);
  return file.data.kind === 'url' ? file.data.url : undefined;
}
