"use strict";
// Verifies an evidence bundle against a trust file, all of it in this page. Nothing is sent anywhere: the page's policy
// allows no connection. Same steps as `attestary verify`, without remembered checkpoints.

const STEPS = ["container", "trust", "notes", "tree", "entries", "payloads", "absence", "history", "anchoring",
  "epochs", "freshness", "tail", "key epochs"];
const utf8 = new TextEncoder();
const text = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

class Refused extends Error {
  constructor(step, message) { super(message); this.step = step; }
}
const need = (holds, step, message) => { if (!holds) throw new Refused(step, message); };

// ---- SHA-256 (FIPS 180-4). Synchronous, because there are millions of short messages; compared with the browser's own
// before each run.
const K = new Int32Array(64);
const INITIAL = new Int32Array(8);
{
  const root = (value, power) => {
    // The first 32 bits of the fractional part, from integers alone.
    let low = 0n, high = 1n << 80n;
    const target = BigInt(value) << BigInt(64 * power);
    while (high - low > 1n) {
      const middle = (low + high) >> 1n;
      if (middle ** BigInt(power) <= target) low = middle; else high = middle;
    }
    return Number((low >> 32n) & 0xffffffffn);
  };
  let count = 0;
  for (let candidate = 2; count < 64; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) prime &&= candidate % divisor !== 0;
    if (!prime) continue;
    if (count < 8) INITIAL[count] = root(candidate, 2);
    K[count++] = root(candidate, 3);
  }
}
const W = new Int32Array(64);
let message = new Uint8Array(4096);
function sha256(...parts) {
  let length = 0;
  for (const part of parts) length += part.length;
  const end = (length + 9 + 63) >> 6 << 6;
  // One buffer for all messages: most have a block or two, and making an array costs as much as hashing one.
  if (end > message.length) message = new Uint8Array(2 * end);
  let at = 0;
  for (const part of parts) {
    for (let byte = 0; byte < part.length; byte++) message[at + byte] = part[byte];
    at += part.length;
  }
  message[at] = 0x80;
  message.fill(0, at + 1, end);
  for (let byte = 1, bits = length * 8; bits > 0; byte++, bits = Math.floor(bits / 256)) message[end - byte] = bits % 256;
  const w = W, k = K, m = message;
  let h0 = INITIAL[0], h1 = INITIAL[1], h2 = INITIAL[2], h3 = INITIAL[3], h4 = INITIAL[4], h5 = INITIAL[5], h6 = INITIAL[6], h7 = INITIAL[7];
  for (let block = 0; block < end; block += 64) {
    for (let t = 0, from = block; t < 16; t++, from += 4) {
      w[t] = m[from] << 24 | m[from + 1] << 16 | m[from + 2] << 8 | m[from + 3];
    }
    for (let t = 16; t < 64; t++) {
      const a = w[t - 15], b = w[t - 2];
      const s0 = (a >>> 7 | a << 25) ^ (a >>> 18 | a << 14) ^ a >>> 3;
      const s1 = (b >>> 17 | b << 15) ^ (b >>> 19 | b << 13) ^ b >>> 10;
      w[t] = w[t - 16] + s0 + w[t - 7] + s1 | 0;
    }
    let a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, i = h7;
    for (let t = 0; t < 64; t++) {
      const t1 = i + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (g ^ e & (f ^ g)) + k[t] + w[t] | 0;
      const t2 = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b | c & (a | b)) | 0;
      i = g; g = f; f = e; e = d + t1 | 0; d = c; c = b; b = a; a = t1 + t2 | 0;
    }
    h0 = h0 + a | 0; h1 = h1 + b | 0; h2 = h2 + c | 0; h3 = h3 + d | 0; h4 = h4 + e | 0; h5 = h5 + f | 0; h6 = h6 + g | 0; h7 = h7 + i | 0;
  }
  const out = new Uint8Array(32);
  const put = (word, index) => { out[index] = word >>> 24; out[index + 1] = word >>> 16; out[index + 2] = word >>> 8; out[index + 3] = word; };
  put(h0, 0); put(h1, 4); put(h2, 8); put(h3, 12); put(h4, 16); put(h5, 20); put(h6, 24); put(h7, 28);
  return out;
}
async function selfTest() {
  for (const length of [0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, index) => index * 7);
    const theirs = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    need(same(theirs, sha256(bytes)), 0, "this browser computes SHA-256 in two ways");
  }
}

// ---- Bytes.
const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (string, length) => /^[0-9a-f]*$/.test(string) && string.length === 2 * length
  ? Uint8Array.from({ length }, (_, index) => parseInt(string.slice(2 * index, 2 * index + 2), 16)) : null;
function unbase64(string, length) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(string) || string.length % 4) return null;
  const raw = atob(string);
  // One form only: what is encoded again must be the same.
  if (btoa(raw) !== string || (length !== undefined && raw.length !== length)) return null;
  return Uint8Array.from(raw, (character) => character.charCodeAt(0));
}
const decimal = (string) => /^(0|[1-9][0-9]{0,15})$/.test(string) ? Number(string) : null;
const big = (number, bytes) => {
  const out = new Uint8Array(bytes);
  for (let at = bytes - 1, rest = number; at >= 0; at--) { out[at] = rest % 256; rest = Math.floor(rest / 256); }
  return out;
};
const number = (bytes) => bytes.reduce((sum, byte) => sum * 256 + byte, 0);

// ---- RFC 6962.
const leafHash = (data) => sha256(Uint8Array.of(0), data);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);
const half = (count) => { let split = 1; while (split * 2 < count) split *= 2; return split; };
function inclusionRoot(leaf, index, size, hashes) {
  const walk = (start, count, used) => {
    if (count === 1) return used === 0 ? leaf : null;
    if (used === 0) return null;
    const left = half(count), sibling = hashes[used - 1];
    const inner = index - start < left ? walk(start, left, used - 1) : walk(start + left, count - left, used - 1);
    return inner && (index - start < left ? nodeHash(inner, sibling) : nodeHash(sibling, inner));
  };
  return index < size ? walk(0, size, hashes.length) : null;
}
function consistent(oldSize, oldRoot, newSize, newRoot, hashes) {
  if (oldSize > newSize) return false;
  if (oldSize === 0) return hashes.length === 0 && same(oldRoot, sha256());
  if (oldSize === newSize) return hashes.length === 0 && same(oldRoot, newRoot);
  // PROOF of RFC 6962 section 2.1.2, read from its end: [root of the old part, root of the new one].
  const walk = (old, count, complete, used) => {
    if (old === count) {
      if (complete) return used === 0 ? [oldRoot, oldRoot] : null;
      return used === 1 ? [hashes[0], hashes[0]] : null;
    }
    if (used === 0) return null;
    const left = half(count), hash = hashes[used - 1];
    if (old <= left) {
      const inner = walk(old, left, complete, used - 1);
      return inner && [inner[0], nodeHash(inner[1], hash)];
    }
    const inner = walk(old - left, count - left, false, used - 1);
    return inner && [nodeHash(hash, inner[0]), nodeHash(hash, inner[1])];
  };
  const roots = walk(oldSize, newSize, true, hashes.length);
  return roots !== null && same(roots[0], oldRoot) && same(roots[1], newRoot);
}

