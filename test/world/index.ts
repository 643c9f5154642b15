/**
 * The fake world: every service the program talks to, on one loopback port, as strict as the real ones.
 *
 *     const world = await startWorld();
 *     const alice = world.account('claude', 'alice', { expiresIn: -10 });   // a user with (here: expired) tokens
 *     const { name, fields } = world.file(alice);                           // the credential file of her login
 *     const proxy = await startProxy({ config: { endpoints: world.endpoints }, authFiles: { [name]: fields } });
 *     const script = world.script({ provider: 'claude', kind: 'chat' }, { error: 'rate-limit', retryAfter: 4 });
 *     await fetch(`${proxy.url}/v1/messages`, ...);
 *     world.select({ provider: 'claude', kind: 'refresh' });                // what was asked, by whom, with what
 *     assert.deepEqual(world.problems, []);                                 // and whether anything was wrong with it
 *     await proxy.stop();
 *     await world.close();
 *
 * Every provider lives below its own prefix (`/iflow/…`, `/claude/…`); `world.endpoints` is the value for the config's
 * `endpoints:` that makes the program go there. API-key services: `world.apiKey('openai')` with
 * `world.url('openai', '/v1')` (also `anthropic`, `gemini`, `codex-key`).
 *
 * - Tokens are real state: codes and (not Google's) refresh tokens are used once, access tokens end, iFlow's keys die
 *   when they are replaced. Client ids and secrets, redirect URIs, PKCE, scopes, required headers, iFlow's signature
 *   and Vertex' JWTs are checked. What the real service would refuse is refused; every violation is in `problems`.
 * - `world.authorize(url)` is the user's browser: it approves (or denies) and opens the callback.
 * - `world.script(match, action)` makes the next fitting request go another way. Nothing is timed: an answer that must
 *   wait has `hold` (or `holdAfter` in a stream) and goes on at `script.release()`. `world.until(condition)` waits for
 *   something to be seen.
 * - The model echoes; see `model.ts` for the words that make it think, call tools or answer at length.
 */
export type { Account, AccountOptions } from './accounts.ts';
export type { Decision, Visit } from './browser.ts';
export type { CredentialFile } from './credential-file.ts';
export type { Entry, EntryFilter } from './journal.ts';
export type { Action, Match, Script } from './script.ts';
export type { CallKind, ErrorKind, FakeProviderId } from './types.ts';
export { startWorld, type World } from './world.ts';
