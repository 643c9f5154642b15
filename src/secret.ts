import { inspect } from 'node:util';

/** How a secret may be shown: at most 4 characters of it when shorter than 16, else first 4 and last 4 (config.md §11.2). */
export function mask(text: string): string {
  if (text.length >= 16) return `${text.slice(0, 4)}...${text.slice(-4)}`;
  if (text.length >= 8) return `${text.slice(0, 2)}...${text.slice(-2)}`;
  return text.length === 0 ? '' : '...';
}

/**
 * A value that must not be printed. Every way of turning it into text gives a mask; `reveal()` is the only way out,
 * so a log line, an error message or a JSON answer cannot leak it by accident.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return typeof this.#value === 'string' ? mask(this.#value) : '[secret]';
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
