// The commander program: help that teaches, and the last word on the arguments of everything but a plain server start.
import { Command, type CommanderError, Option } from 'commander';
import { type Arguments, canonicalArguments, type FlagValue, readValue, UsageError } from './arguments.ts';
import { type Flag, flagByName, flagGroups, flags } from './flags.ts';

const examples = `
Examples:
  cliproxy -iflow-login                      log in with the browser on this machine
  cliproxy -claude-login -no-browser         log in on a server: open the URL elsewhere, paste the answer
  cliproxy -codex-device-login               log in with a code, no browser needed here
  cliproxy                                   start the server, http://localhost:8080/v1
  cliproxy -port 9000 -auth-dir ~/accounts   another port, another folder of accounts
  cliproxy doctor                            something does not work? start here

Flags are written with one dash or two, as -port 9000 or -port=9000. Each login adds an account; the server
shares the work among all of them and picks up new ones while it runs.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied by the user, 4 timed out, 5 network, 6 not saved,
13 callback port taken, 14 e-mail missing.
`;

export function createProgram(): Command {
  const program = new Command('cliproxy')
    .description('Log in to the AI accounts you have; point any OpenAI, Anthropic or Gemini client at this machine.')
    .usage('[flags]')
    .argument('[word...]', undefined)
    .helpOption(false)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({ optionTerm: termOf, visibleArguments: () => [], sortOptions: false, helpWidth: 100 })
    .addHelpText('after', examples);
  for (const group of flagGroups) {
    for (const flag of flags.filter((candidate) => candidate.group === group)) {
      program.addOption(optionOf(flag).helpGroup(`${group}:`));
    }
  }
  return program;
}

function optionOf(flag: Flag): Option {
  const option = new Option(flag.kind === 'bool' ? `--${flag.name}` : `--${flag.name} <value>`, flag.help);
  if (flag.kind === 'number') option.argParser((text) => readValue(flag, text));
  return flag.hidden ? option.hideHelp() : option;
}

/** As the documentation writes flags: one dash. */
function termOf(option: Option): string {
  const name = (option.long ?? '').replace(/^--/, '');
  const value = flagByName.get(name)?.value;
  return value === undefined ? `-${name}` : `-${name} ${value}`;
}

/** What commander makes of the arguments, by flag name. Throws `UsageError`. */
export function parseWithCommander(given: Arguments): Arguments {
  const program = createProgram();
  try {
    program.parse(canonicalArguments(given), { from: 'user' });
  } catch (error) {
    throw new UsageError((error as CommanderError).message.replace(/^error: /, ''));
  }
  const values = new Map<string, FlagValue>();
  for (const option of program.options) {
    const value: FlagValue | false | undefined = program.getOptionValue(option.attributeName());
    const name = (option.long ?? '').replace(/^--/, '');
    // commander reads `--no-browser` as "browser off"; here it is a flag like any other.
    if (option.negate) {
      if (value === false) values.set(name, true);
    } else if (value !== undefined && value !== false) values.set(name, value);
  }
  return { values, words: program.args };
}

export function helpText(): string {
  const program = createProgram();
  let text = '';
  program.configureOutput({
    writeOut: (chunk) => {
      text += chunk;
    },
  });
  program.outputHelp();
  return text;
}
