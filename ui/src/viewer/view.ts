// What a viewer shows, as signals; and its state in the address, so that every view can be sent to somebody.

import { batch, computed, effect, signal } from '@preact/signals';
import type { ComponentChild } from 'preact';
import { Problem, type Client, type Event, type Session } from '../client.ts';
import { FilterError, all, clauses, type Node } from '../filter/ast.ts';
import { fits, parse } from '../filter/parse.ts';
import { print } from '../filter/print.ts';
import { follow, type TailState } from '../tail.ts';
import type { Verifier } from '../verify/verifier.ts';
import { bounds, isZone, type Range, type Zone } from '../time.ts';

const PAGE = 100;
/** Rows kept while following: older ones can be searched for. */
const LIVE_ROWS_MAX = 5000;
/** Values asked for each facet. */
const FACET_VALUES = 8;
export const FACETS = ['action', 'actor.id', 'target.type', 'outcome', 'category', 'context.ip'];

export type Bucket = { start: string; success: number; failure: number; denied: number; unknown: number };
export type Histogram = { interval_ms: number; data: Bucket[]; events: number; complete: boolean; complete_from: { received_at: string } | null };
export type Facet = { field: string; values: { value: string; count: number }[]; other: number; missing: number; distinct: number };

export type Host = {
  client: Client;
  tenant: string;
  session: Session;
  /** Reads and writes the state; the embedded viewer keeps it to itself. */
  load: () => URLSearchParams;
  save: (state: URLSearchParams, replace: boolean) => void;
  /** The address of the page about an actor, an object, a request or a session. */
  aboutUrl?: (kind: 'actor' | 'target' | 'request' | 'session', id: string) => string;
  /** Goes to an address of the page itself. */
  go?: (url: string) => void;
  /** A trust file that came with the page: its keys are believed rather than the server's. */
  trust?: string;
  /** The address of one event, where the page has addresses. */
  eventUrl?: (id: string) => string;
  announce: (text: string) => void;
  /** The page itself says when the session has ended. */
  saysEnded?: true;
  /** When this person signed in here the time before. */
  since?: string;
  /** More that can be done with the present search. */
  tools?: (view: View) => ComponentChild;
};

export const COLUMNS = ['time', 'outcome', 'event', 'action', 'actor', 'target', 'ip', 'seq', 'proof'] as const;
export type Column = (typeof COLUMNS)[number];
export const DEFAULT_COLUMNS: Column[] = ['time', 'outcome', 'event', 'action', 'ip', 'proof'];

export type Extras = typeof import('./extras.ts');
export type Proofs = { parts: typeof import('../verify/index.ts'); verifier: Verifier };

const stored = <T>(name: string, fallback: T): T => {
  try {
    return (JSON.parse(localStorage.getItem(`attestary.${name}`) ?? 'null') as T | null) ?? fallback;
  } catch {
    return fallback;
  }
};
const store = (name: string, value: unknown): void => {
  try {
    localStorage.setItem(`attestary.${name}`, JSON.stringify(value));
  } catch {
    // Without storage the choice lasts as long as the page.
  }
};

export class View {
  readonly text = signal('');
  /** The filter in force: the last text that was a filter. */
  readonly applied = signal('');
  readonly range = signal<Range>({ relative: '24h' });
  readonly zone = signal<Zone>(stored('zone', 'local'));
  readonly columns = signal<Column[]>(stored('columns.1', DEFAULT_COLUMNS));
  readonly wrap = signal<boolean>(stored('wrap', false));
  readonly dense = signal<boolean>(stored('dense', false));
  /** All loaded rows stand in the document, not only those in sight. */
  readonly plain = signal<boolean>(stored('plain', false));
  readonly shortcuts = signal<boolean>(stored('shortcuts', true));
  /** Counts changes of colours, which the chart has to take over. */
  readonly theme = signal(0);
  readonly open = signal('');
  /** The row that has or had the focus; -1 before the first. */
  readonly focused = signal(-1);

  readonly rows = signal<Event[]>([]);
  readonly cursor = signal<string | null>(null);
  readonly loading = signal(false);
  readonly loaded = signal(false);
  readonly problem = signal<Problem | null>(null);
  readonly histogram = signal<Histogram | null>(null);
  readonly facets = signal<Facet[]>([]);
  readonly live = signal(false);
  readonly tailState = signal<TailState>('ended');
  readonly fresh = signal<Event[]>([]);
  /** Views that people saved, where the page has them. */
  readonly saved = signal<{ id: string; name: string; filter: string }[]>([]);
  /** How proofs are checked and shown; loaded when rows are there. */
  readonly proofs = signal<Proofs | null>(null);
  /** What is loaded after the first rows. */
  readonly extras = signal<Extras | null>(null);
  /** The bounds of the last question; relative ranges move on with each one. */
  readonly asked = signal<{ from?: string; to?: string }>({});

