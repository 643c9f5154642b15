// Reads what a user pastes instead of letting the browser reach the callback listener (auth.md §2.5).

export type Pasted =
  /** Nothing but Enter: go on waiting. */
  | { kind: 'empty' }
  | { kind: 'code'; code: string }
  /** The provider's own error, with the right state: the login is over. */
  | { kind: 'denied'; error: string; description?: string }
  /** Cannot be used; `reason` is for the user, who is asked again. */
  | { kind: 'invalid'; reason: string };

/** The members of a callback, wherever in the pasted text they were. */
export interface CallbackParameters {
  code?: string;
  state?: string;
  error?: string;
  errorDescription?: string;
}

export function readPasted(text: string, expectedState: string): Pasted {
  const trimmed = unquote(text.trim());
  if (trimmed === '') return { kind: 'empty' };
  const parameters = callbackParameters(trimmed);
  if (parameters === undefined) return { kind: 'invalid', reason: notACallback(trimmed) };
  const { code, state, error, errorDescription } = parameters;
  if (code === undefined && error === undefined) {
    return { kind: 'invalid', reason: 'it holds no code: copy the whole address the browser ended at' };
  }
  if (state === undefined) {
    return { kind: 'invalid', reason: 'it holds no state: copy the whole address, or CODE#STATE' };
  }
  if (state !== expectedState) {
    return { kind: 'invalid', reason: 'its state belongs to another login: use the page opened from the URL above' };
  }
  if (error !== undefined) {
    return errorDescription === undefined
      ? { kind: 'denied', error }
      : { kind: 'denied', error, description: errorDescription };
  }
  return { kind: 'code', code: code as string };
}

/**
 * `code`, `state` and `error` of a full URL, an address without a scheme, a bare query or fragment, or `CODE#STATE`.
 * Undefined when the text is none of these.
 */
export function callbackParameters(text: string): CallbackParameters | undefined {
  if (/\s/.test(text)) return undefined;
  const codeAndState = /^([^#?=&]+)#([A-Za-z0-9._-]+)$/.exec(text);
  if (codeAndState && !text.includes('://')) return { code: codeAndState[1], state: codeAndState[2] };
  const url = asUrl(text);
  if (url === undefined) return undefined;
  const query = url.searchParams;
  const fragment = new URLSearchParams(url.hash.slice(1));
  const read = (name: string) => query.get(name)?.trim() || fragment.get(name)?.trim() || undefined;
  const found: CallbackParameters = {
    code: read('code'),
    state: read('state'),
    error: read('error'),
    errorDescription: read('error_description'),
  };
  // Claude's code page shows CODE#STATE; some people paste it into the URL's `code`.
  if (found.state === undefined && found.code !== undefined && url.hash.length > 1 && !url.hash.includes('=')) {
    found.state = decodeURIComponent(url.hash.slice(1));
  }
  const inside = found.code?.indexOf('#') ?? -1;
  if (found.code !== undefined && inside > 0) {
    found.state ??= found.code.slice(inside + 1);
    found.code = found.code.slice(0, inside);
  }
  found.error ??= found.errorDescription;
  return found;
}

function asUrl(text: string): URL | undefined {
  if (text.includes('://')) return parse(text);
  if (text.startsWith('?') || text.startsWith('#')) return parse(`http://localhost/${text}`);
  if (/^[A-Za-z_]+=/.test(text)) return parse(`http://localhost/?${text}`);
  if (/[/?#:]/.test(text)) return parse(`http://${text}`);
  return undefined;
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** A URL copied from a shell or a chat comes with quotes or angle brackets around it. */
function unquote(text: string): string {
  return /^(["'`]).*\1$/.test(text) || /^<.*>$/.test(text) ? text.slice(1, -1).trim() : text;
}

function notACallback(text: string): string {
  return /\s/.test(text)
    ? 'it is not a callback URL'
    : 'a code alone is not enough: copy the whole address the browser ended at, or CODE#STATE';
}
