// Brings the table of docs/configuration.md up to date with the schema: `node scripts/config-docs.mjs`.
import { readFileSync, writeFileSync } from 'node:fs';
import { withKeyTable } from '../src/config/docs.ts';

const page = new URL('../docs/configuration.md', import.meta.url);
writeFileSync(page, withKeyTable(readFileSync(page, 'utf8')));
