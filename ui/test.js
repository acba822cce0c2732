// Bundles the tests with the same compiler as the console and runs them with node's own test runner.
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { plugins } from './plugins.js';

const outDir = mkdtempSync(join(tmpdir(), 'attestary-ui-'));
await build({
  configFile: false,
  logLevel: 'warn',
  plugins,
  ssr: { noExternal: true },
  build: { ssr: true, outDir, emptyOutDir: true, rollupOptions: { input: { filter: 'src/filter/filter.test.ts', text: 'src/text.test.ts', verify: 'src/verify/verify.test.ts' }, output: { entryFileNames: '[name].mjs' } } },
});
const [fixtures, vectors] = ['../fixtures', '../crates/ledger/vectors'].map((path) => new URL(path, import.meta.url).pathname);
const ran = spawnSync(process.execPath, ['--test', join(outDir, 'filter.mjs'), join(outDir, 'text.mjs'), join(outDir, 'verify.mjs')], {
  stdio: 'inherit',
  env: { ...process.env, FIXTURES: fixtures, VECTORS: vectors },
});
process.exit(ran.status ?? 1);
