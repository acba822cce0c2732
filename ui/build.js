// Builds the console, its portal page and the embeddable viewer into crates/web, and writes the table that embeds them.
//   node build.js            builds into crates/web
//   node build.js --check    builds elsewhere and fails when crates/web holds something else, or a budget is passed
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { plugins } from './plugins.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const web = join(here, '../crates/web');
const check = process.argv.includes('--check');
const out = check ? mkdtempSync(join(tmpdir(), 'attestary-web-')) : web;
const dist = join(out, 'dist');

const common = {
  configFile: false,
  root: here,
  logLevel: 'warn',
  plugins,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
};
const output = { chunkFileNames: 'assets/[name]-[hash].js', assetFileNames: 'assets/[name]-[hash][extname]' };

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
await build({
  ...common,
  base: '/console/',
  publicDir: 'public',
  build: {
    outDir: dist, emptyOutDir: true, target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0,
    rollupOptions: { input: { console: join(here, 'index.html'), portal: join(here, 'portal.html') }, output: { ...output, entryFileNames: 'assets/[name]-[hash].js' } },
  },
});
await build({
  ...common,
  base: './',
  publicDir: false,
  build: {
    outDir: dist, emptyOutDir: false, target: 'es2022', assetsInlineLimit: 0,
    rollupOptions: { input: join(here, 'src/embed.tsx'), output: { ...output, format: 'es', entryFileNames: 'embed.js' } },
  },
});

const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(dist.length + 1))
  .sort();
const rows = files.map((path) => {
  const type = TYPES[path.split('.').pop()];
  if (!type) throw new Error(`no media type for ${path}`);
  return `    File {\n        path: "${path}",\n        media_type: "${type}",\n        bytes: include_bytes!("../dist/${path}"),\n    },\n`;
});
const table = `//! Written by \`npm run build\` in \`ui/\`; do not edit.\n\nuse crate::File;\n\n/// Every file, by path.\npub static FILES: &[File] = &[\n${rows.join('')}];\n`;
mkdirSync(join(out, 'src'), { recursive: true });
writeFileSync(join(out, 'src/table.rs'), table);

// Budgets: JavaScript that one page loads in English, compressed; another language is one small file more.
const zipped = (path) => gzipSync(readFileSync(join(dist, path)), { level: 9 }).length;
const scripts = (page, ...parts) => {
  const seen = new Set();
  const visit = (path) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, name] of readFileSync(join(dist, path), 'utf8').matchAll(/(?:from|import)\s*["'](?:\.\/|\.\/assets\/)([\w.-]+\.js)["']/g)) visit(`assets/${name}`);
  };
  for (const [, path] of readFileSync(join(dist, page), 'utf8').matchAll(/\/console\/(assets\/[\w.-]+\.js)/g)) visit(path);
  // What is loaded later with everything that it needs.
  for (const part of parts) for (const path of files) if (path.startsWith(`assets/${part}-`) && path.endsWith('.js')) visit(path);
  return [...seen];
};
const sum = (paths) => paths.reduce((total, path) => total + zipped(path), 0);
let failed = false;
const budget = (name, bytes, limit) => {
  console.log(`${name}: ${(bytes / 1000).toFixed(1)} kB of ${limit} kB gzip`);
  if (bytes > limit * 1000) failed = true;
};
budget('console', sum(scripts('index.html')), 90);
budget('console with destinations', sum(scripts('index.html', 'connect')), 90);
budget('console with the other pages', sum(scripts('index.html', 'later')), 90);
budget('portal page', sum(scripts('portal.html')), 90);
visitEmbed();
function visitEmbed() {
  const text = readFileSync(join(dist, 'embed.js'), 'utf8');
  const parts = [...text.matchAll(/(?:from|import)\s*["']\.\/(assets\/[\w.-]+\.js)["']/g)].map(([, path]) => path);
  budget('embedded viewer', sum(['embed.js', ...parts]), 60);
}
if (failed) console.error('a bundle is larger than its budget');
if (check) {
  const built = readdirSync(join(web, 'dist'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
  const same = built === files.length && ['src/table.rs', ...files.map((path) => `dist/${path}`)].every((path) => {
    try {
      return readFileSync(join(out, path)).equals(readFileSync(join(web, path)));
    } catch {
      return false;
    }
  });
  if (!same) console.error('crates/web is not what ui/ builds: run npm run build in ui/ and commit the result');
  failed ||= !same;
  rmSync(out, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
