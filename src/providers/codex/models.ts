// Codex' models, which depend on the plan of the account (upstreams.md §2.3).
import type { Credential } from '../../credentials/credential.ts';
import { type CatalogKey, catalogFor } from '../catalog.ts';
import type { Provider } from '../provider.ts';

const catalogOfPlan: Readonly<Record<string, CatalogKey>> = {
  free: 'codex-free',
  go: 'codex-team',
  team: 'codex-team',
  business: 'codex-team',
  plus: 'codex-plus',
  pro: 'codex-pro',
};

export const models: Provider['models'] = (credential: Credential) =>
  catalogFor(catalogOfPlan[credential.plan?.toLowerCase() ?? ''] ?? 'codex-pro');
