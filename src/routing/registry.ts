// Which models exist, under which names, and which credentials serve them. Source: spec/routing.md §2, §3;
// spec/upstreams.md §3, §6. A model's candidates are worked out when it is first asked for, then kept in step.
import type { Config } from '../config/index.ts';
import type { Credential, ModelInfo } from '../credentials/credential.ts';
import { splitSuffix } from '../protocols/thinking/index.ts';
import { declaredModelInfo } from '../providers/catalog.ts';
import { providers } from '../providers/index.ts';
import { type Candidate, candidateOf, type Route } from './candidate.ts';
import type { CredentialState } from './credential-state.ts';
import { CandidateQueue } from './queue.ts';

/** What all credentials of one make have in common: the same provider, plan, prefix, exclusions ... */
interface Profile {
  /** Lower-case client name → the routes (several for an alias pool). */
  routes: Map<string, Route[]>;
}

/** A client's model and the queues of its candidates, one per priority, highest first. */
export interface ModelEntry {
  id: string;
  info: ModelInfo;
  tiers: { priority: number; queue: CandidateQueue }[];
  version: number;
}

export interface ModelSource {
  list(): readonly Credential[];
  get(id: string): Credential | undefined;
}

const providerOrder = [
  'iflow',
  'qwen',
  'kimi',
  'openai-compatibility',
  'claude',
  'codex',
  'gemini',
  'vertex',
  'gemini-cli',
  'antigravity',
];

export class ModelRegistry {
  readonly #source: ModelSource;
  readonly #config: () => Config;
  readonly #stateOf: (id: string) => CredentialState;
  readonly #random: () => number;
  readonly #profiles = new Map<string, Profile>();
  readonly #entries = new Map<string, ModelEntry>();
  #profileOf = new WeakMap<Credential, Profile>();
  #version = 1;

  constructor(
    source: ModelSource,
    config: () => Config,
    stateOf: (id: string) => CredentialState,
    random: () => number = Math.random,
  ) {
    this.#source = source;
    this.#config = config;
    this.#stateOf = stateOf;
    this.#random = random;
  }

  /** Credentials came, went or changed in a way that routing sees. */
  credentialsChanged(): void {
    this.#version++;
  }

  /** Aliases, exclusions or prefixes may have changed. */
  configChanged(): void {
    this.#profiles.clear();
    this.#profileOf = new WeakMap();
    this.#version++;
  }

  /** True when two versions of a credential route alike: then a change (a new token) costs nothing here. */
  routesAlike(before: Credential, after: Credential): boolean {
    return (
      routable(before) === routable(after) &&
      profileKey(before) === profileKey(after) &&
      before.priority === after.priority &&
      before.weight === after.weight
    );
  }