// ---- The seal: a digest over the digests of the pieces of everything before it.
async function checkSeal(blob) {
  const magic = "attestary/seal/v1 ", start = blob.size - magic.length - 64, piece = 1 << 20;
  const comment = start < 0 ? "" : await blob.slice(start).text();
  const stated = comment.startsWith(magic) ? unhex(comment.slice(magic.length), 32) : null;
  need(stated, 0, "the archive has no seal: it was packed anew or cut");
  const digests = new Uint8Array(32 * Math.ceil(start / piece));
  for (let at = 0; at < start; at += piece) {
    const bytes = await blob.slice(at, Math.min(at + piece, start)).arrayBuffer();
    digests.set(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), 32 * at / piece);
  }
  const computed = new Uint8Array(await crypto.subtle.digest("SHA-256", digests));
  need(same(computed, stated), 0, "the archive is not the one that was sealed: a byte was changed");
}

// ---- Zip: stored and deflated regular files, 64-bit sizes where they are needed.
async function unzip(blob) {
  const slice = async (start, end) => new DataView(await blob.slice(start, end).arrayBuffer());
  const tailStart = Math.max(0, blob.size - 65_557);
  const tail = await slice(tailStart, blob.size);
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
  need(end >= 0, 0, "this is not a zip archive");
  let count = tail.getUint16(end + 10, true), size = tail.getUint32(end + 12, true), start = tail.getUint32(end + 16, true);
  if (count === 0xffff || size === 0xffffffff || start === 0xffffffff) {
    need(end >= 20 && tail.getUint32(end - 20, true) === 0x07064b50, 0, "the archive's end is damaged");
    const place = Number(tail.getBigUint64(end - 12, true));
    const record = await slice(place, place + 56);
    need(record.byteLength === 56 && record.getUint32(0, true) === 0x06064b50, 0, "the archive's end is damaged");
    [count, size, start] = [32, 40, 48].map((at) => Number(record.getBigUint64(at, true)));
  }
  need(count <= 1_000_000 && size <= 512 << 20, 0, "the archive has too many files");
  const table = await slice(start, start + size);
  const files = new Map();
  for (let at = 0; at < table.byteLength;) {
    need(at + 46 <= table.byteLength && table.getUint32(at, true) === 0x02014b50, 0, "the archive's table is damaged");
    const [flags, method] = [table.getUint16(at + 8, true), table.getUint16(at + 10, true)];
    let packed = table.getUint32(at + 20, true), bytes = table.getUint32(at + 24, true), place = table.getUint32(at + 42, true);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => table.getUint16(at + offset, true));
    const mode = table.getUint32(at + 38, true) >>> 28;
    const name = text(new Uint8Array(table.buffer, table.byteOffset + at + 46, nameBytes));
    for (let extra = at + 46 + nameBytes, last = extra + extraBytes; extra + 4 <= last;) {
      const [id, length] = [table.getUint16(extra, true), table.getUint16(extra + 2, true)];
      if (id === 1) {
        let field = extra + 4;
        const wide = (value) => {
          if (value !== 0xffffffff) return value;
          field += 8;
          return Number(table.getBigUint64(field - 8, true));
        };
        bytes = wide(bytes); packed = wide(packed); place = wide(place);
      }
      extra += 4 + length;
    }
    need(!(flags & 1) && (method === 0 || method === 8) && (mode === 0 || mode === 8), 0, `${name} is not a plain file`);
    need(!files.has(name), 0, `${name} stands twice`);
    need(bytes <= 16_777_216 + packed * 400, 0, `${name} is compressed more than events can be`);
    files.set(name, { method, packed, bytes, place });
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  need(files.size === count, 0, "the archive's table is damaged");
  await checkSeal(blob);
  const open = async (name) => {
    const file = files.get(name);
    need(file, 0, `${name} is missing`);
    const head = await slice(file.place, file.place + 30);
    need(head.byteLength === 30 && head.getUint32(0, true) === 0x04034b50, 0, `${name} is damaged`);
    const from = file.place + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    const packed = blob.slice(from, from + file.packed).stream();
    return file.method === 8 ? packed.pipeThrough(new DecompressionStream("deflate-raw")) : packed;
  };
  return { files, open };
}
/** Gives every piece of a file to `take`, and returns the whole when nobody takes. */
async function readAll(archive, name, take) {
  const limit = archive.files.get(name)?.bytes ?? 0, parts = [];
  const reader = (await archive.open(name)).getReader();
  let seen = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      seen += value.length;
      need(seen <= limit, 0, `${name} is longer than the archive states`);
      if (take) await take(value); else parts.push(value);
    }
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(0, `${name} cannot be read: ${error.message}`);
  }
  need(seen === limit, 0, `${name} is shorter than the archive states`);
  const whole = new Uint8Array(take ? 0 : seen);
  parts.reduce((at, part) => { whole.set(part, at); return at + part.length; }, 0);
  return whole;
}

