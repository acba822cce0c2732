import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hex, leafHash, big, nodeHash, unhex } from 'virtual:evidence';
import { Exact, type Event } from '../client.ts';
import { computeLeaf, flatten, originId, type FieldProof } from './leaf.ts';
import { Paths } from './path.ts';
import { judgeOne, ranges } from './verifier.ts';

const vectors = (name: string) => JSON.parse(readFileSync(join(process.env['VECTORS']!, `${name}.json`), 'utf8'));
const entry = vectors('entry');
const tree = vectors('tree');
const bytes = (text: string) => unhex(text, text.length / 2)!;

/** The event of the frozen vector as the API would show it. */
function event(): Event {
  const encoded = bytes(entry.entry);
  const id = entry.entry.slice(72, 104).replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
  const received = Number(BigInt(`0x${hex(encoded.slice(28, 36))}`));
  const made = JSON.parse(`{"id":"${id}","tenant":"t","environment":"e","seq":${Number(BigInt(`0x${hex(encoded.slice(20, 28))}`))},"received_at":"${new Date(received).toISOString()}",
    "action":"user.login.failed","actor":{"id":"u_123","email":"alice@example.com"},"context":{"ip":"203.0.113.9"},
    "metadata":{"tags":[],"ok":false,"big":0,"attempt":3},"occurred_at":"2026-11-22T00:39:11.123Z","leaf_hash":"${hex(leafHash(encoded))}"}`) as Event & { metadata: Record<string, unknown> };
  // As browsers that tell the source of a number read it.
  made.metadata['big'] = new Exact('9007199254740993');
  return made;
}
const seed = '000102030405060708090a0b0c0d0e0f';
const origin = originId('audit.example.com/t/01JDA3WT9Z8Q4V6N2M0K5R7B1C');
const wanted = hex(leafHash(bytes(entry.entry)));

test('the frozen entry is computed from what is shown', () => {
  assert.equal(hex(computeLeaf(event(), { seq: 69000, seed, path: [] }, origin).hash), wanted);
});

test('hidden fields have hashes, and every shown field its salt', () => {
  const proofs: FieldProof[] = entry.fields.map((field: { pointer: string; salt: string; hash: string }) => (field.pointer === '/context/ip' ? { hash: field.hash } : { pointer: field.pointer, salt: field.salt }));
  const pruned = event();
  pruned.context = {};
  const leaf = computeLeaf(pruned, { seq: 69000, fields: proofs, path: [] }, origin);
  assert.equal(hex(leaf.hash), wanted);
  assert.equal(leaf.hidden, 1);
  // A field that no salt covers, and a salt that no field has.
  assert.throws(() => computeLeaf({ ...pruned, context: { ip: '192.0.2.1' } }, { seq: 69000, fields: proofs, path: [] }, origin));
  assert.throws(() => computeLeaf({ ...pruned, actor: {} }, { seq: 69000, fields: proofs, path: [] }, origin));
});

test('fields stand in the order of their bytes', () => {
  const order = flatten({ b: 1, '\u{1f600}': 1, '\uffff': 1, 'a/b': null, 'a~b': {} } as unknown as Event).map((field) => field.pointer + field.type);
  assert.deepEqual(order, ['/a~0bo', '/a~1bz', '/bn', '/\uffffn', '/\u{1f600}n']);
});

