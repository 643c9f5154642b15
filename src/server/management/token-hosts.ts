// The hosts that a provider's token may visit through `api-call`: its own services (management-api.md R14, panel.md §4.3).
import type { Config } from '../../config/index.ts';
import type { Credential, ProviderId } from '../../credentials/credential.ts';

const builtIn: Partial<Record<ProviderId, readonly string[]>> = {
  claude: ['api.anthropic.com', 'platform.claude.com'],
  codex: ['chatgpt.com', 'api.openai.com', 'auth.openai.com'],
  'gemini-cli': ['cloudcode-pa.googleapis.com', 'www.googleapis.com'],
  antigravity: [
    'cloudcode-pa.googleapis.com',
    'daily-cloudcode-pa.googleapis.com',
    'daily-cloudcode-pa.sandbox.googleapis.com',
    'www.googleapis.com',
  ],
  qwen: ['portal.qwen.ai', 'chat.qwen.ai', 'dashscope.aliyuncs.com'],
  kimi: ['api.kimi.com'],
  iflow: ['apis.iflow.cn', 'platform.iflow.cn', 'iflow.cn'],
  gemini: ['generativelanguage.googleapis.com'],
  vertex: ['aiplatform.googleapis.com', '*.googleapis.com'],
};

function hostOf(url: unknown): string[] {
  return typeof url === 'string' && URL.canParse(url) ? [new URL(url).host] : [];
}

/** Names or `*.name` patterns; a configured URL replaces nothing, it is added. */
export function endpointHosts(config: Config, credential: Credential): string[] {
  const configured = config.endpoints?.[credential.provider] ?? {};
  const resource = credential.fields.reveal().resource_url;
  return [
    ...(builtIn[credential.provider] ?? []),
    ...Object.values(configured).flatMap(hostOf),
    ...hostOf(credential.baseUrl),
    ...(credential.provider === 'qwen' ? hostOf(typeof resource === 'string' ? `https://${resource}` : '') : []),
  ];
}
