// Bundles the tests with the same compiler as the console and runs them with node's own test runner.
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';

const outDir = mkdtempSync(join(tmpdir(), 'attestary-ui-'));
await build({
  configFile: false,
  logLevel: 'warn',
  ssr: { noExternal: true },
  build: { ssr: true, outDir, emptyOutDir: true, rollupOptions: { input: { filter: 'src/filter/filter.test.ts', text: 'src/text.test.ts' }, output: { entryFileNames: '[name].mjs' } } },
});
const fixtures = new URL('../fixtures', import.meta.url).pathname;
const ran = spawnSync(process.execPath, ['--test', join(outDir, 'filter.mjs'), join(outDir, 'text.mjs')], {
  stdio: 'inherit',
  env: { ...process.env, FIXTURES: fixtures },
});
process.exit(ran.status ?? 1);
