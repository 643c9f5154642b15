// Configuration: one schema, loaded, edited in place, watched.
export { type KeyMeta, milliseconds } from './kinds.ts';
export {
  type Config,
  type ConfigEntry,
  configSchema,
  defaultConfig,
  type Strategy,
  strategies,
  strategyOf,
} from './schema.ts';
