// Claude's models.
import { catalogFor } from '../catalog.ts';
import type { Provider } from '../provider.ts';

export const models: Provider['models'] = () => catalogFor('claude');
