// Gemini CLI's services.
import type { FakeProvider } from '../types.ts';
import { googleRoutes } from './google.ts';

export const geminiCli: FakeProvider = {
  id: 'gemini-cli',
  endpoints: {
    authorize: '/o/oauth2/auth',
    token: '/token',
    'user-info': '/oauth2/v1/userinfo',
    projects: '/v1/projects',
    'service-usage': '/serviceusage/v1',
    api: '',
  },
  routes: googleRoutes('gemini-cli', () => ''),
};
