// One process with a store and a refresher on a shared folder. Arguments: folder, token URL. Prints each credential's
// token whenever it changes, as `<id> <token>`.
import type { Config } from '../../../src/config/index.ts';
import { openAuthFolder } from '../../../src/credentials/auth-folder.ts';
import { createRefresher } from '../../../src/credentials/refresh.ts';
import { createHttpClient } from '../../../src/net/client.ts';
import { createDispatchers } from '../../../src/net/dispatchers.ts';
import { RefreshError } from '../../../src/providers/provider.ts';
import { fakeProvider } from '../fakes.ts';

const [, , folder, url] = process.argv as [string, string, string, string];
const provider = fakeProvider({
  async refresh(fields, context) {
    const answer = await context.http.request(url, { form: { refresh_token: String(fields.refresh_token) } });
    if (answer.status !== 200 || answer.json === undefined) throw new RefreshError('refused', { permanent: true });
    return answer.json;
  },
});
const store = await openAuthFolder({
  folder,
  providers: [provider],
  log: { info: () => {}, warn: (line) => process.stderr.write(`${line}\n`) },
});
const tell = () => {
  for (const { id, token, status } of store.list()) process.stdout.write(`${id} ${token?.reveal()} ${status}\n`);
};
store.onChange(tell);
const dispatchers = createDispatchers({ globalProxy: () => 'direct', env: {} });
createRefresher({
  store,
  providers: new Map([[provider.id, provider]]),
  http: createHttpClient({ dispatchers }),
  config: () => ({}) as Config,
  log: { info: () => {}, warn: (line) => process.stderr.write(`${line}\n`) },
}).start();
tell();
// What a server would do: stay.
setInterval(() => {}, 1 << 30);
