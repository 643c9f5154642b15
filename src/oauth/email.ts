// The question for an e-mail address or alias (auth.md §1 #5, §3.1).
import { loginError } from './errors.ts';
import type { Terminal } from './flow.ts';

/** Letters, digits and `. + - _` before the `@`; a domain with a top level of letters. */
export function isEmail(text: string): boolean {
  return /^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$/.test(text);
}

/** Why a login cannot go on without an answer; the class name starts the message, as documented. */
export function emailRequired(what: string): Error {
  return loginError('email_required', `EmailRequiredError: ${what} is required`);
}

/**
 * `given` (`-email`) or the answer to the question. Nothing entered: `EmailRequiredError`. A malformed address is asked
 * again, three times in all.
 */
export async function askForEmail(
  terminal: Terminal,
  signal: AbortSignal,
  given: string | undefined,
  question = 'Enter your email address: ',
): Promise<string> {
  if (given !== undefined && given.trim() !== '') {
    if (isEmail(given.trim())) return given.trim();
    throw loginError('login_failed', `Email format invalid: ${given.trim()}`);
  }
  for (let attempt = 0; attempt < 3; attempt++) {
    const answer = (await terminal.ask(question, { signal }))?.trim();
    if (signal.aborted) throw loginError('aborted', 'cancelled');
    if (answer === undefined || answer === '') throw emailRequired('an e-mail address');
    if (isEmail(answer)) return answer;
    terminal.warn('Email format invalid: letters, digits and . + - _ before the @, then a domain.');
  }
  throw loginError('login_failed', 'Email format invalid');
}
