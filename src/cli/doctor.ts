// `cliproxy doctor`: looks at everything a working set-up needs and says what to do about what is missing.
// It changes nothing, and asks nobody outside this machine but the proxy, unless `-online` is given.
import { existsSync } from 'node:fs';
import { ConfigError, type LoadedConfig, remarkLine, withDotEnv } from '../config/index.ts';
import type { Settings } from '../config/settings.ts';
import { openAuthFolder } from '../credentials/auth-folder.ts';
import type { Credential } from '../credentials/credential.ts';
import { configCredentials } from '../credentials/from-config.ts';
import { sealerFromEnvironment } from '../credentials/sealing.ts';
import { createHttpClient } from '../net/client.ts';
import { createDispatchers } from '../net/dispatchers.ts';
import { trustExtraAuthorities } from '../net/trust.ts';
import { endpointList } from '../providers/endpoints.ts';
import { providers } from '../providers/index.ts';
import { buildDate, commit, version } from '../version.ts';
import type { FlagValue } from './arguments.ts';
import {
  checkAuthFolder,
  checkCallbackPorts,
  checkCredentials,
  checkProxy,
  checkReachable,
  checkServerPort,
  type Finding,
  type KnownCredentials,
} from './doctor-checks.ts';
import { checkClock, checkLogFolder, checkModes } from './doctor-files.ts';
import { loadOnce, settingFlags } from './settings.ts';
import type { Surroundings } from './surroundings.ts';

const callbackPorts = { iFlow: 11451, Claude: 54545, Codex: 1455, 'Gemini CLI': 8085, Antigravity: 51121 } as const;

/** Exit code 1 when something keeps the program from working, else 0. */
export async function runDoctor(values: ReadonlyMap<string, FlagValue>, where: Surroundings): Promise<number> {
  where.print(
    `cliproxy ${version}, commit ${commit}, built ${buildDate}; Node ${process.versions.node}, ${process.platform} ${process.arch}`,
  );
  let failed = 0;
  const tell = (findings: Finding | readonly Finding[]) => {
    for (const finding of [findings].flat()) {
      where.print(lineOf(finding));
      if (finding.level === 'fail') failed += 1;
    }
  };
  await examine(values, where, tell);
  where.print(
    failed === 0
      ? 'Nothing stands in the way.'
      : `${failed} ${failed === 1 ? 'thing needs' : 'things need'} your attention.`,
  );
  return failed === 0 ? 0 : 1;
}

export function lineOf({ level, about, text, advice }: Finding): string {
  const line = `${level.padEnd(4)}  ${about}: ${text}`;
  return advice === undefined ? line : `${line}\n      -> ${advice}`;
}

type Tell = (findings: Finding | readonly Finding[]) => void;

async function examine(values: ReadonlyMap<string, FlagValue>, where: Surroundings, tell: Tell): Promise<void> {
  const { env, warning } = withDotEnv(where.env, where.cwd);
  if (warning !== undefined) tell({ level: 'warn', about: 'environment', text: warning });
  const found = readConfig(values, { ...where, env }, tell);
  if (found === undefined) return;
  const { settings, loaded } = found;
  tell(checkAuthFolder(settings.authDir));
  const known = await readCredentials(settings, loaded, env, tell);
  if (known !== undefined) {
    tell(checkCredentials(known, (id) => providers.get(id), Date.now()));
    tell(checkClock(known.list, Date.parse(buildDate) || undefined, Date.now()));
    tell(checkModes(filesWithSecrets(known.list, loaded, settings)));
    await checkProxies(known.list, loaded, tell);
  }
  const { config } = loaded;
  tell(checkLogFolder(settings.logDir, config['logging-to-file'] || !config['commercial-mode']));
  tell(await checkServerPort(settings));
  tell(await checkCallbackPorts(callbackPorts));
  if (values.has('online') && known !== undefined) await checkProviders(known.list, loaded, { ...where, env }, tell);
}

function filesWithSecrets(list: readonly Credential[], loaded: LoadedConfig, settings: Settings): string[] {
  const files = list.flatMap(({ path }) => path ?? []);
  const inConfig = loaded.config['api-keys'].length > 0 || list.some(({ source }) => source === 'config');
  return settings.configExists && inConfig ? [settings.configPath, ...files] : files;
}

function readConfig(values: ReadonlyMap<string, FlagValue>, where: Surroundings, tell: Tell) {
  const about = 'config';
  try {
    const { path, loaded, exists, settings } = loadOnce(settingFlags(values), where);
    tell({ level: 'ok', about, text: exists ? path : 'no file: defaults' });
    for (const remark of loaded.warnings) {
      tell({ level: 'warn', about, text: withoutPrefix(remarkLine(path, remark)) });
    }
    for (const warning of settings.warnings) tell({ level: 'warn', about, text: withoutPrefix(warning) });
    return { settings, loaded };
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof RangeError)) throw error;
    const advice = 'correct it; -check-config shows what a file means';
    tell({ level: 'fail', about, text: withoutPrefix(error.message), advice });
    return undefined;
  }
}

function withoutPrefix(line: string): string {
  return line.replace(/^(config|WARNING): /, '');
}

/** What the folder and the configuration hold; undefined when the folder cannot be read. */
async function readCredentials(
  settings: Settings,
  loaded: LoadedConfig,
  env: NodeJS.ProcessEnv,
  tell: Tell,
): Promise<KnownCredentials | undefined> {
  const configured = configCredentials(loaded.config);
  if (!existsSync(settings.authDir)) return { list: configured, invalid: [] };
  try {
    const store = await openAuthFolder({
      folder: settings.authDir,
      providers: providers.values(),
      log: { info: () => undefined, warn: () => undefined },
      strictPermissions: () => false,
      sealer: sealerFromEnvironment(env),
      watch: false,
    });
    const known = { list: [...store.list(), ...configured], invalid: store.invalid() };
    await store.close();
    return known;
  } catch (error) {
    tell({ level: 'fail', about: 'credentials', text: (error as Error).message });
    return undefined;
  }
}

async function checkProxies(list: readonly Credential[], loaded: LoadedConfig, tell: Tell): Promise<void> {
  const global = loaded.config['proxy-url'].trim();
  if (global !== '') tell(await checkProxy(global, 'proxy-url'));
  const own = new Map<string, string>();
  for (const credential of list) if (credential.proxyUrl) own.set(credential.proxyUrl, credential.label);
  for (const [value, label] of own) tell(await checkProxy(value, label));
}

async function checkProviders(
  list: readonly Credential[],
  loaded: LoadedConfig,
  where: Surroundings,
  tell: Tell,
): Promise<void> {
  trustExtraAuthorities(where.env, (line) => where.complain(line));
  const dispatchers = createDispatchers({ globalProxy: () => loaded.config['proxy-url'], env: where.env });
  const http = createHttpClient({ dispatchers });
  const urls = new Map<string, string>();
  for (const credential of list) {
    const url = credential.baseUrl ?? builtInUrl(loaded, credential.provider);
    if (url !== undefined) urls.set(credential.providerKey, url);
  }
  for (const [name, url] of urls) tell(await checkReachable(http, name, url, Date.now));
  await dispatchers.close();
}

function builtInUrl(loaded: LoadedConfig, provider: Credential['provider']): string | undefined {
  if (provider === 'openai-compatibility') return undefined;
  return endpointList(loaded.config, provider, 'api')[0];
}
