// How a login says what went wrong: one line, cause and next step, no secrets (auth.md §2.6, R2, R19).
import type { Config } from '../config/index.ts';
import { HttpError, type HttpResponse } from '../net/http.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { exitCode, LoginError } from './flow.ts';

/** Which part of a login failed; the management API has a text for each (auth.md §5.6). */
export type LoginStep =
  | 'access_denied'
  | 'callback_timeout'
  | 'port_in_use'
  | 'device_start_failed'
  | 'code_exchange_failed'
  | 'user_info_failed'
  | 'onboarding_failed'
  | 'api_check_failed'
  | 'project_required'
  | 'save_failed'
  | 'email_required'
  | 'aborted'
  | 'login_failed';

export function loginError(step: LoginStep, message: string, cause?: unknown): LoginError {
  return new LoginError(message, { code: step, exit: exitOf[step], cause });
}

const exitOf: Record<LoginStep, number> = {
  access_denied: exitCode.denied,
  callback_timeout: exitCode.timeout,
  port_in_use: exitCode.portBusy,
  device_start_failed: exitCode.failed,
  code_exchange_failed: exitCode.failed,
  user_info_failed: exitCode.failed,
  onboarding_failed: exitCode.failed,
  api_check_failed: exitCode.failed,
  project_required: exitCode.failed,
  save_failed: exitCode.save,
  email_required: exitCode.emailRequired,
  aborted: 130,
  login_failed: exitCode.failed,
};

/** A provider's OAuth `error` (RFC 6749 §4.1.2.1, RFC 8628 §3.5) as the end of a login. */
export function providerError(prefix: string, error: string, description?: string): LoginError {
  const code = plain(error);
  const detail = description === undefined ? '' : ` (${plain(description)})`;
  const message = `${prefix}${code}${detail}`;
  if (error === 'access_denied') return loginError('access_denied', message);
  if (error === 'expired_token') return loginError('callback_timeout', message);
  return loginError('login_failed', message);
}

/** A call that got no answer, or was ended. Exit 5, or the step's own when the login itself was ended. */
export function transportError(step: LoginStep, prefix: string, error: unknown, config?: Config): LoginError {
  if (error instanceof LoginError) return error;
  if (error instanceof HttpError) {
    const message = `${prefix}: ${error.message}${proxyNote(config)}`;
    return new LoginError(message, { code: step, exit: exitCode.network, cause: error });
  }
  return loginError(step, `${prefix}: ${error instanceof Error ? error.message : 'unknown error'}`, error);
}

/** A call that was answered with an error status or an answer that cannot be used. */
export function answerError(step: LoginStep, prefix: string, response: HttpResponse, config?: Config): LoginError {
  return loginError(step, `${prefix}: ${describeAnswer(response)}${proxyNote(config)}`);
}

/** Status and the provider's own words, short, without anything that looks like a token (R19). */
export function describeAnswer(response: HttpResponse): string {
  const words = response.json === undefined ? bodyWords(response.text) : errorWords(response.json);
  return words === '' ? `status ${response.status}` : `status ${response.status}, ${words}`;
}

function bodyWords(body: string): string {
  const text = body.trim();
  if (text === '') return 'empty answer';
  if (/^<(!doctype|html|head|\?xml)/i.test(text) || /<html[\s>]/i.test(text.slice(0, 2000))) {
    return /captcha|challenge|cf-|cloudflare|just a moment/i.test(text)
      ? 'an HTML page with a bot check instead of JSON'
      : 'an HTML page instead of JSON';
  }
  return redact(plain(text));
}

function errorWords(json: JsonObject): string {
  const parts: string[] = [];
  const add = (value: unknown) => {
    if (typeof value === 'string' && value.trim() !== '' && !parts.includes(value.trim())) parts.push(value.trim());
  };
  const { error } = json;
  if (typeof error === 'object' && error !== null && !Array.isArray(error)) {
    add(error.code);
    add(error.status);
    add(error.type);
    add(error.message);
  } else add(error);
  add(json.error_description);
  add(json.message);
  add(json.msg);
  add(json.detail);
  return redact(plain(parts.join(': ')));
}

/** Names the proxy in use, without user and password: half of all failed exchanges are about it (auth.md §7). */
export function proxyNote(config: Config | undefined): string {
  const value = config?.['proxy-url'];
  if (typeof value !== 'string' || value.trim() === '') return '';
  if (/^(direct|none)$/i.test(value.trim())) return '';
  if (!URL.canParse(value)) return ' (through proxy-url)';
  const { protocol, host } = new URL(value);
  return ` (through proxy ${protocol}//${host})`;
}

/** One line, printable, at most 300 characters: provider text must not steer the terminal. */
export function plain(text: string): string {
  const line = text
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .replace(/ +/g, ' ')
    .trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

/** Cuts long unbroken words that look like tokens, codes or keys to their first 4 characters. */
export function redact(text: string): string {
  return text.replace(/[A-Za-z0-9_\-.~+/=]{24,}/g, (word) =>
    /[0-9]/.test(word) && /[A-Za-z]/.test(word) ? `${word.slice(0, 4)}…` : word,
  );
}

/** What to do next, by exit code: the second half of the error line (R2). */
export function nextStep(error: LoginError, command: string): string {
  return steps[error.exit]?.(command) ?? '';
}

const steps: Record<number, (command: string) => string> = {
  [exitCode.failed]: (command) => `Run \`${command}\` again, or \`cliproxy doctor\` to look for the cause.`,
  [exitCode.denied]: (command) => `Run \`${command}\` again and approve the request in the browser.`,
  [exitCode.timeout]: (command) => `Run \`${command}\` again; with \`-no-browser\` on a machine without a browser.`,
  [exitCode.network]: () => 'Check the network and `proxy-url`; `cliproxy doctor` shows what is reachable.',
  [exitCode.save]: () => 'Check that the auth folder exists, is writable and has space left (`-auth-dir`).',
  [exitCode.portBusy]: (command) =>
    `Free the port, choose another with \`-oauth-callback-port\`, or run \`${command}\` in a terminal to paste the URL.`,
  [exitCode.emailRequired]: (command) => `Run \`${command}\` again and enter the e-mail, or pass \`-email <address>\`.`,
};