// ---- Notes, keys, trust files.
function parseKey(vkey) {
  const [name, id, ...rest] = vkey.split("+");
  const key = unbase64(rest.join("+"), 33);
  need(key && name && (key[0] === 1 || key[0] === 4), 1, "a key of the trust file is malformed");
  const computed = sha256(utf8.encode(name), Uint8Array.of(10), key).slice(0, 4);
  need(hex(computed) === id?.toLowerCase(), 1, "the id of a key does not belong to it");
  return { name, id: hex(computed), kind: key[0], bytes: key.slice(1) };
}
function parseNote(bytes, step, what) {
  let note;
  try { note = text(bytes); } catch { throw new Refused(step, `${what} is not UTF-8`); }
  const blank = note.lastIndexOf("\n\n");
  need(blank > 0 && note.length <= 262_144 && !/[\u0000-\u0009\u000b-\u001f]/.test(note), step, `${what} is malformed`);
  const lines = note.slice(blank + 2).split("\n");
  need(lines.pop() === "" && lines.length > 0 && lines.length <= 64, step, `${what} is not signed`);
  const signatures = lines.map((line) => {
    const match = /^\u2014 ([^\s+]+) (\S+)$/u.exec(line);
    const blob = match && unbase64(match[2]);
    need(blob && blob.length > 4, step, `a signature of ${what} is malformed`);
    return { name: match[1], id: hex(blob.slice(0, 4)), bytes: blob.slice(4) };
  });
  return { text: note.slice(0, blank + 1), signatures };
}
function parseCheckpoint(note, step, what) {
  const lines = note.split("\n");
  const size = decimal(lines[1] ?? ""), root = unbase64(lines[2] ?? "", 32);
  need(lines.pop() === "" && lines.length >= 3 && lines[0] && size !== null && root, step, `${what} is no checkpoint`);
  return { origin: lines[0], size, root };
}
async function ed25519(key, message, signature) {
  if (signature.length !== 64) return false;
  try {
    const imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
  } catch (error) {
    throw new Error(`this browser cannot check Ed25519 signatures: ${error.message}`);
  }
}
/** Returns the positions of the keys that signed, with times; a bad signature by one of them refuses the note. */
async function verifyNote(note, keys, step, what) {
  const good = [];
  for (const signature of note.signatures) {
    const at = keys.findIndex((key) => key.name === signature.name && key.id === signature.id);
    if (at < 0) continue;
    const cosigned = keys[at].kind === 4;
    const time = cosigned ? number(signature.bytes.slice(0, 8)) : null;
    const message = cosigned ? `cosignature/v1\ntime ${time}\n${note.text}` : note.text;
    const holds = await ed25519(keys[at].bytes, utf8.encode(message), signature.bytes.slice(cosigned ? 8 : 0));
    need(holds, step, `the signature of ${what} by ${signature.name} does not hold`);
    good.push({ at, time });
  }
  return good;
}
function parseTrust(file) {
  const trust = { logs: [], witnesses: [], groups: new Map(), quorum: null, keys: [], version: false };
  const bad = (line) => new Refused(1, `line ${line} of the trust file is malformed`);
  file.split("\n").forEach((raw, index) => {
    const words = raw.trim().split(/\s+/);
    const [first, ...rest] = words;
    if (first === "" || (first.startsWith("#") && first !== "#attestary")) return;
    if (first === "#attestary") {
      if (!trust.version) {
        if (rest.join(" ") !== "trust v1") throw bad(index + 1);
        trust.version = true;
        return;
      }
      const [word, ...values] = rest;
      if (word === "tenant" && values.length === 2 && !trust.origin && decimal(values[1]) !== null) {
        [trust.origin, trust.slot] = [values[0], decimal(values[1])];
      } else if (word === "anchor" && values.length === 1 && !trust.anchor) {
        [trust.anchor] = values;
      } else if (word === "age" && values.length === 1 && trust.age === undefined && decimal(values[0]) !== null) {
        trust.age = decimal(values[0]);
      } else if (word === "key" && values.length === 3 && decimal(values[1]) !== null && decimal(values[2]) !== null) {
        trust.keys.push({ vkey: values[0], epoch: decimal(values[1]), first: decimal(values[2]) });
      } else {
        throw bad(index + 1);
      }
    } else if (first === "log" && rest.length >= 1 && rest.length <= 2) {
      trust.logs.push({ ...parseKey(rest[0]), vkey: rest[0] });
    } else if (first === "witness" && rest.length >= 2 && rest.length <= 3 && !trust.groups.has(rest[0])) {
      const key = parseKey(rest[1]);
      if (key.kind !== 4) throw bad(index + 1);
      trust.groups.set(rest[0], { witness: trust.witnesses.push(key) - 1 });
    } else if (first === "group" && rest.length >= 3 && !trust.groups.has(rest[0])) {
      const members = rest.slice(2).map((name) => trust.groups.get(name));
      const threshold = rest[1] === "all" ? members.length : rest[1] === "any" ? 1 : decimal(rest[1]);
      if (members.includes(undefined) || !threshold || threshold > members.length) throw bad(index + 1);
      trust.groups.set(rest[0], { threshold, members });
    } else if (first === "quorum" && rest.length === 1 && trust.quorum === null) {
      trust.quorum = rest[0] === "none" ? "none" : trust.groups.get(rest[0]) ?? null;
      if (trust.quorum === null) throw bad(index + 1);
    } else {
      throw bad(index + 1);
    }
  });
  need(trust.version && trust.origin && trust.quorum !== null, 1, "the trust file lacks its version, tenant or quorum");
  const publicKeys = [...trust.logs, ...trust.witnesses].map((key) => hex(key.bytes));
  need(new Set(publicKeys).size === publicKeys.length, 1, "a key stands twice in the trust file");
  need(trust.age === undefined || trust.anchor, 1, "an age needs an anchor");
  for (const key of trust.keys) need(trust.logs.some((log) => log.vkey === key.vkey), 1, "a key epoch of an unknown key");
  for (const origin of [trust.origin, trust.anchor].filter(Boolean)) {
    const named = trust.logs.filter((log) => log.name === origin && log.kind === 1);
    need(named.length > 0, 1, `the trust file has no key of ${origin}`);
    const epochs = named.flatMap((log) => trust.keys.filter((key) => key.vkey === log.vkey));
    need(named.length === 1 || epochs.length === named.length, 1, `each of several keys of ${origin} needs an epoch`);
    epochs.sort((a, b) => a.epoch - b.epoch);
    need(epochs.every((key, at) => at === 0 || (key.epoch > epochs[at - 1].epoch && key.first > epochs[at - 1].first)),
      1, `the key epochs of ${origin} do not rise`);
  }
  return trust;
}
function quorum(trust, cosigned) {
  const holds = (member) => member.witness !== undefined
    ? cosigned.has(member.witness) : member.members.filter(holds).length >= member.threshold;
  return trust.quorum === "none" || holds(trust.quorum);
}
/** Accepts a checkpoint of one trusted log; the quorum when it is asked for. */
async function accept(note, trust, origin, withQuorum, step, what) {
  const checkpoint = parseCheckpoint(note.text, step, what);
  need(checkpoint.origin === origin, step === 2 ? 1 : step, `${what} is of the log ${checkpoint.origin}`);
  const named = trust.logs.filter((log) => log.name === origin);
  const epochs = trust.keys.filter((key) => named.some((log) => log.vkey === key.vkey) && key.first <= checkpoint.size);
  const anyEpochs = trust.keys.some((key) => named.some((log) => log.vkey === key.vkey));
  const begun = epochs.sort((a, b) => b.first - a.first)[0];
  need(!anyEpochs || begun, 12, `no trusted key is valid for ${what}`);
  const valid = begun ? named.filter((log) => log.vkey === begun.vkey) : named.slice(0, 1);
  const keys = [...valid, ...trust.witnesses];
  const good = await verifyNote(note, keys, step, what);
  if (!good.some((signature) => signature.at < valid.length)) {
    const other = await verifyNote(note, named, step, what);
    throw new Refused(other.length ? 12 : step, other.length
      ? `${what} is signed by a key that was not valid for this size` : `no trusted key signed ${what}`);
  }
  const cosignatures = good.filter((signature) => signature.at >= valid.length);
  const cosigned = new Set(cosignatures.map((signature) => signature.at - valid.length));
  need(!withQuorum || quorum(trust, cosigned), 8, `the quorum of witnesses is missing from ${what}`);
  return { ...checkpoint, valid, times: cosignatures.map((signature) => signature.time) };
}

