// The one list of providers. Adding one = a folder and a line here.
import type { ProviderId } from '../credentials/credential.ts';
import { provider as antigravity } from './antigravity/index.ts';
import { provider as claude } from './claude/index.ts';
import { provider as codex } from './codex/index.ts';
import { provider as gemini } from './gemini/index.ts';
import { provider as geminiCli } from './gemini-cli/index.ts';
import { provider as iflow } from './iflow/index.ts';
import { provider as kimi } from './kimi/index.ts';
import { provider as openaiCompatibility } from './openai-compatibility/index.ts';
import type { Provider } from './provider.ts';
import { provider as qwen } from './qwen/index.ts';
import { provider as vertex } from './vertex/index.ts';

/** By runtime key, in listing order (upstreams.md §1.2). */
export const providers: ReadonlyMap<ProviderId, Provider> = new Map(
  [iflow, qwen, kimi, openaiCompatibility, claude, codex, gemini, vertex, geminiCli, antigravity].map((provider) => [
    provider.id,
    provider,
  ]),
);
