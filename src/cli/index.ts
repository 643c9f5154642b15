// From arguments to the thing to do, and from its result to an exit code. Loads only what the mode needs.
import { buildDate, commit, version } from '../version.ts';
import { type Arguments, type FlagValue, readArguments, UsageError } from './arguments.ts';
import { flags, serverFlags } from './flags.ts';
import { type Surroundings, textOf } from './surroundings.ts';

function thisProcess(): Surroundings {
  return {
    env: process.env,
    cwd: process.cwd(),
    print: (line) => void process.stdout.write(`${line}\n`),
    complain: (line) => void process.stderr.write(`${line}\n`),
  };
}

/** `argv`: without the program itself. Resolves with the exit code. */
export async function run(argv: readonly string[], where: Surroundings = thisProcess()): Promise<number> {
  try {
    return await perform(readArguments(argv), where);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    where.complain(`cliproxy: ${error.message}`);
    where.complain('Usage: cliproxy [flags]');
    where.complain('Run `cliproxy -help` to see all of them.');
    return 2;
  }
}

async function perform(given: Arguments, where: Surroundings): Promise<number> {
  if (given.words.length === 0 && [...given.values.keys()].every((name) => serverFlags.has(name))) {
    return (await import('./serve.ts')).startServer(given.values, where);
  }
  const { helpText, parseWithCommander } = await import('./program.ts');
  const { values, words } = parseWithCommander(given);
  if (values.has('help')) {
    where.print(helpText());
    return 0;
  }
  if (values.has('version')) {
    where.print(`cliproxy ${version}, commit ${commit}, built ${buildDate}`);
    return 0;
  }
  const rest = takeWords(values, words);
  const logins = flags.filter((flag) => flag.login !== undefined && values.has(flag.name));
  const modes = [
    ...logins.map((flag) => flag.name),
    ...['doctor', 'check-config', 'seal', 'unseal'].filter((name) => values.has(name) || rest.word === name),
  ];
  if (modes.length > 1) {
    throw new UsageError(
      `more than one thing to do: ${modes.map((name) => `-${name}`).join(' and ')}; give one at a time`,
    );
  }
  if (rest.word === 'doctor' || values.has('doctor')) return (await import('./doctor.ts')).runDoctor(values, where);
  if (values.has('check-config')) {
    return (await import('./check-config.ts')).checkConfig(rest.file ?? textOf(values, 'config'), where);
  }
  for (const direction of ['seal', 'unseal'] as const) {
    if (values.has(direction)) return (await import('./seal.ts')).sealFolder(direction, values, where);
  }
  const [login] = logins;
  if (login !== undefined) return (await import('./login.ts')).runLogin(login, values, where);
  // Options of a login alone start the server, as they always have.
  return (await import('./serve.ts')).startServer(values, where);
}

/** The one word that means something: `doctor`, or the file of `-check-config`. */
function takeWords(values: ReadonlyMap<string, FlagValue>, words: readonly string[]): { word?: string; file?: string } {
  const [word, ...more] = words;
  if (word === undefined) return {};
  if (more.length === 0 && word === 'doctor') return { word };
  if (more.length === 0 && values.has('check-config')) return { file: word };
  throw new UsageError(`unexpected argument "${word === 'doctor' ? more[0] : word}": flags start with a dash`);
}