// ---- JSON with its tokens: numbers stay as they are written, names stand once.
function flatten(json) {
  const fields = [];
  let at = 0;
  const fail = (why) => { throw new Error(why); };
  const space = () => { while (" \t\n\r".includes(json[at]) && at < json.length) at++; };
  const string = () => {
    const start = at++;
    while (json[at] !== "\"") { if (at >= json.length) fail("a string has no end"); at += json[at] === "\\" ? 2 : 1; }
    const value = JSON.parse(json.slice(start, ++at));
    if (!value.isWellFormed()) fail("a lone surrogate");
    return value;
  };
  const escaped = (name) => name.replaceAll("~", "~0").replaceAll("/", "~1");
  const value = (pointer, depth) => {
    if (depth > 64) fail("it is nested too deeply");
    space();
    if (json[at] === "{" || json[at] === "[") {
      const object = json[at++] === "{", names = new Set();
      for (let index = 0; ; index++) {
        space();
        if (json[at] === (object ? "}" : "]")) {
          at++;
          if (index === 0) fields.push([pointer, object ? "o" : "a", ""]);
          return;
        }
        if (index > 0) { if (json[at++] !== ",") fail("a comma is missing"); space(); }
        if (!object) { value(`${pointer}/${index}`, depth + 1); continue; }
        if (json[at] !== "\"") fail("a name is missing");
        const name = string();
        if (names.has(name)) fail("a name stands twice");
        names.add(name);
        space();
        if (json[at++] !== ":") fail("a colon is missing");
        value(`${pointer}/${escaped(name)}`, depth + 1);
      }
    }
    if (json[at] === "\"") { fields.push([pointer, "s", string()]); return; }
    const token = /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/.exec(json.slice(at, at + 400));
    if (!token) fail("a value is missing");
    at += token[0].length;
    const words = { true: "t", false: "f", null: "z" };
    fields.push(words[token[0]] ? [pointer, words[token[0]], ""] : [pointer, "n", token[0]]);
  };
  value("", 0);
  space();
  if (at !== json.length) fail("something follows the value");
  const sorted = fields.map(([pointer, type, token]) => ({ pointer, key: utf8.encode(pointer), type, value: token }));
  return sorted.sort((a, b) => compare(a.key, b.key));
}
function compare(a, b) {
  for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] !== b[at]) return a[at] - b[at];
  return a.length - b.length;
}
/** Returns members of an object as their source text. */
function members(json) {
  const found = new Map();
  let at = 1, depth = 0, quoted = false, start = 1;
  const member = (end) => {
    const match = /^\s*("(?:[^"\\]|\\.)*")\s*:\s*/.exec(json.slice(start, end));
    if (!match || found.has(JSON.parse(match[1]))) throw new Error("a member is malformed");
    found.set(JSON.parse(match[1]), json.slice(start + match[0].length, end));
  };
  if (json[0] !== "{" || json.at(-1) !== "}") throw new Error("it is not an object");
  for (; at < json.length - 1; at++) {
    const character = json[at];
    if (quoted) { if (character === "\\") at++; else if (character === "\"") quoted = false; continue; }
    if (character === "\"") quoted = true;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    else if (character === "," && depth === 0) { member(at); start = at + 1; }
  }
  member(json.length - 1);
  return found;
}