test('every path of the frozen trees leads, and nothing else does', () => {
  const roots = new Map<number, string>(tree.roots.map((one: { size: number; root: string }) => [one.size, one.root]));
  const leaf = (at: number) => leafHash(big(at, 8));
  assert.ok(tree.inclusion.length > 50);
  for (const { index, size, hashes } of tree.inclusion as { index: number; size: number; hashes: string[] }[]) {
    const root = bytes(roots.get(size)!);
    const path = hashes.map(bytes);
    const fresh = () => new Paths(size, root);
    const what = `${index} of ${size}`;
    assert.ok(fresh().leads(leaf(index), index, path), what);
    assert.ok(!fresh().leads(leaf(index + 1), index, path), `${what}: another leaf`);
    assert.ok(!fresh().leads(leaf(index), size, path), `${what}: another place`);
    assert.ok(!fresh().leads(leaf(index), index, [...path, leaf(0)]), `${what}: too long`);
    assert.ok(!new Paths(size, leaf(7)).leads(leaf(index), index, path), `${what}: another root`);
    for (let at = 0; at < path.length; at++) {
      const wrong = path.slice();
      wrong[at] = leaf(999);
      assert.ok(!fresh().leads(leaf(index), index, wrong), `${what}: hash ${at}`);
      assert.ok(!fresh().leads(leaf(index), index, path.slice(0, at)), `${what}: too short`);
    }
    // A node is no leaf: without the prefixes it would be one.
    if (path.length > 0) assert.ok(!fresh().leads(nodeHash(leaf(index), path[0]!), index, path), what);
  }
});

test('what was seen to lead to the root spares no check of another leaf', () => {
  const size = 8;
  const leaves = Array.from({ length: size }, (_, at) => leafHash(big(at, 8)));
  const up = (list: typeof leaves): typeof leaves => list.flatMap((hash, at) => (at % 2 ? [] : [nodeHash(hash, list[at + 1]!)]));
  const [pairs, fours] = [up(leaves), up(up(leaves))];
  const paths = new Paths(size, up(fours)[0]!);
  const path = (at: number) => [leaves[at ^ 1]!, pairs[(at >> 1) ^ 1]!, fours[(at >> 2) ^ 1]!];
  assert.ok(paths.leads(leaves[0]!, 0, path(0)));
  assert.ok(!paths.leads(leaves[3]!, 1, path(1)));
  assert.ok(!paths.leads(leaves[1]!, 0, path(0)), 'the place is known with another leaf');
  assert.ok(!paths.leads(leaves[2]!, 3, path(2)));
  for (let at = 0; at < size; at++) assert.ok(paths.leads(leaves[at]!, at, path(at)), String(at));
});

test('whatever is changed in a row turns it', () => {
  const one = { action: 'a.b', actor: { id: 'u', tags: [] }, metadata: { n: 1.5, ok: true }, id: '01930b5e-5a53-709e-8f3c-0123456789ab', tenant: 't', environment: 'e', seq: 0, received_at: '2026-11-22T00:39:11.123Z' };
  const leaf = computeLeaf(one as unknown as Event, { seq: 0, seed, path: [] }, origin);
  const judge = (changed: object, by = seed, log = origin) => {
    const row = { ...one, leaf_hash: hex(leaf.hash), ...changed } as unknown as Event;
    return judgeOne(row, { seq: 0, seed: by, path: [] }, [], log, { anchored: true }, new Paths(1, leaf.hash)).state;
  };
  // Index 0 in a log of one event is checked like any other.
  assert.equal(judge({}), 'verified');
  const changes: object[] = [
    { action: 'a.c' }, { actor: { id: 'v', tags: [] } }, { actor: { id: 'u', tags: {} } }, { actor: { id: 'u' } }, { metadata: { n: '1.5', ok: true } }, { metadata: { n: 1.5, ok: false } },
    { extra: null }, { seq: 1 }, { received_at: '2026-11-22T00:39:11.124Z' }, { received_at: 'x' }, { id: '01930b5e-5a53-709e-8f3c-0123456789ac' }, { id: 'x' }, { action: 'attestary.b' },
    { leaf_hash: hex(leafHash(big(1, 8))) },
  ];
  for (const change of changes) assert.equal(judge(change), 'failed', JSON.stringify(change));
  assert.equal(judge({}, 'ff'.repeat(16)), 'failed');
  assert.equal(judge({}, 'no'), 'failed');
  assert.equal(judge({}, seed, originId('another log')), 'failed');
});

test('places are asked for as ranges', () => {
  assert.equal(ranges([5, 3, 4, 9, 9, 0]), '0,3-5,9');
});
