// Google's Gemini API with API keys.
import type { Provider } from '../provider.ts';
import { models } from './models.ts';
import { upstream } from './upstream.ts';

export const provider: Provider = {
  id: 'gemini',
  displayName: 'Gemini',
  // Files of type `gemini` are Gemini CLI logins.
  fileTypes: [],
  readCredential: () => [],
  upstream,
  models,
};
