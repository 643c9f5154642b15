// The application log: pino inside; text lines on a terminal and in `main.log`, JSON elsewhere. Source: spec/config.md §11.1.
import pino from 'pino';
import { type LogRecord, logLine } from './log-line.ts';
import { type MainLog, openMainLog } from './main-log.ts';
import { standardOutput } from './standard-output.ts';

export type LogFields = Record<string, unknown> & { requestId?: string };

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /**
   * One record that is JSON already, in pino's form (`level` first, then `time`), with its line feed. For the line that
   * every request writes: through pino it was a tenth of a request (docs/performance.md). `calm`: it may wait a moment
   * for others.
   */
  record(json: string, calm: boolean): void;
  /** Cheap question before an expensive message. */
  enabled(level: 'debug' | 'info'): boolean;
  /** `debug`, `logging-to-file` and the folder may change at run time. */
  configure(options: LogOptions): void;
  /** Whatever is buffered goes out before the process ends. */
  flush(): void;
}

export interface LogOptions {
  debug: boolean;
  toFile: boolean;
  folder: string;
  /** Bytes over all logs of the folder; 0 = no cap. */
  maxTotalBytes: number;
}

interface Sink {
  write(line: string, calm: boolean): void;
  flush(): void;
}

export interface LogStreams {
  /** Default: standard output. */
  write?: (text: string, calm: boolean) => void;
  isTerminal?: boolean;
}

export function createLog(options: LogOptions, streams: LogStreams = {}): Log {
  let current = options;
  let file: MainLog | undefined;
  const console = streams.write ? plainSink(streams.write, streams.isTerminal ?? false) : standardOutputSink();
  const write = (line: string, calm: boolean): void => {
    if (file) file.write(logLine(JSON.parse(line) as LogRecord));
    else console.write(line, calm);
  };
  const logger = pino(
    {
      level: options.debug ? 'debug' : 'info',
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":${Date.now()}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    // What the program says of itself is read at once.
    { write: (line: string) => write(line, false) },
  );
  const apply = (next: LogOptions): void => {
    current = next;
    logger.level = next.debug ? 'debug' : 'info';
    if (file && (!next.toFile || file.folder !== next.folder)) {
      file.close();
      file = undefined;
    }
    if (next.toFile && file === undefined) file = openMainLog(next.folder);
    if (file) file.maxTotalBytes = next.maxTotalBytes;
  };
  apply(current);
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      if (fields === undefined) logger[level](message);
      else logger[level](fields, message);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    record: write,
    enabled: (level) => logger.isLevelEnabled(level),
    configure: apply,
    flush: () => console.flush(),
  };
}

function plainSink(write: (text: string, calm: boolean) => void, terminal: boolean): Sink {
  return {
    write: (line, calm) => write(terminal ? `${logLine(JSON.parse(line) as LogRecord)}\n` : line, calm),
    flush() {},
  };
}

function standardOutputSink(): Sink {
  if (process.stdout.isTTY) return plainSink((text) => process.stdout.write(text), true);
  const output = standardOutput();
  return { write: (line, calm) => output.write(line, !calm), flush: output.flush };
}
