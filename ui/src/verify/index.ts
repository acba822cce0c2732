// Everything about proofs, in a file of its own that is loaded after the first rows are shown.

import { parseCheckpoint, parseNote, utf8 } from 'virtual:evidence';
import { extendNow } from '../text.ts';
import { proofsEn } from '../messages/proofs.en.ts';

await extendNow(proofsEn, { de: () => import('../messages/proofs.de.ts').then(({ proofsDe }) => proofsDe) });

export { chipOf, LogLine, ProofTab } from './proof.tsx';
export { computeLeaf, originId } from './leaf.ts';
export { Paths } from './path.ts';
export { Verifier } from './verifier.ts';

// What a measurement of the same checks needs; see e2e/node/console/proofs.cjs.
export { parseJson as parseExact } from '../client.ts';
export const readHead = (note: string) => parseCheckpoint(parseNote(utf8.encode(note), 4, 'the checkpoint').text, 4, 'the checkpoint');
