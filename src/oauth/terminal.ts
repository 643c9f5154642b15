// The one owner of standard input: prompts that can be cancelled, on a terminal as well as on a pipe (auth.md R5, §7).
import { StringDecoder } from 'node:string_decoder';
import type { ReadStream } from 'node:tty';
import type { Terminal } from './flow.ts';
import { createLineEditor } from './line-editor.ts';

export interface TerminalStreams {
  input: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode' | 'unref' | 'ref'>>;
  output: NodeJS.WritableStream;
  errors: NodeJS.WritableStream;
  /** Ctrl-C typed at a prompt: a raw terminal raises no signal for it. */
  onInterrupt?: () => void;
  /** ms without a key after which a pasted block counts as complete. */
  pasteGapMs?: number;
}

export interface OwnedTerminal extends Terminal {
  /** Gives standard input back; every open prompt ends. */
  close(): void;
}

interface Question {
  prompt: string;
  secret: boolean;
  multiline: boolean;
  answer(text: string | undefined): void;
}

export function openTerminal(streams: TerminalStreams): OwnedTerminal {
  const { input, output, errors } = streams;
  const interactive = input.isTTY === true;
  const editor = createLineEditor();
  const decoder = new StringDecoder('utf8');
  /** Lines that came before anyone asked: kept from a pipe, where they are the answers in order. */
  const waiting: string[] = [];
  let question: Question | undefined;
  let gathered: string[] = [];
  let gap: NodeJS.Timeout | undefined;
  let reading = false;
  let ended = false;
  let pipeRest = '';

  const finish = (text: string | undefined): void => {
    const asked = question;
    question = undefined;
    clearTimeout(gap);
    gathered = [];
    editor.clear();
    stopReading();
    asked?.answer(text);
  };
  const takeLine = (line: string): void => {
    if (question === undefined) {
      if (!interactive) waiting.push(line);
      return;
    }
    if (!question.multiline || !interactive) {
      finish(line);
      return;
    }
    gathered.push(line);
    clearTimeout(gap);
    gap = setTimeout(
      () => finish([...gathered, ...(editor.typed === '' ? [] : [editor.typed])].join('\n')),
      streams.pasteGapMs ?? 200,
    );
  };
  const onData = (chunk: Buffer | string): void => {
    const text = typeof chunk === 'string' ? chunk : decoder.write(chunk);
    if (!interactive) {
      const lines = (pipeRest + text).split(/\r?\n/);
      pipeRest = lines.pop() ?? '';
      for (const line of lines) takeLine(line);
      return;
    }
    if (gap !== undefined) gap.refresh();
    for (const event of editor.feed(text)) {
      if (event.kind === 'interrupt') streams.onInterrupt?.();
      else if (event.kind === 'end') onEnd();
      else if (event.kind === 'line') takeLine(event.text);
      else if (question !== undefined && (!question.secret || event.text === '\n')) output.write(event.text);
    }
  };
  const onEnd = (): void => {
    ended = true;
    if (pipeRest !== '') takeLine(pipeRest);
    pipeRest = '';
    if (question === undefined) return;
    output.write('\n');
    finish(gathered.length > 0 ? gathered.join('\n') : undefined);
  };
  const startReading = (): void => {
    if (reading) return;
    reading = true;
    if (interactive) input.setRawMode?.(true);
    input.on('data', onData);
    input.ref?.();
    input.resume();
  };
  const stopReading = (): void => {
    if (!reading) return;
    reading = false;
    input.off('data', onData);
    input.pause();
    if (interactive) input.setRawMode?.(false);
    input.unref?.();
  };
  /** A line that comes while a prompt is open goes above it. */
  const write = (stream: NodeJS.WritableStream, line: string): void => {
    if (question === undefined || !interactive) {
      stream.write(`${line}\n`);
      return;
    }
    stream.write(`\r\u001b[K${line}\n`);
    output.write(question.prompt + (question.secret ? '' : editor.typed));
  };

  // A stream may end between two questions: heard whenever it happens. Listening does not start the reading.
  input.once('end', onEnd);
  input.once('error', onEnd);

  return {
    interactive,
    print: (line) => write(output, line),
    warn: (line) => write(errors, line),
    ask(prompt, options = {}) {
      const { signal } = options;
      if (question !== undefined) throw new Error('two questions at once');
      if (signal?.aborted) return Promise.resolve(undefined);
      output.write(prompt);
      const ready = waiting.shift();
      if (ready !== undefined || ended) {
        if (ready === undefined) output.write('\n');
        return Promise.resolve(ready);
      }
      return new Promise((resolve) => {
        const cancel = (): void => {
          output.write('\n');
          finish(undefined);
        };
        question = {
          prompt,
          secret: options.secret === true,
          multiline: options.multiline === true,
          answer: (text) => {
            signal?.removeEventListener('abort', cancel);
            resolve(text);
          },
        };
        signal?.addEventListener('abort', cancel, { once: true });
        startReading();
      });
    },
    close() {
      if (question !== undefined) finish(undefined);
      stopReading();
      input.off('end', onEnd);
    },
  };
}
