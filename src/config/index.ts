// Configuration: one schema, loaded, edited in place, watched.
export { type ConfigChange, changedKeys, restartKeys } from './changes.ts';
export { type ConfigDraft, ConfigEditError } from './draft.ts';
export { effectiveText, maskSecrets, restoreSecrets } from './effective.ts';
export { type Env, parseDotEnv, variable, withDotEnv } from './env.ts';
export { type KeyMeta, milliseconds } from './kinds.ts';
export { ConfigError, isHash, type LoadedConfig, parseConfig, remarkLine } from './load.ts';
export {
  type Config,
  type ConfigEntry,
  configSchema,
  defaultConfig,
  type Strategy,
  strategies,
  strategyOf,
} from './schema.ts';
export { hashSecretKey, matchesSecretKey } from './secret-key.ts';
export {
  expandHome,
  isLoopback,
  locateConfig,
  resolveSettings,
  type SettingFlags,
  type SettingSources,
  type Settings,
} from './settings.ts';
export {
  type ConfigOptions,
  type ConfigSource,
  type EditOptions,
  type EditResult,
  openConfig,
  untilConfigured,
} from './source.ts';
export type { Remark } from './yaml.ts';
