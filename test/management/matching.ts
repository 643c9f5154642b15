// Does an answer say at least what was recorded? New members may stand beside the recorded ones.
const placeholder =
  /<(volatile|volatile-date|volatile-hour|ts|reqid|lat|dir|hash|dns|google-client-id|out of scope|many NUL bytes)[^>]*>/;

function pattern(text: string, dir: string): RegExp {
  const parts = text.split(new RegExp(placeholder.source, 'g'));
  let source = '';
  for (let index = 0; index < parts.length; index += 2) {
    source += (parts[index] as string).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const name = parts[index + 1];
    if (name === 'dir') source += dir.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    else if (name !== undefined) source += '.*';
  }
  return new RegExp(`^${source}$`, 's');
}

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === 'object' && Object.keys(value).length === 0);

/** Where they differ, as a path, or undefined when the answer fits. */
export function mismatch(recorded: unknown, actual: unknown, dir: string, at = '$'): string | undefined {
  // panel.md P1: an empty list or map is [] or {}, never null.
  if ((recorded === null || (Array.isArray(recorded) && recorded.length === 0)) && isEmpty(actual)) return undefined;
  if (typeof recorded === 'string') {
    if (/^https:.*[?]/.test(recorded)) return urlMismatch(recorded, String(actual), dir, at);
    if (/^<(volatile|out of scope)/.test(recorded)) return undefined;
    if (placeholder.test(recorded)) {
      return pattern(recorded, dir).test(String(actual)) ? undefined : `${at}: ${recorded} / ${String(actual)}`;
    }
  }
  if (Array.isArray(recorded)) return listMismatch(recorded, actual, dir, at);
  if (typeof recorded === 'object' && recorded !== null) return mapMismatch(recorded, actual, dir, at);
  return recorded === actual ? undefined : `${at}: ${JSON.stringify(recorded)} / ${JSON.stringify(actual)}`;
}

/** The order of parameters means nothing. */
function urlMismatch(recorded: string, actual: string, dir: string, at: string): string | undefined {
  const parts = (url: string): string => {
    const [base, query = ''] = url.split('?');
    return `${base}?${query.split('&').sort().join('&')}`;
  };
  return pattern(parts(recorded), dir).test(parts(actual)) ? undefined : `${at}: ${recorded} / ${actual}`;
}

function listMismatch(recorded: unknown[], actual: unknown, dir: string, at: string): string | undefined {
  if (!Array.isArray(actual)) return `${at}: not a list`;
  const cut = recorded.findIndex((item) => typeof item === 'string' && /^<\d+ .*more/.test(item));
  const items = cut < 0 ? recorded : recorded.slice(0, cut);
  if (cut < 0 && items.length !== actual.length) return `${at}: ${items.length} / ${actual.length} items`;
  for (const [index, item] of items.entries()) {
    const found = mismatch(item, actual[index], dir, `${at}[${index}]`);
    if (found) return found;
  }
  return undefined;
}

function mapMismatch(recorded: object, actual: unknown, dir: string, at: string): string | undefined {
  if (typeof actual !== 'object' || actual === null) return `${at}: not an object`;
  const omitted = '_note' in recorded;
  for (const [name, value] of Object.entries(recorded)) {
    // Prose about models is not kept; the length is of an answer whose host name was replaced in the recording.
    if (['_note', 'description', 'supported_parameters', 'Content-Length'].includes(name) || /^<volatile/.test(name))
      continue;
    const given = (actual as Record<string, unknown>)[name];
    const wanted = omitted && Array.isArray(value) ? only(value, given) : given;
    const found = mismatch(value, wanted, dir, `${at}.${name}`);
    if (found) return found;
  }
  return undefined;
}

/** "Other entries omitted": compares with the entries of the same id. */
function only(recorded: unknown[], actual: unknown): unknown {
  if (!Array.isArray(actual)) return actual;
  const ids = new Set(recorded.map((item) => (item as { id?: string }).id));
  return actual.filter((item) => ids.has((item as { id?: string }).id));
}
