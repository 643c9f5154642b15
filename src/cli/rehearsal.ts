// What every start would do again, done once while the executable is built: modules run, schemas are worked out, code is
// compiled. The heap that is left is the executable's start-up snapshot (docs/performance.md).
//
// Nothing of chance, of the time or of the building machine may be asked for here or while a module loads: it would be
// the same in every process, on every machine. test/cli/snapshot.test.ts watches over that.
import os from 'node:os';

/** Every kind of value once. */
const config = `
host: 127.0.0.1
port: 8080
auth-dir: ~/.cliproxy
api-keys: [one, "two"]
request-retry: 3
routing: { strategy: round-robin }
remote-management:
  allow-remote: false
  secret-key: ""
tls:
  enable: false
gemini-api-key:
  - api-key: one
openai-compatibility:
  - name: some
    base-url: http://127.0.0.1:1/v1
    api-key-entries:
      - api-key: two
    models:
      - { name: model, alias: alias }
`;

export async function rehearse(): Promise<void> {
  // pino keeps the name of the machine, which no log line says.
  const { hostname } = os;
  os.hostname = () => 'localhost';
  try {
    await import('./serve.ts');
    await import('../server/index.ts');
  } finally {
    os.hostname = hostname;
  }
  const { parseConfig } = await import('../config/index.ts');
  parseConfig(config);
}
