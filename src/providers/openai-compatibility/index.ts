// Any upstream that speaks OpenAI chat completions, as the config describes it.
import type { Provider } from '../provider.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'openai-compatibility',
  displayName: 'OpenAI compatible',
  fileTypes: [],
  readCredential: () => [],
  upstream,
  // Everything it has is declared in the config.
  models: () => [],
};