  /** The entry of a model by its client name (any case), or undefined when nobody has it. */
  find(model: string): ModelEntry | undefined {
    const key = model.toLowerCase();
    let entry = this.#entries.get(key);
    if (entry?.version === this.#version) return entry.tiers.length > 0 ? entry : undefined;
    entry = this.#sync(key, entry);
    if (entry === undefined) return undefined;
    this.#entries.set(key, entry);
    return entry.tiers.length > 0 ? entry : undefined;
  }

  /** One that offers the model; the first of the best tier, ready or not. */
  firstOffering(entry: ModelEntry): Credential | undefined {
    return entry.tiers[0]?.queue.members[0]?.state.credential;
  }

  routes(credential: Credential): ReadonlyMap<string, Route[]> {
    return this.#profile(credential).routes;
  }

  /** All models with an enabled credential, in a stable order: provider, then catalog order, then id. */
  listing(): Route[] {
    const seenProfiles = new Set<Profile>();
    const groups: { order: number; key: string; routes: Route[] }[] = [];
    for (const credential of this.#source.list()) {
      if (credential.disabled) continue;
      const profile = this.#profile(credential);
      if (seenProfiles.has(profile)) continue;
      seenProfiles.add(profile);
      const order = providerOrder.indexOf(credential.provider);
      groups.push({
        order,
        key: credential.providerKey,
        routes: [...profile.routes.values()].map((routes) => routes[0] as Route),
      });
    }
    groups.sort((a, b) => a.order - b.order || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const listed = new Map<string, Route>();
    for (const group of groups) {
      for (const route of group.routes) if (!listed.has(route.id)) listed.set(route.id, route);
    }
    return [...listed.values()];
  }

  /** Windows ended early: the queues look at their sleepers again. */
  recheck(): void {
    for (const entry of this.#entries.values()) for (const tier of entry.tiers) tier.queue.recheck();
  }

  /** `auto`: the newest model that somebody serves. */
  newest(): string | undefined {
    let best: Route | undefined;
    for (const route of this.listing()) if ((route.info.created ?? 0) > (best?.info.created ?? -1)) best = route;
    return best?.id;
  }

  #sync(key: string, known: ModelEntry | undefined): ModelEntry | undefined {
    const byPriority = new Map<number, Candidate[]>();
    let first: Route | undefined;
    for (const credential of this.#source.list()) {
      if (!routable(credential)) continue;
      const routes = this.#profile(credential).routes.get(key);
      if (routes === undefined) continue;
      first ??= routes[0];
      const state = this.#stateOf(credential.id);
      let tier = byPriority.get(credential.priority);
      if (tier === undefined) {
        tier = [];
        byPriority.set(credential.priority, tier);
      }
      for (const route of routes) tier.push(candidateOf(credential, route, state));
    }
    if (first === undefined && known === undefined) return undefined;
    const entry: ModelEntry = known ?? { id: '', info: { id: key, ownedBy: '' }, tiers: [], version: 0 };
    if (first) {
      entry.id = first.id;
      entry.info = first.info;
    }
    const queues = new Map(entry.tiers.map((tier) => [tier.priority, tier.queue]));
    entry.tiers = [...byPriority.entries()]
      .sort(([a], [b]) => b - a)
      .map(([priority, members]) => {
        const queue = queues.get(priority) ?? new CandidateQueue();
        members.sort((a, b) => (a.key < b.key ? -1 : 1));
        queue.sync(members, this.#random);
        return { priority, queue };
      });
    entry.version = this.#version;
    return entry;
  }

  #profile(credential: Credential): Profile {
    let profile = this.#profileOf.get(credential);
    if (profile) return profile;
    const key = profileKey(credential);
    profile = this.#profiles.get(key);
    if (profile === undefined) {
      profile = { routes: routesOf(credential, this.#config()) };
      this.#profiles.set(key, profile);
    }
    this.#profileOf.set(credential, profile);
    return profile;
  }
}

/** May this credential be chosen at all? */
export function routable(credential: Credential): boolean {
  return !credential.disabled && credential.weight > 0 && credential.status === 'active';
}

function profileKey(credential: Credential): string {
  return [
    credential.provider,
    credential.providerKey,
    credential.kind,
    credential.source,
    credential.plan ?? '',
    credential.prefix ?? '',
    credential.excludedModels.join('\n'),
    credential.models ? JSON.stringify(credential.models) : '',
  ].join('\0');
}

/** Steps 2–5 of spec/routing.md §2 for one make of credential. */
function routesOf(credential: Credential, config: Config): Map<string, Route[]> {
  const isFile = credential.source === 'file';
  const excluded = [
    ...credential.excludedModels,
    ...(isFile ? (config['oauth-excluded-models']?.[credential.providerKey] ?? []) : []),
  ].map(wildcard);
  const base = declared(credential) ?? providers.get(credential.provider)?.models(credential) ?? [];
  const aliases = isFile ? (config['oauth-model-alias']?.[credential.providerKey] ?? []) : [];
  const named: Route[] = [];
  for (const item of base) {
    const upstream = 'upstream' in item ? item.upstream : item.id;
    const info = 'upstream' in item ? item.info : item;
    const listed = 'upstream' in item ? item.id : item.id;
    if (excluded.some((pattern) => pattern.test(upstream) || pattern.test(listed))) continue;
    const renamed = aliases.filter((alias) => alias.name.toLowerCase() === listed.toLowerCase());
    for (const alias of renamed) {
      // A suffix in the configured name (`name: model(high)`) is applied by the dispatcher through the info's id.
      named.push({ id: alias.alias, upstream, info: { ...info, id: alias.alias } });
    }
    if (renamed.length === 0 || renamed.some((alias) => alias.fork)) named.push({ id: listed, upstream, info });
  }
  // An alias may also point at a model that the catalog lacks, or carry a thinking suffix.
  for (const alias of aliases) {
    const bare = splitSuffix(alias.name).base;
    const known = base.some((item) => item.id.toLowerCase() === alias.name.toLowerCase());
    if (known || excluded.some((pattern) => pattern.test(bare))) continue;
    const model = base.find((item) => item.id.toLowerCase() === bare.toLowerCase());
    const info =
      model === undefined
        ? { id: alias.alias, ownedBy: credential.providerKey }
        : 'upstream' in model
          ? model.info
          : model;
    named.push({ id: alias.alias, upstream: alias.name, info: { ...info, id: alias.alias } });
  }
  const routes = new Map<string, Route[]>();
  const add = (route: Route): void => {
    const key = route.id.toLowerCase();
    const pool = routes.get(key);
    if (pool === undefined) routes.set(key, [route]);
    else if (!pool.some((other) => other.upstream === route.upstream)) pool.push(route);
  };
  const prefix = credential.prefix;
  for (const route of named) {
    if (prefix === undefined) add(route);
    else {
      if (!config['force-model-prefix'] || route.id === prefix) add(route);
      add({ ...route, id: `${prefix}/${route.id}` });
    }
  }
  return routes;
}

function declared(credential: Credential): Route[] | undefined {
  return credential.models?.map((model) => {
    const info = declaredModelInfo(credential, model);
    return { id: info.id, upstream: model.name, info };
  });
}

/** `*` anywhere, any case (spec/config.md §5). */
export function wildcard(pattern: string): RegExp {
  const source = pattern.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${source.join('.*')}$`, 'i');
}