// ---- One line of events.ndjson.
const AEF1 = utf8.encode("AEF1");
const fieldHash = (salt, pointer, type, value) => {
  const [name, size] = [pointer.length, value.length];
  return sha256(AEF1, salt, Uint8Array.of(name >>> 8, name), pointer,
    Uint8Array.of(type.charCodeAt(0), size >>> 24, size >>> 16, size >>> 8, size), value);
};
function checkLine(line) {
  let given, seq;
  try {
    given = members(line);
    seq = decimal(given.get("seq") ?? "");
  } catch (error) {
    throw new Refused(4, `a line is malformed: ${error.message}`);
  }
  const known = new Set(["seq", "entry", "payload", "seed", "fields"]);
  need(seq !== null && [...given.keys()].every((name) => known.has(name)), 4, "a line has a member that is not known");
  const entry = unbase64(JSON.parse(given.get("entry") ?? "\"\""), 88);
  need(entry && text(entry.slice(0, 4)) === "AEV1" && (entry[54] << 8 | entry[55]) <= 1, 4, `seq ${seq} has no entry`);
  need(number(entry.slice(20, 28)) === seq, 4, `seq ${seq}: its entry has another seq`);
  const count = entry[52] << 8 | entry[53], service = (entry[55] & 1) === 1;
  const event = {
    seq, service, entry, origin: entry.slice(4, 20), received: number(entry.slice(28, 36)), leaf: leafHash(entry),
    missing: null, said: new Map(),
  };
  const payload = given.get("payload"), hashes = [];
  try {
    if (payload !== undefined && given.has("seed") && !given.has("fields")) {
      const seed = unhex(JSON.parse(given.get("seed")), 16);
      need(seed, 5, `seq ${seq}: the seed is malformed`);
      let pair = null;
      flatten(payload).forEach((field, index) => {
        if (index % 2 === 0) pair = sha256(utf8.encode("AES1"), seed, big(index / 2, 4));
        const salt = pair.slice(16 * (index % 2), 16 * (index % 2) + 16);
        hashes.push(fieldHash(salt, field.key, field.type, utf8.encode(field.value)));
        if (service) event.said.set(field.pointer, field.value);
      });
    } else if (payload === undefined && !given.has("seed") && given.has("fields")) {
      let last = null;
      event.missing = [];
      for (const field of JSON.parse(given.get("fields"))) {
        const names = Object.keys(field).sort().join();
        if (names === "hash") {
          event.missing.push(hashes.length);
          hashes.push(unhex(field.hash, 32));
          need(hashes.at(-1), 5, `seq ${seq}: a hash is malformed`);
          continue;
        }
        const pointer = utf8.encode(field.pointer), salt = unhex(field.salt ?? "", 16);
        const typed = /^[sn]$/.test(field.type) || (/^[tfzoa]$/.test(field.type) && field.value === "");
        need(names === "pointer,salt,type,value" && salt && typed, 5, `seq ${seq}: a field is malformed`);
        need(last === null || compare(last, pointer) < 0, 5, `seq ${seq}: the fields are not in order`);
        last = pointer;
        hashes.push(fieldHash(salt, pointer, field.type, utf8.encode(field.value)));
        if (service) event.said.set(field.pointer, field.value);
      }
      if (event.missing.length === 0) event.missing = null;
    } else {
      need(payload === undefined && !given.has("seed"), 5, `seq ${seq}: the line is neither whole nor redacted`);
      event.missing = "payload";
      return event;
    }
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(5, `seq ${seq}: ${error.message}`);
  }
  need(hashes.length === count, 5, `seq ${seq}: another number of fields than the entry commits to`);
  need(same(sha256(utf8.encode("AER1"), big(count, 2), ...hashes), entry.slice(56)), 5,
    `seq ${seq}: the fields are not those that the entry commits to`);
  return event;
}

// ---- A log that began anew after a restore: the entries that it goes on from, under the older log's name.
function pastOf(said) {
  const past = [];
  for (let at = 0; at < 64 && said.get("/action") === "attestary.genesis"; at++) {
    const member = (name) => said.get(`/metadata/previous/${at}/${name}`) ?? "";
    const size = decimal(member("size")), root = unhex(member("root"), 32), genesis = unhex(member("genesis"), 32);
    if (!member("origin") || size === null || !root || !genesis) break;
    const origin = member("origin");
    past.push({ origin, size, root, id: sha256(utf8.encode(origin)).slice(0, 16), peaks: [[1, genesis]], count: 1, broken: false });
  }
  return past;
}
function addToPast(older, event) {
  older.broken ||= event.seq !== older.count;
  if (older.broken) return;
  const entry = event.entry.slice();
  entry.set(older.id, 4);
  let node = [1, leafHash(entry)];
  while (older.peaks.length && older.peaks.at(-1)[0] === node[0]) {
    node = [2 * node[0], nodeHash(older.peaks.pop()[1], node[1])];
  }
  older.peaks.push(node);
  older.count++;
}

// ---- Tiles.
function tilePath(level, index, size) {
  const nodes = Math.floor(size / 256 ** level), width = Math.min(256, nodes - 256 * index);
  let path = String(index % 1000).padStart(3, "0");
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
  }
  return { path: `tile/${level}/${path}${width < 256 ? `.p/${width}` : ""}`, width };
}
function checkTiles(tiles, size, root, touched) {
  const needed = new Set();
  let indexes = new Set(touched);
  const bytes = (level, index) => {
    const { path, width } = tilePath(level, index, size), tile = tiles.get(path);
    need(tile, 3, `${path} is missing`);
    need(tile.length === 32 * width, 3, `${path} has another length`);
    return { path, width, tile };
  };
  const fold = (hashes) => {
    while (hashes.length > 1) hashes = hashes.flatMap((hash, at) => at % 2 ? [] : [nodeHash(hash, hashes[at + 1])]);
    return hashes[0];
  };
  const split = (tile, from, count) => Array.from({ length: count }, (_, at) => tile.slice(32 * (from + at), 32 * (from + at + 1)));
  const peaks = [];
  for (let level = 0; Math.floor(size / 256 ** level) > 0; level++) {
    const nodes = Math.floor(size / 256 ** level), above = new Set();
    if (nodes % 256) indexes.add(Math.floor(nodes / 256));
    for (const index of indexes) {
      const { path, width, tile } = bytes(level, index);
      needed.add(path);
      if (width < 256) continue;
      above.add(Math.floor(index / 256));
      const parent = bytes(level + 1, Math.floor(index / 256));
      need(same(fold(split(tile, 0, 256)), parent.tile.slice(32 * (index % 256), 32 * (index % 256) + 32)), 3,
        `${path} is not what ${parent.path} says`);
    }
    // The perfect subtrees at this level's edge, smallest first.
    if (nodes % 256) {
      const { width, tile } = bytes(level, Math.floor(nodes / 256));
      let end = width;
      for (let count = 1; count < 256; count *= 2) {
        if (width & count) { peaks.push(fold(split(tile, end - count, count))); end -= count; }
      }
    }
    indexes = above;
  }
  const computed = peaks.reduce((right, left) => right ? nodeHash(left, right) : left, null) ?? sha256();
  need(same(computed, root), 3, "the tiles lead to another root than the checkpoint's");
  for (const path of tiles.keys()) {
    need(needed.has(path) || path.startsWith("tile/entries/"), 3, `${path} belongs to nothing in the bundle`);
  }
  return needed.size;
}

