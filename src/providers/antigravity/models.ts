// What Antigravity offers (upstreams.md §7).
import type { ModelInfo } from '../../credentials/credential.ts';
import { catalogFor } from '../catalog.ts';

export function models(): readonly ModelInfo[] {
  return catalogFor('antigravity');
}
