// The log's head: a checkpoint that a pinned key signed and that goes on from the last one this browser saw.

import { Refused, accept, consistent, parseCheckpoint, parseNote, parseTrust, unbase64, utf8, type LogKey, type Trust } from 'virtual:evidence';
import type { Client } from '../client.ts';
import { keep, recall, type Memory } from './memory.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Why a checkpoint is not accepted, with the step of the drawer at which it fails. */
export type TroubleKey = 'signature' | 'log' | 'newKey' | 'rollback' | 'fork' | 'malformed';
export class Trouble extends Error {
  constructor(
    readonly step: 4 | 5,
    readonly why: TroubleKey,
    detail = '',
  ) {
    super(detail);
  }
}

export type Head = {
  origin: string;
  size: number;
  root: Bytes;
  note: string;
  /** When this browser accepted it. */
  at: string;
  /** The witnesses that the trust file asks for have signed it too, or it asks for none. */
  anchored: boolean;
  witnesses: boolean;
  signer: LogKey;
};

export class Heads {
  private memory: Memory | null;
  private trust: Trust | null = null;
  private last: Head | null = null;
  /** A trust file of the server's that adds keys to those that are pinned. */
  offered = '';
  /** Local storage takes what is to be remembered. */
  remembers = true;

  /** `given`: a trust file that came with the page. */
  constructor(
    private readonly client: Client,
    private readonly tenant: string,
    private readonly place: string,
    private readonly given: string,
  ) {
    this.memory = recall(place);
  }

  get pinned(): Memory | null {
    return this.memory;
  }

  url(rest: string): string {
    return `/v1/tenants/${encodeURIComponent(this.tenant)}/${rest}`;
  }

  private text(rest: string, query = {}): Promise<string> {
    return this.client.fetch('GET', this.url(rest), { query }).then((response) => response.text());
  }

  private remember(memory: Memory): void {
    this.memory = memory;
    this.remembers = keep(this.place, memory);
  }

  /** The trust file in force: that of the page, else the pinned one, else the server's, which is pinned by that. */
  private async trusted(): Promise<Trust> {
    if (this.trust) return this.trust;
    const now = new Date().toISOString();
    const before = this.memory?.seen ? { seen: this.memory.seen } : {};
    if (this.given) this.remember({ trust: this.given, pinned: this.memory?.pinned ?? now, from: 'page', ...before });
    else if (!this.memory) this.remember({ trust: await this.text('trust'), pinned: now, from: 'server' });
    return (this.trust = read(() => parseTrust(this.memory!.trust)));
  }

  /** Asks for the newest checkpoint. */
  async fresh(): Promise<Head> {
    return this.take(await this.text('checkpoint'));
  }

  /**
   * Accepts a checkpoint or throws a `Trouble`. The head that comes back may be a newer one: answers overtake each other, also
   * those of other windows, so only an answer to a question asked after `before` was seen makes a rollback.
   */
  async take(note: string, before: Memory['seen'] = undefined): Promise<Head> {
    if (this.last?.note === note) return this.last;
    const trust = await this.trusted();
    const head = await this.signed(note, trust);
    const seen = before ?? recall(this.place)?.seen ?? this.memory?.seen;
    const old = seen ? unbase64(seen.root, 32) : null;
    if (seen && old) {
      if (head.size < seen.size && before) throw new Trouble(5, 'rollback', `${head.size} < ${seen.size}`);
      if (head.size < seen.size) return this.take(await this.text('checkpoint'), seen);
      await this.grown(seen.size, old, head);
    }
    const root = btoa(String.fromCharCode(...head.root));
    this.remember({ ...this.memory!, seen: { size: head.size, root, note, at: head.at } });
    return (this.last = head);
  }

  private async signed(note: string, trust: Trust): Promise<Head> {
    const parsed = read(() => parseNote(utf8.encode(note), 4, 'the checkpoint'));
    const { origin } = read(() => parseCheckpoint(parsed.text, 4, 'the checkpoint'));
    if (origin !== trust.origin) throw new Trouble(4, 'log', origin);
    const checkpoint = await accept(parsed, trust, origin, false, 4, 'the checkpoint').catch((error) => this.unknown(error, trust));
    const witnesses = trust.quorum !== 'none';
    const anchored = !witnesses || (await accept(parsed, trust, origin, true, 4, 'the checkpoint').then(() => true, () => false));
    return { origin, size: checkpoint.size, root: checkpoint.root, note, at: new Date().toISOString(), anchored, witnesses, signer: checkpoint.valid[0]! };
  }

  /** A signature that the pinned keys do not explain: the log may have a new key, which a person has to agree to. */
  private async unknown(error: unknown, trust: Trust): Promise<never> {
    if (!(error instanceof Refused)) throw error;
    const text = await this.text('trust').catch(() => '');
    try {
      const offered = parseTrust(text);
      const known = trust.keys.every((key) => offered.keys.some((other) => other.vkey === key.vkey && other.epoch === key.epoch && other.first === key.first));
      const more = offered.keys.length > trust.keys.length && trust.logs.every((log) => offered.logs.some((other) => other.vkey === log.vkey));
      if (offered.origin === trust.origin && known && more) this.offered = text;
    } catch {
      // Then nothing is offered.
    }
    throw new Trouble(4, this.offered ? 'newKey' : 'signature', error.message);
  }

  private async grown(size: number, root: Bytes, head: Head): Promise<void> {
    let hashes: (Bytes | null)[] = [];
    if (size < head.size) {
      const proof = await this.client.get<{ hashes: string[] }>(this.url('consistency'), { from: size, to: head.size });
      hashes = proof.hashes.map((hash) => unbase64(hash, 32));
    }
    if (hashes.includes(null) || !consistent(size, root, head.size, head.root, hashes as Bytes[])) throw new Trouble(5, 'fork', `${size} → ${head.size}`);
  }

  /** A person agrees to the keys that the server offers, or to another log in the place of the old one. */
  async agree(): Promise<void> {
    const trust = this.offered || (await this.text('trust'));
    const parsed = parseTrust(trust);
    const same = this.memory && parseTrust(this.memory.trust).origin === parsed.origin;
    this.remember({ trust, pinned: new Date().toISOString(), from: 'server', ...(same && this.memory?.seen ? { seen: this.memory.seen } : {}) });
    this.trust = parsed;
    this.last = null;
    this.offered = '';
  }
}

function read<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Trouble(4, 'malformed', (error as Error).message);
  }
}
