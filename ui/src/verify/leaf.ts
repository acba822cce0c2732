// The leaf of an event, computed from what is shown: fields, then the 88-byte entry, then its hash. No hash of the server
// is taken as a beginning. Formats: crates/ledger (`field.rs`, `entry.rs`).

import { big, fieldHash, leafHash, sha256, unhex, utf8 } from 'virtual:evidence';
import { Exact, type Event, type Json } from '../client.ts';

type Bytes = Uint8Array<ArrayBuffer>;
export type Field = { pointer: string; type: string; value: string };
export type FieldProof = { pointer: string; salt: string } | { hash: string };
export type Proved = { seq: number; seed?: string; fields?: FieldProof[]; path: number[] };

/** What stands beside the committed members: it is in the entry, or computed. */
const FACTS = new Set(['id', 'tenant', 'environment', 'seq', 'received_at', 'leaf_hash']);
const TAGS = { entry: utf8.encode('AEV1'), salt: utf8.encode('AES1'), root: utf8.encode('AER1') };
const NOTHING = new Uint8Array();

/** Why a leaf cannot be computed from what is shown. */
export class Mismatch extends Error {}

/** The scalars of an event as they are committed, in the order of their pointers' bytes. */
export function flatten(event: Event): Field[] {
  const out: Field[] = [];
  const walk = (pointer: string, value: Json): void => {
    const add = (type: string, text = ''): void => void out.push({ pointer, type, value: text });
    if (value === null) add('z');
    else if (typeof value === 'string') add('s', value);
    else if (typeof value === 'boolean') add(value ? 't' : 'f');
    else if (typeof value === 'number') add('n', String(value));
    else if (value instanceof Exact) add('n', value.source);
    else if (Array.isArray(value)) {
      if (value.length === 0) add('a');
      value.forEach((item, at) => walk(`${pointer}/${at}`, item));
    } else {
      const members = Object.entries(value);
      if (members.length === 0) add('o');
      for (const [name, inner] of members) walk(`${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, inner);
    }
  };
  for (const [name, value] of Object.entries(event)) {
    if (!FACTS.has(name)) walk(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, value as Json);
  }
  return out.sort((a, b) => byBytes(a.pointer, b.pointer));
}

/** UTF-8 sorts like code points, and strings here like UTF-16: they differ from the first surrogate on only. */
function byBytes(a: string, b: string): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left === right) continue;
    const surrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff;
    if (surrogate(left) !== surrogate(right)) return surrogate(left) ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

/** The bytes of a text. Most are short and plain, and for those a loop is faster than the browser's encoder. */
function bytesOf(text: string): Bytes {
  if (text.length > 64) return utf8.encode(text);
  const out = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 127) return utf8.encode(text);
    out[at] = code;
  }
  return out;
}

/** Pointers repeat from event to event. */
const POINTERS_MAX = 2000;
const pointers = new Map<string, Bytes>();
function pointerOf(text: string): Bytes {
  let bytes = pointers.get(text);
  if (!bytes) {
    if (pointers.size >= POINTERS_MAX) pointers.clear();
    pointers.set(text, (bytes = bytesOf(text)));
  }
  return bytes;
}

const hashOf = (salt: Bytes, field: Field): Bytes => fieldHash(salt, pointerOf(field.pointer), field.type, field.value === '' ? NOTHING : bytesOf(field.value));

function withSeed(seed: Bytes, fields: Field[]): Bytes[] {
  let pair: Bytes = NOTHING;
  return fields.map((field, at) => {
    if (at % 2 === 0) pair = sha256(TAGS.salt, seed, big(at / 2, 4));
    return hashOf(pair.subarray(16 * (at % 2), 16 * (at % 2) + 16), field);
  });
}

/** Every field that is shown has to have its salt, and every salt its field; the others are there as hashes. */
function withSalts(proofs: FieldProof[], fields: Field[]): Bytes[] {
  const shown = new Map(fields.map((field) => [field.pointer, field]));
  let last = '';
  const hashes = proofs.map((proof) => {
    if ('hash' in proof) return need(unhex(proof.hash, 32), 'a hash is malformed');
    const field = need(shown.get(proof.pointer), 'a field is missing');
    if (last !== '' && byBytes(last, proof.pointer) >= 0) throw new Mismatch('the fields are not in order');
    last = proof.pointer;
    shown.delete(proof.pointer);
    return hashOf(need(unhex(proof.salt, 16), 'a salt is malformed'), field);
  });
  // Hiding the last member of an object leaves an empty object behind, and an erased element of an array `null`: nothing that was
  // committed. There are no more of them than hashes.
  const left = [...shown.values()].every(({ pointer, type }) => type === 'o' || type === 'a' || (type === 'z' && /\/\d+$/.test(pointer)));
  if (!left || shown.size > proofs.filter((proof) => 'hash' in proof).length) throw new Mismatch('a field is shown that the proof does not cover');
  return hashes;
}

function need<T>(value: T | null | undefined, why: string): T {
  if (value === null || value === undefined) throw new Mismatch(why);
  return value;
}

/** First 16 bytes of the hash of the log's name: binds an entry to its log. */
export const originId = (origin: string): Bytes => sha256(utf8.encode(origin)).subarray(0, 16);

export type Leaf = { hash: Bytes; fields: Field[]; hidden: number };

/** Computes the leaf of an event of the log called `origin`. */
export function computeLeaf(event: Event, proved: Proved, origin: Bytes): Leaf {
  const fields = flatten(event);
  const hashes = proved.fields ? withSalts(proved.fields, fields) : withSeed(need(unhex(proved.seed ?? '', 16), 'the seed is malformed'), fields);
  const received = Date.parse(event.received_at);
  const id = unhex(event.id.replaceAll('-', ''), 16);
  if (!Number.isSafeInteger(received) || !Number.isSafeInteger(event.seq) || !id) throw new Mismatch('the event has no place');
  const count = big(hashes.length, 2);
  const entry = new Uint8Array(88);
  const service = (event.action ?? '').startsWith('attestary.');
  let at = 0;
  for (const part of [TAGS.entry, origin, big(event.seq, 8), big(received, 8), id, count, big(service ? 1 : 0, 2), sha256(TAGS.root, count, ...hashes)]) {
    entry.set(part, at);
    at += part.length;
  }
  const hidden = proved.fields?.filter((proof) => 'hash' in proof).length ?? 0;
  return { hash: leafHash(entry), fields, hidden };
}
