// Checks the events that are shown: computes each leaf anew, walks its path, and accepts the head that it leads to.
//
// One question at a time goes to the server, for the rows in sight only. A row keeps what was found about it; a head that is
// not accepted any more turns every row.

import { signal } from '@preact/signals';
import { same, selfTest, unbase64, unhex } from 'virtual:evidence';
import { Exact, Problem, parseJson, type Client, type Event } from '../client.ts';
import { Heads, Trouble, type Head, type TroubleKey } from './head.ts';
import { Mismatch, computeLeaf, originId, type Proved } from './leaf.ts';
import { Paths } from './path.ts';

/** Rows that one question is about. */
const ROWS = 200;
/** Rows whose leaves are computed before the page may paint again. */
const SLICE = 40;

export type Why = TroubleKey | 'path' | 'fields' | 'leafHash' | 'none' | 'numbers' | 'crypto' | 'offline';
export type Check = {
  state: 'verified' | 'sealed' | 'pending' | 'failed' | 'unchecked';
  /** The step that failed. */
  step?: 1 | 2 | 3 | 4 | 5;
  why?: Why;
  detail?: string;
  /** Fields that are hidden or erased; their hashes are included. */
  hidden?: number;
  /** The proof as it was checked, to be copied. */
  proof?: { proved: Proved; hashes: string[] };
};
type Page = { checkpoint: string; data: Proved[]; hashes: string[] };

export class Verifier {
  readonly checks = signal<ReadonlyMap<string, Check>>(new Map());
  readonly head = signal<Head | null>(null);
  readonly trouble = signal<Trouble | null>(null);
  readonly heads: Heads;
  private readonly found = new Map<string, Check>();
  /** Events whose check failed. */
  readonly failed = new Set<string>();
  private paths: Paths | null = null;
  private waiting: Event[] = [];
  private busy = false;
  private unable: Why | '' | null = null;

  constructor(client: Client, tenant: string, place: string, trust: string) {
    this.heads = new Heads(client, tenant, place, trust);
    this.client = client;
  }
  private readonly client: Client;

  /** Checks these rows next, those that were not checked yet. */
  check(events: Event[]): void {
    this.waiting = events.filter((event) => !this.settled(event));
    void this.work();
  }

  private put(id: string, check: Check): void {
    this.found.set(id, check);
    if (check.state === 'failed') this.failed.add(id);
    else this.failed.delete(id);
  }

  private forget(): void {
    this.found.clear();
    this.failed.clear();
  }

  private settled(event: Event): boolean {
    const known = this.found.get(event.id);
    return known !== undefined && known.state !== 'pending' && known.why !== 'offline';
  }

  /** Asks for a new head; what was pending or failed for the head's sake is checked again. */
  async again(events: Event[]): Promise<void> {
    for (const event of events) this.found.delete(event.id);
    this.trouble.value = null;
    this.waiting = events;
    await this.work();
  }

  async agree(events: Event[]): Promise<void> {
    await this.heads.agree();
    this.paths = null;
    this.head.value = null;
    this.forget();
    await this.again(events);
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.waiting.length > 0) {
        const batch = this.waiting.slice(0, ROWS);
        this.waiting = this.waiting.slice(ROWS);
        await this.batch(batch);
        this.checks.value = new Map(this.found);
      }
    } finally {
      this.busy = false;
    }
  }

  private async batch(events: Event[]): Promise<void> {
    const all = (check: Check): void => events.forEach((event) => this.put(event.id, check));
    this.unable ??= await able();
    if (this.unable) return all({ state: 'unchecked', why: this.unable });
    try {
      const ask = (): Promise<Page> => this.client.get<Page>(this.heads.url('proofs'), { seqs: ranges(events.map(({ seq }) => seq)) });
      let page = await ask();
      let head = await this.heads.take(page.checkpoint);
      // A newer head was accepted meanwhile: the proofs have to lead to it.
      for (let more = 0; head.note !== page.checkpoint && more < 3; more++) {
        page = await ask();
        head = await this.heads.take(page.checkpoint);
      }
      if (head.note !== page.checkpoint) return all({ state: 'pending' });
      if (!this.paths || this.head.value?.note !== head.note) this.paths = new Paths(head.size, head.root);
      this.head.value = head;
      this.trouble.value = null;
      await this.judge(events, page, head, this.paths);
    } catch (error) {
      if (error instanceof Trouble) {
        this.trouble.value = error;
        // What was found before led to a head that does not hold any more.
        this.forget();
        all({ state: error.why === 'newKey' ? 'unchecked' : 'failed', step: error.step, why: error.why, detail: error.message });
      } else if (error instanceof Problem) all({ state: 'unchecked', why: 'offline', detail: error.message });
      else throw error;
    }
  }

  private async judge(events: Event[], page: Page, head: Head, paths: Paths): Promise<void> {
    const proofs = new Map(page.data.map((proved) => [proved.seq, proved]));
    const hashes = page.hashes.map((hash) => unbase64(hash, 32));
    const origin = originId(head.origin);
    for (const [at, event] of events.entries()) {
      if (at % SLICE === SLICE - 1) await new Promise((resolve) => setTimeout(resolve));
      const proved = proofs.get(event.seq);
      const check = proved ? judgeOne(event, proved, hashes, origin, head, paths) : { state: event.seq >= head.size ? 'pending' : 'failed', step: 3, why: 'none' } as Check;
      if (proved) check.proof = { proved, hashes: proved.path.map((place) => page.hashes[place] ?? '') };
      this.put(event.id, check);
    }
  }
}

export function judgeOne(event: Event, proved: Proved, hashes: (Uint8Array<ArrayBuffer> | null)[], origin: Uint8Array<ArrayBuffer>, head: { anchored: boolean }, paths: Paths): Check {
  try {
    const leaf = computeLeaf(event, proved, origin);
    const path = proved.path.map((place) => hashes[place]);
    if (!paths.leads(leaf.hash, event.seq, path)) return { state: 'failed', step: 3, why: 'path' };
    // Nothing depends on this value, but it is shown, and it is false.
    const shown = unhex(event.leaf_hash, 32);
    if (!shown || !same(shown, leaf.hash)) return { state: 'failed', step: 2, why: 'leafHash' };
    return { state: head.anchored ? 'verified' : 'sealed', hidden: leaf.hidden };
  } catch (error) {
    if (error instanceof Mismatch) return { state: 'failed', step: 1, why: 'fields', detail: error.message };
    throw error;
  }
}

/** Empty when this browser can check; why it cannot otherwise. */
async function able(): Promise<Why | ''> {
  if (!(parseJson('1.0') instanceof Exact)) return 'numbers';
  if (!globalThis.crypto?.subtle) return 'crypto';
  try {
    await selfTest();
    await crypto.subtle.importKey('raw', new Uint8Array(32), { name: 'Ed25519' }, false, ['verify']);
    return '';
  } catch {
    return 'crypto';
  }
}

/** Places as the API takes them: `17,40-59`. */
export function ranges(seqs: number[]): string {
  const sorted = [...new Set(seqs)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(end === at ? String(sorted[at]) : `${sorted[at]}-${sorted[end]}`);
    at = end + 1;
  }
  return parts.join(',');
}
