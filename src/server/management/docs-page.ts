// The OpenAPI document as one readable page: no script, nothing loaded from elsewhere.
type Json = Record<string, unknown>;

const escaped = (text: unknown): string =>
  String(text ?? '').replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

export const docsHeaders = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
} as const;

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1a1a1a;background:#fff}
code,pre{font:13px/1.4 ui-monospace,monospace}pre{background:#f4f4f4;padding:.7em;overflow:auto;border-radius:4px}
h2{border-bottom:1px solid #ddd;margin-top:2em}summary{cursor:pointer;padding:.25em 0}
.m{display:inline-block;min-width:4.5em;font-weight:600}.s{color:#666}table{border-collapse:collapse;margin:.5em 0}
td,th{text-align:left;padding:.2em .8em .2em 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#262626}h2{border-color:#444}.s{color:#999}}`;

function pretty(value: unknown): string {
  return `<pre>${escaped(JSON.stringify(value, null, 1))}</pre>`;
}

function parameterRows(parameters: Json[]): string {
  if (parameters.length === 0) return '';
  const rows = parameters.map((parameter) => {
    const schema = parameter.schema as Json;
    const kind = schema.enum ? (schema.enum as unknown[]).map((word) => word || '""').join(' | ') : schema.type;
    return `<tr><td><code>${escaped(parameter.name)}</code></td><td>${escaped(parameter.in)}${
      parameter.required ? ', required' : ''
    }</td><td>${escaped(kind)}</td></tr>`;
  });
  return `<table><tr><th>Parameter</th><th>In</th><th>Values</th></tr>${rows.join('')}</table>`;
}

function contents(content: Json | undefined): string {
  return Object.entries(content ?? {})
    .map(([type, of]) => `<p class="s">${escaped(type)}</p>${pretty((of as Json).schema)}`)
    .join('');
}

function responseRows(responses: Json): string {
  return Object.entries(responses)
    .map(([status, of]) => {
      const answer = of as Json;
      const body = Number(status) < 400 ? contents(answer.content as Json | undefined) : '';
      return `<p><code>${escaped(status)}</code> ${escaped(answer.description)}</p>${body}`;
    })
    .join('');
}

function operation(path: string, method: string, of: Json): string {
  const body = of.requestBody as Json | undefined;
  const id = escaped(of.operationId);
  return `<details id="${id}"><summary><span class="m">${escaped(method.toUpperCase())}</span> <code>${escaped(path)}</code>
<span class="s">${escaped(of.summary)}</span></summary>
<p>${escaped(of.description ?? '')}</p><p class="s">Needs a key of scope ${escaped(of['x-scope'])}.</p>
${parameterRows(of.parameters as Json[])}${body ? `<h4>Body</h4>${contents(body.content as Json)}` : ''}
<h4>Answers</h4>${responseRows(of.responses as Json)}</details>`;
}

export function docsPage(document: Json): string {
  const info = document.info as Json;
  const groups = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(document.paths as Json)) {
    for (const [method, of] of Object.entries(methods as Json)) {
      const tag = ((of as Json).tags as string[])[0] ?? '';
      groups.set(tag, [...(groups.get(tag) ?? []), operation(path, method, of as Json)]);
    }
  }
  const sections = [...groups].map(([tag, operations]) => `<h2>${escaped(tag)}</h2>${operations.join('')}`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(info.title)}</title><style>${style}</style></head>
<body><h1>${escaped(info.title)} ${escaped(info.version)}</h1><p>${escaped(info.description)}</p>
<p>Send it as <code>Authorization: Bearer &lt;key&gt;</code> or <code>X-Management-Key: &lt;key&gt;</code>. The same
document for programs: <code>/v0/management/openapi.json</code>.</p>
${sections.join('\n')}</body></html>
`;
}
