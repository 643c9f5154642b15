// One line of text per log record, in the form that readers of `main.log` parse (spec/config.md §11.1).
export interface LogRecord {
  level: string;
  /** Unix ms */
  time: number;
  message?: string;
  requestId?: string;
  scope?: string;
  [field: string]: unknown;
}

const own: ReadonlySet<string> = new Set(['level', 'time', 'message', 'requestId', 'scope']);

const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

/** `[2026-01-02 03:04:05] [6845886c] [info ] [server] message key=value`; local time, no line feed. */
export function logLine(record: LogRecord): string {
  const at = new Date(record.time);
  const stamp = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  let line = `[${stamp}] [${record.requestId ?? '--------'}] [${record.level.padEnd(5)}] [${record.scope ?? 'cliproxy'}] ${oneLine(record.message ?? '')}`;
  for (const [name, value] of Object.entries(record)) {
    if (own.has(name) || value === undefined) continue;
    line += ` ${name}=${oneLine(typeof value === 'string' ? value : JSON.stringify(value))}`;
  }
  return line;
}

/** Nothing that a client or upstream sent may start a line of its own or move a terminal's cursor. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) =>
    character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