  readonly error = computed<FilterError | null>(() => {
    try {
      parse(this.text.value);
      return null;
    } catch (error) {
      return error as FilterError;
    }
  });
  readonly tree = computed<Node>(() => {
    try {
      return parse(this.applied.value);
    } catch {
      return { and: [] };
    }
  });

  private asking = new AbortController();
  private following = new AbortController();
  private history: Range[] = [];

  constructor(readonly host: Host) {
    // Storage may hold what another version, or somebody else, wrote there.
    if (!isZone(this.zone.value)) this.zone.value = 'local';
    const columns = Array.isArray(this.columns.value) ? COLUMNS.filter((one) => this.columns.value.includes(one)) : [];
    if (!columns.includes('event') || columns.length !== this.columns.value.length) this.columns.value = DEFAULT_COLUMNS;
    this.restore();
    effect(() => store('zone', this.zone.value));
    effect(() => store('columns.1', this.columns.value));
    effect(() => store('wrap', this.wrap.value));
    effect(() => store('dense', this.dense.value));
    effect(() => store('plain', this.plain.value));
    effect(() => store('shortcuts', this.shortcuts.value));
  }

  /** Reads the state from the address. */
  restore(): void {
    const state = this.host.load();
    batch(() => {
      this.text.value = state.get('q') ?? '';
      const [from, to] = [state.get('from') ?? undefined, state.get('to') ?? undefined];
      const relative = state.get('range');
      this.range.value = from || to ? { ...(from ? { from } : {}), ...(to ? { to } : {}) } : { relative: relative ?? '24h' };
      this.open.value = state.get('open') ?? '';
      if (!this.error.value) this.applied.value = this.text.value;
    });
    void this.ask();
  }

  private save(replace = false): void {
    const state = new URLSearchParams();
    if (this.applied.value) state.set('q', this.applied.value);
    const range = this.range.value;
    if ('relative' in range) state.set('range', range.relative);
    else {
      if (range.from) state.set('from', range.from);
      if (range.to) state.set('to', range.to);
    }
    if (this.open.value) state.set('open', this.open.value);
    this.host.save(state, replace);
  }

  /** Takes the text as the filter, if it is one. */
  submit(): void {
    if (this.error.value) return;
    this.applied.value = this.text.value.trim();
    this.changed();
  }

  private changed(): void {
    this.open.value = '';
    this.save();
    void this.ask();
  }

  setRange(range: Range): void {
    this.history.push(this.range.value);
    this.range.value = range;
    this.changed();
  }

  /** Goes back to the range before the last brush. */
  undoRange(): void {
    const before = this.history.pop();
    if (!before) return;
    this.range.value = before;
    this.changed();
  }

  setOpen(id: string): void {
    this.open.value = this.open.value === id ? '' : id;
    this.save(true);
  }

  /** Adds a clause; the text before stays as it was written. */
  add(clause: Node): void {
    const existing = clauses(this.tree.value).map(print);
    if (existing.includes(print(clause))) return;
    const joined = all([this.tree.value, clause]);
    if (fits(joined)) this.setTree(joined);
  }

  include(field: string, value: string): void {
    this.add({ field, op: '=', value });
  }

  exclude(field: string, value: string): void {
    this.add({ not: { field, op: '=', value } });
  }

  setTree(tree: Node): void {
    this.text.value = print(tree);
    this.submit();
  }

  replaceClause(index: number, clause: Node | null): void {
    const list = clauses(this.tree.value).slice();
    if (clause) list[index] = clause;
    else list.splice(index, 1);
    this.setTree(all(list));
  }

