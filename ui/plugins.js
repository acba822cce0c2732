// What the bundles take from elsewhere in the repository, so that it is written once.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const read = (path) => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');

/** The known actions, from the generated reference page: `virtual:sentences` for rows, `virtual:actions` with all that is listed. */
const actions = {
  name: 'actions',
  resolveId: (id) => (id === 'virtual:sentences' || id === 'virtual:actions' ? `\0${id}` : null),
  load(id) {
    if (id !== '\0virtual:sentences' && id !== '\0virtual:actions') return null;
    const found = {};
    let listed = false;
    for (const line of read('docs/reference/actions.md').split('\n')) {
      // Foreign systems’ own actions keep their general form.
      if (line.startsWith('## ')) listed = /: (attestary|saas)$/.test(line);
      const cells = line.split(' | ');
      const action = /^\| `([a-z0-9_.]+)`$/.exec(cells[0] ?? '')?.[1];
      if (listed && action && cells.length >= 7) found[action] = id.endsWith('sentences') ? cells[5].trim() : [cells[1], cells[2], cells[3], cells[5]].map((cell) => cell.trim());
    }
    if (Object.keys(found).length < 100) throw new Error('docs/reference/actions.md is not of the form that this reads');
    return `export default ${JSON.stringify(found)}`;
  },
};

const EVIDENCE = ['Refused', 'accept', 'big', 'consistent', 'fieldHash', 'half', 'hex', 'leafHash', 'nodeHash', 'parseCheckpoint', 'parseNote', 'parseTrust',
  'quorum', 'same', 'selfTest', 'sha256', 'unbase64', 'unhex', 'utf8'];

/** The hashes, trees, notes and trust files of the offline verifier; what the viewer does not use is shaken off. */
const evidence = {
  name: 'evidence',
  resolveId: (id) => (id === 'virtual:evidence' ? '\0evidence' : null),
  load(id) {
    if (id !== '\0evidence') return null;
    const script = read('crates/verify/page/verify.js');
    const end = script.indexOf('// ---- The page.');
    if (end < 0) throw new Error('crates/verify/page/verify.js is not of the form that this reads');
    return `${script.slice(0, end)}\nexport { ${EVIDENCE.join(', ')} };`;
  },
};

export const plugins = [actions, evidence];
