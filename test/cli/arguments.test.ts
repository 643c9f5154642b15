import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { canonicalArguments, readArguments, UsageError } from '../../src/cli/arguments.ts';
import { flags, serverFlags } from '../../src/cli/flags.ts';
import { helpText, parseWithCommander } from '../../src/cli/program.ts';

const read: [argv: string[], values: Record<string, unknown>, words?: string[]][] = [
  [[], {}],
  [['-port', '9000'], { port: 9000 }],
  [['--port', '9000'], { port: 9000 }],
  [['-port=9000'], { port: 9000 }],
  [['--port=9000'], { port: 9000 }],
  [['-port', '0x10'], { port: 16 }],
  [['-config', '-odd-name.yaml'], { config: '-odd-name.yaml' }],
  [['-config='], { config: '' }],
  [['-config', 'a=b'], { config: 'a=b' }],
  [['-config=a=b'], { config: 'a=b' }],
  [['-port', '1', '-port', '2'], { port: 2 }],
  [['-iflow-login', '-no-browser'], { 'iflow-login': true, 'no-browser': true }],
  [['-no-browser=true'], { 'no-browser': true }],
  [['-no-browser=T'], { 'no-browser': true }],
  [['-no-browser=false'], {}],
  [['-no-browser', '-no-browser=0'], {}],
  [['-no-browser=0', '-no-browser'], { 'no-browser': true }],
  [['-no-browser', 'false'], { 'no-browser': true }, ['false']],
  [['-project_id', 'ALL'], { project_id: 'ALL' }],
  [['-h'], { help: true }],
  [['--help'], { help: true }],
  [['doctor', '-port', '1'], { port: 1 }, ['doctor']],
  [['--', '-port'], {}, ['-port']],
  [['-'], {}, ['-']],
];

for (const [argv, values, words = []] of read) {
  test(`${JSON.stringify(argv.join(' '))} is read as Go would`, () => {
    const given = readArguments(argv);
    assert.deepEqual(Object.fromEntries(given.values), values);
    assert.deepEqual(given.words, words);
  });
}

const refused: [argv: string[], message: RegExp][] = [
  [['-bogus-flag'], /not defined: -bogus-flag$/],
  [['-no-browsr'], /not defined: -no-browsr \(did you mean -no-browser\?\)/],
  [['-project-id', 'x'], /did you mean -project_id\?/],
  [['-port'], /needs an argument: -port/],
  [['-port', 'many'], /invalid value "many" for flag -port/],
  [['-port', '65536'], /between 0 and 65535/],
  [['-port', '-1'], /between 0 and 65535/],
  [['-port', '1.5'], /not a number/],
  [['-no-browser=maybe'], /invalid boolean value "maybe" for -no-browser/],
  [['-=x'], /bad flag syntax/],
  [['---port=1'], /bad flag syntax/],
];
for (const [argv, message] of refused) {
  test(`${JSON.stringify(argv.join(' '))} is wrong usage`, () => {
    assert.throws(
      () => readArguments(argv),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}

test('commander reads the same values as the quick reader of a server start', () => {
  const argument = fc.oneof(
    ...flags
      .filter((flag) => flag.name !== 'help')
      .map((flag) =>
        flag.kind === 'bool'
          ? fc.constantFrom([`-${flag.name}`], [`--${flag.name}=true`], [`-${flag.name}=false`])
          : flag.kind === 'number'
            ? fc.oneof(fc.constant(0), fc.nat(65_535)).map((port) => [`-${flag.name}`, String(port)])
            : fc.string().map((text) => [`-${flag.name}=${text}`]),
      ),
  );
  fc.assert(
    fc.property(fc.array(argument, { maxLength: 6 }), (parts) => {
      const given = readArguments(parts.flat());
      const parsed = parseWithCommander(given);
      assert.deepEqual(new Map(parsed.values), given.values);
      assert.deepEqual(parsed.words, given.words);
    }),
    { numRuns: 60 },
  );
});

test('the canonical form reads as itself', () => {
  const given = readArguments(['-port', '1', '-config=--x', 'doctor', '-no-browser']);
  assert.deepEqual(readArguments(canonicalArguments(given)), given);
});

test('the help names every flag but the hidden ones, with one dash, and shows examples', () => {
  const text = helpText();
  for (const flag of flags) {
    const listed = new RegExp(`^ +-${flag.name}( |$)`, 'm').test(text);
    assert.equal(listed, flag.hidden !== true, flag.name);
  }
  assert.match(text, /Examples:\n +cliproxy -iflow-login/);
  assert.match(text, /Exit codes: 0 done/);
});

test('a plain start needs only server flags', () => {
  assert.ok(serverFlags.has('config') && serverFlags.has('port') && serverFlags.has('password'));
  assert.ok(!serverFlags.has('login') && !serverFlags.has('email') && !serverFlags.has('doctor'));
});