  /** Asks for the first page, the counts over time and the facets. */
  async ask(): Promise<void> {
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const limits = bounds(this.range.value, Date.now());
    this.asked.value = limits;
    const query = { tenant: this.host.tenant, filter: this.applied.value, ...limits };
    batch(() => {
      this.loading.value = true;
      this.problem.value = null;
      this.fresh.value = [];
    });
    const { client } = this.host;
    const counts = client.get<Histogram>('/v1/events/histogram', { ...query, buckets: 80 }, signal).then(
      (found) => (this.histogram.value = found),
      () => undefined,
    );
    const facets = this.loadFacets(query, signal);
    try {
      let page = await client.get<{ data: Event[]; next_cursor: string | null }>('/v1/events', { ...query, limit: PAGE }, signal);
      // An empty page with a cursor: the scan budget was spent, and there may be more.
      while (page.data.length === 0 && page.next_cursor) {
        page = await client.get('/v1/events', { ...query, limit: PAGE, cursor: page.next_cursor }, signal);
      }
      batch(() => {
        this.rows.value = page.data;
        this.cursor.value = page.next_cursor;
        this.focused.value = -1;
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      // Who has to sign in again finds the rows of before.
      if (error.status === 401) this.problem.value = error;
      else batch(() => {
        this.problem.value = error;
        this.rows.value = [];
        this.cursor.value = null;
      });
    }
    if (signal.aborted) return;
    batch(() => {
      this.loading.value = false;
      this.loaded.value = true;
    });
    void this.loadExtras().catch(() => undefined);
    await Promise.all([counts, facets]);
    if (this.live.value) this.startTail();
  }

  private async loadFacets(query: Record<string, string | undefined>, signal: AbortSignal): Promise<void> {
    const hidden = this.host.session.hide_fields ?? [];
    const covers = (field: string): boolean => hidden.some((path) => field === path || field.startsWith(`${path}.`) || path === field.replace(/^target\./, 'targets.'));
    const fields = FACETS.filter((field) => !covers(field)).join(',');
    try {
      const found = await this.host.client.get<{ data: Facet[] }>('/v1/events/facets', { ...query, fields, limit: FACET_VALUES }, signal);
      this.facets.value = found.data;
    } catch {
      if (!signal.aborted) this.facets.value = [];
    }
  }

  /** Loads the next page when there is one. */
  async more(): Promise<void> {
    const cursor = this.cursor.value;
    if (!cursor || this.loading.value) return;
    this.loading.value = true;
    const { signal } = this.asking;
    const query = { tenant: this.host.tenant, filter: this.applied.value, ...this.asked.value, limit: PAGE * 2, cursor };
    try {
      const page = await this.host.client.get<{ data: Event[]; next_cursor: string | null }>('/v1/events', query, signal);
      batch(() => {
        this.rows.value = [...this.rows.value, ...page.data];
        this.cursor.value = page.next_cursor;
      });
    } catch (error) {
      if (!signal.aborted && error instanceof Problem) this.problem.value = error;
    } finally {
      if (!signal.aborted) this.loading.value = false;
    }
  }

  toggleLive(): void {
    this.live.value = !this.live.value;
    if (this.live.value) this.startTail();
    else this.following.abort();
  }

  private startTail(): void {
    this.following.abort();
    this.following = new AbortController();
    const { signal } = this.following;
    let buffer: Event[] = [];
    const paint = setInterval(() => {
      if (buffer.length === 0) return;
      const known = new Set(this.rows.value.slice(0, 500).map((event) => event.seq));
      const news = buffer.filter((event) => !known.has(event.seq)).reverse();
      buffer = [];
      this.fresh.value = [...news, ...this.fresh.value].slice(0, LIVE_ROWS_MAX);
    }, 1000);
    const query = { tenant: this.host.tenant, filter: this.applied.value };
    follow(this.host.client, query, signal, (event) => buffer.push(event), (state) => (this.tailState.value = state))
      .catch((error) => {
        if (error instanceof Problem) this.problem.value = error;
        this.live.value = false;
      })
      .finally(() => clearInterval(paint));
  }

  /** Shows the events that came meanwhile. */
  showFresh(): void {
    batch(() => {
      this.rows.value = [...this.fresh.value, ...this.rows.value].slice(0, LIVE_ROWS_MAX);
      this.fresh.value = [];
      this.loaded.value = true;
    });
  }

  /** Checks the proofs of rows that are in sight. */
  async check(events: Event[]): Promise<void> {
    if (events.length === 0) return;
    this.loadingProofs ??= import('../verify/index.ts').then((parts) => {
      const { client, tenant, session, trust } = this.host;
      const place = [client.base || location.origin, client.environment || session.environment, tenant].join(' ');
      return (this.proofs.value = { parts, verifier: new parts.Verifier(client, tenant, place, trust ?? '') });
    });
    (await this.loadingProofs).verifier.check(events);
  }
  private loadingProofs: Promise<Proofs> | null = null;

  /** Loads what the first rows do without. */
  async loadExtras(): Promise<Extras> {
    return (this.extras.value ??= await import('./extras.ts'));
  }

  /** The exact call behind the rows. */
  call(): string {
    return this.host.client.url('/v1/events', { tenant: this.host.tenant, filter: this.applied.value, ...this.asked.value, limit: PAGE });
  }

  stop(): void {
    this.asking.abort();
    this.following.abort();
  }
}