// ---- Removal lists, growth files, slot proofs.
function parseRemovals(bytes) {
  const lines = text(bytes).split("\n");
  need(lines.shift() === "attestary/removal/v1" && lines.pop() === "", 6, "a removal list is malformed");
  const list = { origin: lines.shift(), ranges: [], fields: new Map(), events: 0 };
  let last = -1;
  for (const line of lines) {
    const range = /^([0-9]+)-([0-9]+)$/.exec(line), fields = /^([0-9]+) ([0-9]+(?:,[0-9]+)*)$/.exec(line);
    need(range || fields, 6, "a removal list is malformed");
    const first = decimal((range ?? fields)[1]), end = range ? decimal(range[2]) : first;
    need(first !== null && end !== null && first > last && end >= first, 6, "a removal list is out of order");
    if (range) list.ranges.push([first, end]); else list.fields.set(first, new Set(fields[2].split(",").map(Number)));
    list.events += end - first + 1;
    last = end;
  }
  return list;
}
function hashLines(rest, step) {
  const end = rest.indexOf("\n\n"), head = rest.startsWith("\n") ? "" : rest.slice(0, end);
  need(end >= 0 || rest.startsWith("\n"), step, "a proof ends early");
  const hashes = head === "" ? [] : head.split("\n").map((line) => unbase64(line, 32));
  need(hashes.length <= 65 && !hashes.includes(null), step, "a hash of a proof is malformed");
  return [hashes, rest.startsWith("\n") ? rest.slice(1) : rest.slice(end + 2)];
}
function parseGrowth(bytes, checkpoint, step, what) {
  const match = /^attestary\/growth@v1\nto ([0-9]+)\n/.exec(text(bytes));
  need(match && decimal(match[1]) === checkpoint.size, step, `${what} is no growth file to this size`);
  const [hashes, rest] = hashLines(text(bytes).slice(match[0].length), step);
  const note = rest.includes("\n\n") ? parseNote(utf8.encode(rest), step, what) : null;
  const older = { ...parseCheckpoint(note?.text ?? rest, step, what), note, text: note?.text ?? rest };
  need(older.origin === checkpoint.origin, step, `${what} is of another log`);
  need(consistent(older.size, older.root, checkpoint.size, checkpoint.root, hashes), step,
    `${what}: size ${older.size} is not consistent with size ${checkpoint.size}`);
  return older;
}
async function checkAnchor(bytes, head, trust) {
  const lines = /^attestary\/slot-proof@v1\nepoch ([0-9]+)\nslot ([0-9]+)\nslots ([0-9]+)\n/.exec(text(bytes));
  need(lines, 8, "the slot proof is malformed");
  const [epoch, slot, slots] = lines.slice(1).map(decimal);
  const [hashes, rest] = hashLines(text(bytes).slice(lines[0].length), 8);
  const proof = /^c2sp\.org\/tlog-proof@v1\nextra (\S+)\nindex ([0-9]+)\n/.exec(rest);
  need(proof, 8, "the proof of the epoch record is malformed");
  const [recordHashes, noteText] = hashLines(rest.slice(proof[0].length), 8);
  const record = text(unbase64(proof[1]) ?? new Uint8Array());
  const facts = /^attestary\/epoch\/v1\n([0-9]+)\n([0-9]+)\n([0-9]+)\n(\S+)\n$/.exec(record);
  const root = facts && unbase64(facts[4], 32);
  need(root && decimal(facts[1]) === epoch && decimal(facts[3]) === slots && decimal(proof[2]) === epoch, 8,
    "the epoch record is of another epoch");
  need(slot === trust.slot, 8, `the proof is for slot ${slot}; the trust file names ${trust.slot}`);
  const leaf = leafHash(new Uint8Array([...utf8.encode("AEH1"), ...big(slot, 8), ...sha256(utf8.encode(head.text))]));
  const epochRoot = inclusionRoot(leaf, slot, slots, hashes);
  need(epochRoot && same(epochRoot, root), 8, "the head did not stand at the slot");
  const note = parseNote(utf8.encode(noteText), 8, "the anchor checkpoint");
  const anchor = await accept(note, trust, trust.anchor, true, 8, "the anchor checkpoint");
  const anchorRoot = inclusionRoot(leafHash(utf8.encode(record)), epoch, anchor.size, recordHashes);
  need(anchorRoot && same(anchorRoot, anchor.root), 8, "the epoch record is not in the anchor log");
  const milliseconds = decimal(facts[2]), seconds = Math.floor(milliseconds / 1000);
  for (const time of anchor.times) {
    const late = anchor.size === epoch + 1 && time > seconds + 3_600;
    need(time + 300 >= seconds && !late, 9, "a cosignature is dated outside the time of its epoch");
  }
  return { epoch, slots, milliseconds, size: head.size };
}

/** Checks a time-stamp's text, imprint and proofs; the authority's signature is for whoever holds its certificate. */
async function checkStamp(small, checkpoint, trust) {
  const [reply, covered, proof, head] = ["reply", "text", "slot-proof", "head"].map((name) => small.get(`stamp/${name}`));
  if (!reply && !covered && !proof && !head) return "";
  need(reply && covered && proof && head, 9, "a time-stamp has four files, and some of them are missing");
  if (!trust.anchor) return "; the trust file names no anchor log, so the time-stamp was not looked at";
  let anchored;
  try {
    anchored = await checkAnchor(proof, parseGrowth(head, checkpoint, 9, "stamp/head"), trust);
  } catch (error) {
    throw error instanceof Refused ? new Refused(9, `time-stamp: ${error.message}`) : error;
  }
  need(text(proof).includes(`\n\n${text(covered)}\n`), 9, "the time-stamp's text is not that of its checkpoint");
  need(hex(reply).includes(hex(sha256(covered))), 9, "the time-stamp is of another text");
  return `; a time-stamp covers the first ${anchored.size} events (its signature: openssl ts)`;
}

