import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import fc from 'fast-check';
import { createLineEditor } from '../../src/oauth/line-editor.ts';
import { openTerminal } from '../../src/oauth/terminal.ts';

function terminalOn(kind: 'terminal' | 'pipe') {
  const input = Object.assign(new PassThrough(), kind === 'terminal' ? { isTTY: true, setRawMode } : {});
  const modes: boolean[] = [];
  function setRawMode(this: unknown, raw: boolean) {
    modes.push(raw);
    return input as never;
  }
  const shown: string[] = [];
  const output = new PassThrough();
  output.setEncoding('utf8').on('data', (text: string) => shown.push(text));
  let interrupts = 0;
  const terminal = openTerminal({
    input: input as never,
    output,
    errors: output,
    pasteGapMs: 5,
    onInterrupt: () => {
      interrupts += 1;
    },
  });
  return { terminal, input, modes, text: () => shown.join(''), interrupts: () => interrupts };
}

for (const kind of ['terminal', 'pipe'] as const) {
  test(`on a ${kind}: an answer is one line`, async () => {
    const { terminal, input, text } = terminalOn(kind);
    const answer = terminal.ask('Name: ');
    input.write('alice\n');
    assert.equal(await answer, 'alice');
    assert.match(text(), /^Name: /);
  });

  test(`on a ${kind}: a cancelled question leaves no reader behind`, async () => {
    const { terminal, input } = terminalOn(kind);
    const cancel = new AbortController();
    const answer = terminal.ask('Paste: ', { signal: cancel.signal });
    cancel.abort();
    assert.equal(await answer, undefined);
    assert.equal(input.listenerCount('data'), 0);
    assert.equal(input.isPaused(), true);
    const next = terminal.ask('E-mail: ');
    input.write('a@b.cd\n');
    assert.equal(await next, 'a@b.cd');
  });

  test(`on a ${kind}: the end of input ends the question`, async () => {
    const { terminal, input } = terminalOn(kind);
    const answer = terminal.ask('Name: ');
    input.end();
    assert.equal(await answer, undefined);
    assert.equal(await terminal.ask('Again: '), undefined);
  });
}

test('on a pipe the lines are the answers in order, whenever they come', async () => {
  const { terminal, input } = terminalOn('pipe');
  input.end('first\nsecond\r\nlast');
  assert.equal(await terminal.ask('1: '), 'first');
  assert.equal(await terminal.ask('2: '), 'second');
  assert.equal(await terminal.ask('3: '), 'last');
  assert.equal(await terminal.ask('4: '), undefined);
});

test('a paste of several lines on a terminal is one answer', async () => {
  const { terminal, input } = terminalOn('terminal');
  const answer = terminal.ask('Cookie: ', { multiline: true });
  input.write('a=b\nBXAuth=x\nc=d\n');
  assert.equal(await answer, 'a=b\nBXAuth=x\nc=d');
});

test('a line longer than a terminal buffers by itself arrives whole', async () => {
  const { terminal, input } = terminalOn('terminal');
  const long = `BXAuth=${'x'.repeat(20_000)}`;
  const answer = terminal.ask('Cookie: ');
  input.write(`${long}\n`);
  assert.equal(await answer, long);
});

test('the terminal is raw only while a question is open', async () => {
  const { terminal, input, modes } = terminalOn('terminal');
  const answer = terminal.ask('Name: ');
  assert.deepEqual(modes, [true]);
  input.write('x\r');
  await answer;
  assert.deepEqual(modes, [true, false]);
});

test('a line printed during a question goes above it, with what was typed kept', async () => {
  const { terminal, input, text } = terminalOn('terminal');
  const answer = terminal.ask('Paste: ');
  input.write('abc');
  terminal.print('59 seconds left');
  input.write('def\n');
  assert.equal(await answer, 'abcdef');
  assert.match(text(), /59 seconds left\nPaste: abc/);
});

test('what is typed as a secret is not shown', async () => {
  const { terminal, input, text } = terminalOn('terminal');
  const answer = terminal.ask('Key: ', { secret: true });
  input.write('hidden\n');
  assert.equal(await answer, 'hidden');
  assert.doesNotMatch(text(), /hidden/);
});

test('Ctrl-C at a question interrupts', async () => {
  const { terminal, input, interrupts } = terminalOn('terminal');
  const ending = new AbortController();
  const answer = terminal.ask('Name: ', { signal: ending.signal });
  input.write('\u0003');
  assert.equal(interrupts(), 1);
  ending.abort();
  assert.equal(await answer, undefined);
});

const edits: [what: string, keys: string, line: string][] = [
  ['backspace', 'abx\u007fc\r', 'abc'],
  ['backspace at the start', '\u007fa\r', 'a'],
  ['Ctrl-U', 'wrong\u0015right\r', 'right'],
  ['cursor keys', 'a\u001b[Db\u001b[1;5Cc\r', 'abc'],
  ['a bracketed paste', '\u001b[200~pasted\u001b[201~\r', 'pasted'],
  ['backspace over a character outside the BMP', 'a😀\u007fb\r', 'ab'],
  ['Ctrl-D after text', 'a\u0004b\r', 'ab'],
  ['a Windows line end', 'a\r\n', 'a'],
];
for (const [what, keys, line] of edits) {
  test(`typing with ${what} gives ${line}`, () => {
    const events = createLineEditor().feed(keys);
    assert.deepEqual(
      events.filter((event) => event.kind === 'line'),
      [{ kind: 'line', text: line }],
    );
  });
}

test('however a paste is cut into pieces, the lines are the same', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-zA-Z0-9=; \r\n]{0,40}$/), fc.nat(40), (text, cut) => {
      const lines = (chunks: string[]) => {
        const editor = createLineEditor();
        return chunks.flatMap((chunk) => editor.feed(chunk)).filter((event) => event.kind === 'line');
      };
      assert.deepEqual(lines([text.slice(0, cut), text.slice(cut)]), lines([text]));
    }),
  );
});
