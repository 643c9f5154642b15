// Runs one login in the foreground: opens what it needs, reports how it ended, leaves nothing behind.
import { ConfigError, openConfig, withDotEnv } from '../config/index.ts';
import { openAuthFolder } from '../credentials/auth-folder.ts';
import { sealerFromEnvironment } from '../credentials/sealing.ts';
import { createHttpClient } from '../net/client.ts';
import { createDispatchers } from '../net/dispatchers.ts';
import { HttpError } from '../net/http.ts';
import { trustExtraAuthorities } from '../net/trust.ts';
import { openBrowser, surroundings } from '../oauth/browser.ts';
import { nextStep } from '../oauth/errors.ts';
import { exitCode, type LoginContext, LoginError, type LoginRequest } from '../oauth/flow.ts';
import { openTerminal } from '../oauth/terminal.ts';
import { providers } from '../providers/index.ts';
import type { FlagValue } from './arguments.ts';
import type { Flag } from './flags.ts';
import { settingFlags } from './settings.ts';
import { type Surroundings, textOf } from './surroundings.ts';

/** What stands before the cause when a login fails; others name themselves in the message. */
const failedLogin: Readonly<Record<string, string>> = {
  'iflow-login': 'iFlow authentication failed: ',
  'claude-login': 'Claude authentication failed: ',
  'codex-login': 'Codex authentication failed: ',
  'codex-device-login': 'Codex device authentication failed: ',
  login: 'Gemini authentication failed: ',
  'antigravity-login': 'Antigravity authentication failed: ',
  'qwen-login': 'Qwen authentication failed: ',
  'kimi-login': 'Kimi authentication failed: ',
};

export async function runLogin(
  flag: Flag,
  values: ReadonlyMap<string, FlagValue>,
  where: Surroundings,
): Promise<number> {
  const ending = new AbortController();
  const interrupt = () => {
    // The second time the user means it: no clean-up that could hang.
    if (ending.signal.aborted) process.exit(130);
    ending.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.on('SIGHUP', interrupt);
  const terminal = openTerminal({
    input: process.stdin,
    output: process.stdout,
    errors: process.stderr,
    onInterrupt: interrupt,
  });
  const closing: (() => unknown)[] = [() => terminal.close()];
  try {
    const context = await openContext(values, where, { terminal, signal: ending.signal }, closing);
    const logins = await providers.get(flag.login as never)?.logins?.();
    const logIn = logins?.cli[flag.name];
    if (logIn === undefined) throw new LoginError(`-${flag.name} is not available`);
    await logIn(context, requestOf(values));
    return ending.signal.aborted ? 130 : exitCode.ok;
  } catch (error) {
    if (ending.signal.aborted) {
      where.complain('Cancelled; nothing was saved.');
      return 130;
    }
    return report(error, flag, where);
  } finally {
    for (const close of closing.reverse()) await close();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    process.off('SIGHUP', interrupt);
  }
}

async function openContext(
  values: ReadonlyMap<string, FlagValue>,
  where: Surroundings,
  owned: Pick<LoginContext, 'terminal' | 'signal'>,
  closing: (() => unknown)[],
): Promise<LoginContext> {
  const { env, warning } = withDotEnv(where.env, where.cwd);
  if (warning !== undefined) where.complain(warning);
  const source = await openConfig({
    flags: settingFlags(values),
    env,
    cwd: where.cwd,
    watch: false,
    report: (level, line) => {
      // What only concerns a running server is told by the server.
      if (level === 'error' || (level === 'warn' && line.startsWith('config:'))) where.complain(line);
    },
  });
  closing.push(() => source.close());
  trustExtraAuthorities(env, (line) => where.complain(line));
  const dispatchers = createDispatchers({ globalProxy: () => source.current()['proxy-url'], env });
  closing.push(() => dispatchers.close());
  const store = await openAuthFolder({
    folder: source.settings.authDir,
    providers: providers.values(),
    log: { info: () => undefined, warn: (line) => where.complain(line) },
    strictPermissions: () => source.current()['strict-perms'] !== false,
    sealer: sealerFromEnvironment(env),
    watch: false,
  });
  closing.push(() => store.close());
  return {
    ...owned,
    config: source.current(),
    store,
    http: createHttpClient({ dispatchers }),
    openBrowser: (url) => openBrowser(url, surroundings(env)),
    now: Date.now,
    env,
  };
}

function requestOf(values: ReadonlyMap<string, FlagValue>): LoginRequest {
  const request: LoginRequest = {
    noBrowser: values.has('no-browser'),
    callbackPort: Number(values.get('oauth-callback-port') ?? 0),
  };
  const email = textOf(values, 'email');
  if (email !== undefined) request.email = email;
  const projectId = textOf(values, 'project_id');
  if (projectId !== undefined) request.projectId = projectId;
  const file = textOf(values, 'vertex-import');
  if (file !== undefined) request.file = file;
  const prefix = textOf(values, 'vertex-import-prefix');
  if (prefix !== undefined) request.prefix = prefix;
  return request;
}

/** One line: cause and next step (auth.md R2). */
function report(error: unknown, flag: Flag, where: Surroundings): number {
  if (error instanceof ConfigError) {
    where.complain(error.message);
    return exitCode.failed;
  }
  if (error instanceof HttpError) return report(new LoginError(error.message, { exit: exitCode.network }), flag, where);
  if (!(error instanceof LoginError)) {
    const message = error instanceof Error ? error.message : String(error);
    return report(new LoginError(message), flag, where);
  }
  const prefix = error.exit === exitCode.emailRequired ? '' : (failedLogin[flag.name] ?? '');
  const value = flag.kind === 'bool' ? '' : ' <file>';
  const step = nextStep(error, `./cliproxy -${flag.name}${value}`);
  where.complain(`${prefix}${error.message.replace(/[.\s]+$/, '')}.${step === '' ? '' : ` ${step}`}`);
  return error.exit;
}