// ---- All of it.
async function verify(bundle, trustText, now, progress) {
  const lines = STEPS.map((name) => ({ name, outcome: "-", detail: "" }));
  const say = (step, outcome, detail) => {
    const line = lines[step];
    const rank = ["-", "ok", "??", "FAIL"];
    if (rank.indexOf(outcome) < rank.indexOf(line.outcome)) return;
    line.detail = line.outcome === outcome && line.detail ? `${line.detail}; ${detail}` : detail;
    line.outcome = outcome;
  };
  try {
    await selfTest();
    let trust;
    try {
      trust = parseTrust(trustText);
    } catch (error) {
      say(1, "??", error.message);
      return { lines, exit: 2 };
    }
    await steps(bundle, trust, now, say, progress);
  } catch (error) {
    if (error instanceof Refused) say(error.step, "FAIL", error.message); else say(0, "??", error.message);
  }
  const exit = lines.some((line) => line.outcome === "FAIL") ? 1 : lines.some((line) => line.outcome === "??") ? 2 : 0;
  return { lines, exit };
}
async function steps(bundle, trust, now, say, progress) {
  const archive = await unzip(bundle);
  const manifestBytes = await readAll(archive, "manifest.json");
  let manifest;
  try { manifest = JSON.parse(text(manifestBytes)); } catch { throw new Refused(0, "the manifest is malformed"); }
  need(manifest.manifest === "attestary/bundle/v1" && Array.isArray(manifest.files), 0, "the manifest is another one");
  const small = new Map(), listed = new Map(manifest.files.map((file) => [file.path, file]));
  const known = /^(checkpoint|events\.ndjson|slot-proof|head|stamp\/(reply|text|slot-proof|head)|README\.txt|report\.html|schema\.json|custody\.json|load\.csv|prev\/(0|[1-9][0-9]*)|removals\/[0-9a-f]{64}|tile\/[0-7]\/[x0-9/]+(\.p\/[0-9]+)?|tile\/entries\/[x0-9/]+(\.p\/[0-9]+)?)$/;
  for (const name of archive.files.keys()) {
    need(name === "manifest.json" || name === "manifest.sig" || (known.test(name) && listed.has(name)), 0, `${name} is no part of the bundle`);
  }
  for (const [path, file] of listed) {
    need(archive.files.get(path)?.bytes === file.bytes, 0, `${path} is missing or has another size`);
    if (path === "events.ndjson") continue;
    const bytes = await readAll(archive, path);
    need(hex(sha256(bytes)) === file.sha256, 0, `${path} does not have the digest that the manifest states`);
    need(!path.startsWith("removals/") || path === `removals/${file.sha256}`, 0, `${path} is not what its name says`);
    if (!/\.(txt|html|json|csv)$/.test(path)) small.set(path, bytes);
  }
  need(small.has("checkpoint") && listed.has("events.ndjson"), 0, "a bundle has a checkpoint and events");

  const note = parseNote(small.get("checkpoint"), 2, "the checkpoint");
  const checkpoint = await accept(note, trust, trust.origin, !trust.anchor, 2, "the checkpoint");
  const signature = parseNote(await readAll(archive, "manifest.sig"), 2, "the manifest's signature");
  need(signature.text === `attestary/bundle/v1\n${trust.origin}\n${hex(sha256(manifestBytes))}\n`, 2, "the manifest is not the one that was signed");
  need((await verifyNote(signature, checkpoint.valid, 2, "the manifest")).length > 0, 2, "no trusted key signed the manifest");
  say(1, "ok", `${trust.origin}, slot ${trust.slot}`);
  say(2, "ok", `checkpoint of ${checkpoint.size} events, manifest`);
  say(12, "ok", "signed by the key that is valid for this size");

  let anchored = null;
  if (!trust.anchor) {
    say(8, "ok", "the trust file demands no anchor log");
  } else {
    need(small.has("slot-proof"), 8, "the trust file demands an anchor; there is no slot proof");
    const head = small.has("head") ? parseGrowth(small.get("head"), checkpoint, 8, "head") : { ...checkpoint, text: note.text };
    anchored = await checkAnchor(small.get("slot-proof"), head, trust);
    say(8, "ok", `size ${anchored.size} stood at slot ${trust.slot} in epoch ${anchored.epoch}`);
  }

  const seen = { count: 0, first: null, last: null, gap: null, received: 0, action: "", touched: new Set(), missing: [], covers: [], beforeHead: 0, past: [] };
  const tiles = new Map([...small].filter(([name]) => name.startsWith("tile/")));
  const originId = sha256(utf8.encode(trust.origin)).slice(0, 16);
  const take = (line) => {
    const event = checkLine(line);
    need(same(event.origin, originId), 4, `seq ${event.seq} is an entry of another log`);
    need(event.seq < checkpoint.size, 4, `seq ${event.seq} is beyond the checkpoint`);
    need(seen.last === null || event.seq > seen.last, 4, `seq ${event.seq} comes after seq ${seen.last}`);
    if (seen.last !== null && event.seq !== seen.last + 1) seen.gap ??= seen.last + 1;
    need(event.received >= seen.received || seen.action === "attestary.clock.stepped", 4, `seq ${event.seq} was received before the event ahead of it`);
    const index = Math.floor(event.seq / 256), tile = tiles.get(tilePath(0, index, checkpoint.size).path);
    need(tile, 3, `the tile of seq ${event.seq} is missing`);
    need(same(tile.slice(32 * (event.seq % 256), 32 * (event.seq % 256) + 32), event.leaf), 4, `seq ${event.seq} is not the leaf that stands in the tree`);
    seen.touched.add(index);
    if (event.seq === 0) seen.past = event.service ? pastOf(event.said) : [];
    else for (const older of seen.past) if (event.seq < older.size) addToPast(older, event);
    if (event.missing) seen.missing.push([event.seq, event.missing]);
    seen.action = event.service ? event.said.get("/action") ?? "" : "";
    if (event.service && event.said.has("/metadata/list_sha256")) seen.covers.push([event.seq, event.said]);
    if (anchored && event.seq < anchored.size) seen.beforeHead = event.received;
    seen.received = event.received;
    seen.first ??= event.seq;
    seen.last = event.seq;
    seen.count++;
  };
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  // The browser digests whole buffers only, so the pieces are kept.
  const parts = [];
  let carried = "", done = 0;
  await readAll(archive, "events.ndjson", async (piece) => {
    parts.push(piece);
    const pieces = (carried + decoder.decode(piece, { stream: true })).split("\n");
    carried = pieces.pop();
    pieces.forEach(take);
    done += piece.length;
    progress(done, listed.get("events.ndjson").bytes);
    await new Promise((resolve) => setTimeout(resolve));
  });
  need(carried === "", 0, "the last line of the events has no end");
  const whole = new Uint8Array(await new Blob(parts).arrayBuffer());
  need(hex(new Uint8Array(await crypto.subtle.digest("SHA-256", whole))) === listed.get("events.ndjson").sha256, 0, "the events are not those of the manifest");
  say(0, "ok", `${listed.size} files`);
  say(5, "ok", "every payload is what its entry commits to");

  say(3, "ok", `root of ${checkpoint.size} events, ${checkTiles(tiles, checkpoint.size, checkpoint.root, seen.touched)} tiles`);
  for (const [path, bytes] of tiles) {
    if (!path.startsWith("tile/entries/")) continue;
    const leaves = tiles.get(path.replace("tile/entries/", "tile/0/"));
    need(leaves, 3, `${path} belongs to no tile of the bundle`);
    let at = 0, index = 0;
    for (; at < bytes.length; index++) {
      const length = bytes[at] << 8 | bytes[at + 1];
      need(same(leafHash(bytes.slice(at + 2, at + 2 + length)), leaves.slice(32 * index, 32 * index + 32)), 3, `${path} holds another entry than its tile`);
      at += 2 + length;
    }
    need(at === bytes.length && 32 * index === leaves.length, 3, `${path} has another length`);
  }

  const range = `${seen.count} events, seq ${seen.first} to ${seen.last}`, selection = manifest.selection ?? {};
  need(manifest.origin === trust.origin && manifest.size === checkpoint.size, 4, "the manifest is of another log or size");
  need(manifest.events === seen.count, 4, `${seen.count} events are there; the manifest states ${manifest.events}`);
  if (!selection.filter?.trim() && !selection.from && !selection.to) {
    need(seen.gap === null, 4, `seq ${seen.gap} is missing from a bundle of the whole log`);
    need(seen.first === 0 && seen.last === checkpoint.size - 1, 4, `${range}: not the whole log`);
    say(4, "ok", `${range}: the whole log`);
  } else {
    say(4, "ok", `${range}: a selection, which cannot show that it is complete`);
  }

  const covers = [];
  const actions = { "attestary.retention.applied": false, "attestary.erasure.applied": false, "attestary.export": true, "attestary.view": true };
  const lists = new Map([...small].filter(([name]) => name.startsWith("removals/")));
  let used = 0;
  for (const [seq, said] of seen.covers) {
    const bytes = lists.get(`removals/${said.get("/metadata/list_sha256")}`), withheld = actions[said.get("/action")];
    if (withheld === undefined || !bytes) continue;
    const list = parseRemovals(bytes);
    const formerly = seen.past.some((older) => older.origin === list.origin && seq < older.size);
    need(list.origin === trust.origin || formerly, 6, `the removal list of seq ${seq} is of another log`);
    need(String(list.events) === said.get("/metadata/events"), 6, `the removal list of seq ${seq} has another length`);
    used++;
    covers.push({ seq, withheld, list });
  }
  need(used >= lists.size, 6, "a removal list to which no service event commits");
  let withheldCount = 0;
  for (const [seq, missing] of seen.missing) {
    const later = covers.filter((cover) => cover.seq > seq);
    let by = later.filter((cover) => cover.list.ranges.some(([first, end]) => first <= seq && seq <= end)).slice(0, 1);
    if (by.length === 0 && missing !== "payload") {
      by = missing.map((index) => later.find((cover) => cover.list.fields.get(seq)?.has(index)));
    }
    need(by.length > 0 && !by.includes(undefined), 6, `seq ${seq} lacks what no service event of the log covers`);
    if (by.some((cover) => cover.withheld)) withheldCount++;
  }
  say(6, "ok", `${seen.missing.length} events lack something that is covered, ${withheldCount} of them withheld fields`);

  let older = 0;
  for (const [name, bytes] of small) {
    if (!name.startsWith("prev/")) continue;
    const grown = parseGrowth(bytes, checkpoint, 7, name);
    need(grown.note, 2, `${name} is not signed`);
    await accept(grown.note, trust, trust.origin, false, 2, name);
    need(name === `prev/${grown.size}`, 7, `${name} is the checkpoint of size ${grown.size}`);
    older++;
  }
  let restored = "";
  for (const former of seen.past) {
    const whole = !former.broken && former.count === former.size;
    need(!whole || same(former.peaks.map(([, hash]) => hash).reduceRight((right, left) => nodeHash(left, right)), former.root), 7,
      `the events are not the ${former.size} of ${former.origin} that the log goes on from`);
    restored += `; restored: goes on from ${former.origin} at ${former.size} events${whole ? "" : ", which a selection cannot show"}`;
  }
  say(7, "ok", `${older} older checkpoints in the bundle${restored}`);

  const stamped = await checkStamp(small, checkpoint, trust);
  const tail = (from) => checkpoint.size > from ? `${checkpoint.size - from} events, seq ${from} to ${checkpoint.size - 1}, are not anchored` : "every event of the checkpoint is anchored";
  if (!anchored) {
    say(9, "ok", `no epoch is looked at${stamped}`);
    say(10, "ok", "the trust file states no age");
    say(11, "ok", tail(0));
    return;
  }
  need(seen.beforeHead <= anchored.milliseconds + 300_000, 9, `epoch ${anchored.epoch} is older than an event of the head that it holds`);
  say(9, "ok", `epoch ${anchored.epoch} of ${anchored.slots} slots${stamped}`);
  const stale = trust.age !== undefined && now > anchored.milliseconds + 1000 * trust.age;
  say(10, stale ? "??" : "ok", stale ? "the newest anchor is older than the trust file allows: stale, possible truncation" : "the anchor is young enough");
  say(11, "ok", tail(anchored.size));
}

// ---- The page.
function show(result) {
  const words = ["holds", "tampered", "cannot be decided"];
  const verdict = document.getElementById("verdict");
  verdict.textContent = words[result.exit];
  verdict.dataset.exit = String(result.exit);
  const body = document.getElementById("steps");
  body.replaceChildren(...result.lines.map((line, index) => {
    const row = document.createElement("tr");
    row.dataset.outcome = line.outcome;
    for (const cell of [index, line.name, line.outcome, line.detail]) {
      const place = document.createElement("td");
      // Text only, and what would not be seen is shown.
      place.textContent = String(cell).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
        (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
      row.append(place);
    }
    return row;
  }));
}
document.getElementById("run").addEventListener("click", async () => {
  const [bundle] = document.getElementById("bundle").files, [trust] = document.getElementById("trust").files;
  const verdict = document.getElementById("verdict");
  delete verdict.dataset.exit;
  if (!bundle || !trust) { verdict.textContent = "choose a bundle and a trust file"; return; }
  verdict.textContent = "checking …";
  const bar = document.getElementById("bar");
  show(await verify(bundle, await trust.text(), Date.now(), (done, total) => { bar.max = total; bar.value = done; }));
});
