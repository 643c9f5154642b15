// The bill of materials (CycloneDX 1.6 JSON) of what ships, from the lock file: `node scripts/sbom.mjs > sbom.json`.
// `npm sbom --omit dev` leaves out what development needs too (undici and zod, with npm 11).
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { licenseOf, shipped } from './licenses.mjs';

/** https://github.com/package-url/purl-spec: the `@` of a scope is escaped. */
function packageUrl(name, version) {
  return `pkg:npm/${name.replace(/^@/, '%40')}@${version}`;
}

export function bill(root) {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const { name, version, license } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const components = shipped(lock, root).map((found) => {
    const told = licenseOf(path.join(root, found.place)).license;
    const [algorithm, digest] = (lock.packages[found.place].integrity ?? '').split('-');
    return {
      type: 'library',
      'bom-ref': packageUrl(found.name, found.version),
      name: found.name,
      version: found.version,
      purl: packageUrl(found.name, found.version),
      ...(told === '' ? {} : { licenses: [{ expression: told }] }),
      ...(algorithm === 'sha512'
        ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] }
        : {}),
    };
  });
  // One package may be there in one version at several places.
  const unique = [...new Map(components.map((component) => [component['bom-ref'], component])).values()];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': `${name}@${version}`,
        name,
        version,
        licenses: [{ expression: license }],
      },
    },
    components: unique,
  };
}

if (process.argv[1] === import.meta.filename) {
  process.stdout.write(`${JSON.stringify(bill(path.join(import.meta.dirname, '..')), null, 2)}\n`);
}
