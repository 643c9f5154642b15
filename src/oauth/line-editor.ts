// Turns keys typed on a raw terminal into lines. A terminal in its own line mode cuts a pasted line at 4,095 bytes
// (termios(3), MAX_CANON), less than some cookie strings: so the terminal is read raw and edited here.

export type EditorEvent =
  | { kind: 'line'; text: string }
  /** What to show for the keys: the characters themselves, or an erase sequence. */
  | { kind: 'echo'; text: string }
  | { kind: 'interrupt' }
  | { kind: 'end' };

export interface LineEditor {
  /** What is typed so far. */
  readonly typed: string;
  feed(chunk: string): EditorEvent[];
  clear(): void;
}

const eraseOne = '\b \b';

export function createLineEditor(): LineEditor {
  let typed = '';
  let sequence = '';
  let afterReturn = false;
  return {
    get typed() {
      return typed;
    },
    clear() {
      typed = '';
      sequence = '';
    },
    feed(chunk) {
      const events: EditorEvent[] = [];
      for (const key of chunk) {
        const wasReturn = afterReturn;
        afterReturn = key === '\r';
        if (sequence !== '') {
          // Cursor keys, bracketed-paste marks: `ESC [ parameters final`. Nothing of it is text.
          sequence += key;
          if (sequence.length > 2 ? /[@-~]/.test(key) : key !== '[' && key !== 'O') sequence = '';
        } else if (key === '\u001b') sequence = key;
        else if (key === '\n' && wasReturn) continue;
        else if (key === '\r' || key === '\n') {
          events.push({ kind: 'echo', text: '\n' }, { kind: 'line', text: typed });
          typed = '';
        } else if (key === '\u0003') events.push({ kind: 'interrupt' });
        else if (key === '\u0004') {
          if (typed === '') events.push({ kind: 'end' });
        } else if (key === '\u007f' || key === '\b') {
          if (typed !== '') {
            typed = [...typed].slice(0, -1).join('');
            events.push({ kind: 'echo', text: eraseOne });
          }
        } else if (key === '\u0015') {
          events.push({ kind: 'echo', text: eraseOne.repeat([...typed].length) });
          typed = '';
        } else if (key >= ' ' || key === '\t') {
          typed += key;
          events.push({ kind: 'echo', text: key });
        }
      }
      return events;
    },
  };
}
