// The rows in the document: some forty elements that are filled with other events while the reader scrolls. They are
// written directly, without components, so that a frame of scrolling costs text and places and nothing else. Only what is
// opened is a component.

import { effect, untracked } from '@preact/signals';
import { render } from 'preact';
import type { Event } from '../client.ts';
import { locale, number, t } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from './copy.tsx';
import { GLYPHS, actorName, outcomeOf, sentence, targetName } from './sentence.ts';
import type { Column, View } from './view.ts';
import { Places } from './window.ts';

const [ROW_HEIGHT, LOW_ROW_HEIGHT] = [34, 26];
/** Rows that stand in the document at once when all are wanted there. */
const WHOLE_MAX = 5000;
/** Rows before the last from which more are loaded. */
const AHEAD = 40;
/** Proofs are checked once the scrolling rests that long, in milliseconds. */
const REST_MS = 80;
/** Longest piece of a row, in UTF-16 units: the rest stands in the details. */
const SHOWN_MAX = 300;

/** One element and the event in it. */
class Slot {
  readonly element = document.createElement('div');
  readonly row = document.createElement('div');
  readonly cells = new Map<Column, HTMLElement>();
  event: Event | null = null;
  index = -1;
  detail: HTMLElement | null = null;

  constructor(columns: readonly Column[]) {
    this.element.className = 'slot fixed';
    this.element.setAttribute('role', 'presentation');
    this.row.setAttribute('role', 'row');
    for (const column of columns) {
      const cell = document.createElement('div');
      cell.setAttribute('role', 'cell');
      cell.className = `c-${column}`;
      const inner = insideOf(column);
      if (inner) cell.append(inner);
      this.cells.set(column, inner ?? cell);
      this.row.append(cell);
    }
    this.element.append(this.row);
  }

  get toggle(): HTMLButtonElement | undefined {
    return this.cells.get('event') as HTMLButtonElement | undefined;
  }
}

/** The element of a cell that holds its text. */
function insideOf(column: Column): HTMLElement | null {
  const made = (tag: string, className = ''): HTMLElement => {
    const element = document.createElement(tag);
    element.className = className;
    return element;
  };
  switch (column) {
    case 'time': return made('time');
    case 'outcome': {
      const span = made('span');
      const glyph = made('i');
      glyph.setAttribute('aria-hidden', 'true');
      span.append(glyph, ' ');
      return span;
    }
    case 'event': {
      const button = made('button', 'row-toggle');
      button.setAttribute('type', 'button');
      return button;
    }
    case 'action': return made('code');
    case 'ip': case 'seq': return made('span', 'mono');
    case 'actor': case 'target': return made('bdi');
    case 'proof': return null;
  }
}

const write = (element: HTMLElement, text: string): void => {
  if (element.textContent !== text) element.textContent = text;
};
const mark = (element: Element, name: string, value: string): void => {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
};

/** Calls `then` now and whenever what `read` reads has changed; what `then` reads is its own affair. */
const follow = <T,>(read: () => T, then: (value: T) => void): (() => void) => effect(() => {
  const value = read();
  untracked(() => then(value));
});

/** Keeps the rows of a view in an element that scrolls. */
export class Rows {
  private readonly places = new Places(ROW_HEIGHT);
  private slots: Slot[] = [];
  private shown: Event[] = [];
  private columns: readonly Column[] = [];
  private rest = 0;
  private height = 600;
  private openId = '';
  private printing = false;
  private readonly ends: (() => void)[] = [];
  private readonly sizes = new ResizeObserver((entries) => {
    let moved = false;
    for (const { target } of entries) {
      const element = target as HTMLElement;
      if (element.isConnected) moved = this.places.measure(element.dataset['key'] ?? '', element.offsetHeight) || moved;
    }
    if (moved) this.draw();
  });

  constructor(private readonly view: View, private readonly scroller: HTMLElement, private readonly tall: HTMLElement) {
    const box = new ResizeObserver(() => {
      this.height = scroller.clientHeight || this.height;
      this.draw();
    });
    box.observe(scroller);
    const listen = (element: HTMLElement | Window, type: string, onEvent: (event: never) => void): void => {
      element.addEventListener(type, onEvent as EventListener, { passive: type === 'scroll' });
      this.ends.push(() => element.removeEventListener(type, onEvent as EventListener));
    };
    listen(scroller, 'scroll', () => this.draw());
    listen(scroller, 'attestary-focus-row', ({ detail }: CustomEvent<number>) => this.focus(detail));
    // Paper has no scrolling: whatever is loaded is printed.
    for (const [type, printing] of [['beforeprint', true], ['afterprint', false]] as const) listen(window, type, () => ((this.printing = printing), this.draw()));
    listen(tall, 'pointerover', ({ target }: PointerEvent) => target instanceof HTMLTimeElement && this.otherZone(target));
    listen(tall, 'click', (press: MouseEvent) => this.press(press));
    listen(tall, 'keydown', (press: KeyboardEvent) => this.walk(press));
    listen(tall, 'focusin', ({ target }: FocusEvent) => {
      const slot = this.slotOf(target);
      if (slot && target === slot.toggle) view.focused.value = slot.index;
    });
    this.ends.push(
      () => box.disconnect(),
      () => this.sizes.disconnect(),
      follow(() => view.rows.value, (rows) => this.take(rows)),
      follow(() => [view.columns.value, view.zone.value, view.wrap.value, locale.value, view.dense.value, view.plain.value] as const, ([columns, , wrap]) => this.rebuild(columns, wrap)),
      follow(() => view.open.value, () => this.openOnes()),
      follow(() => view.focused.value, () => (this.draw(), this.stops())),
      follow(() => view.proofs.value?.verifier.checks.value, () => this.slots.forEach((slot) => this.proof(slot))),
    );
  }

  stop(): void {
    clearTimeout(this.rest);
    for (const end of this.ends) end();
    for (const slot of this.slots) this.fold(slot);
    this.slots = [];
  }

  private get rowHeight(): number {
    return this.view.dense.peek() ? LOW_ROW_HEIGHT : ROW_HEIGHT;
  }

  /** Who points at a time sees it in the other zone too. */
  private otherZone(time: HTMLTimeElement): void {
    time.title = `${formatTime(time.dateTime, this.view.zone.peek() === 'utc' ? 'local' : 'utc', locale.peek(), 'full')} · ${time.dateTime}`;
  }

  private slotOf(target: EventTarget | null): Slot | undefined {
    const element = target instanceof Element ? target.closest('.slot') : null;
    return this.slots.find((slot) => slot.element === element);
  }

  private press(press: MouseEvent): void {
    const slot = this.slotOf(press.target);
    if (!slot?.event || !(press.target instanceof Element) || press.target.closest('.tr-detail')) return;
    // Who marks text to copy it opens nothing.
    if (!press.target.closest('.row-toggle') && getSelection()?.toString()) return;
    this.view.focused.value = slot.index;
    this.view.setOpen(slot.event.id);
  }

  /** From row to row with the arrows; Tab leaves the rows. */
  private walk(press: KeyboardEvent): void {
    const slot = this.slotOf(press.target);
    if (!slot || press.target !== slot.toggle || press.altKey || press.ctrlKey || press.metaKey) return;
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -slot.index, End: this.shown.length }[press.key];
    if (step === undefined) return;
    press.preventDefault();
    this.focus(Math.max(0, Math.min(this.shown.length - 1, slot.index + step)));
  }

  /** One row is a stop for Tab: the one that had the focus last, else the first. */
  private stops(): void {
    const at = Math.max(0, this.view.focused.peek());
    for (const { toggle, index } of this.slots) if (toggle) toggle.tabIndex = index === at ? 0 : -1;
  }

  private focus(index: number): void {
    const [top, bottom] = [this.places.start(index), this.places.start(index + 1)];
    const { scroller } = this;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
    this.draw();
    this.slots.find((slot) => slot.index === index)?.toggle?.focus({ preventScroll: true });
  }

  private take(rows: Event[]): void {
    this.shown = rows;
    this.places.set(rows.map(({ id }) => id));
    this.draw();
  }

  /** Other columns are other elements; another zone, language or wrapping is other text in them. */
  private rebuild(columns: readonly Column[], wrap: boolean): void {
    if (columns !== this.columns) {
      for (const slot of this.slots) {
        this.fold(slot);
        slot.element.remove();
      }
      this.slots = [];
      this.columns = columns;
    }
    this.places.forget(this.rowHeight);
    for (const slot of this.slots) {
      if (slot.event) this.fill(slot, slot.event, slot.index);
      this.fix(slot, wrap);
    }
    this.draw();
  }

  /** Draws what is in sight; nothing is touched when that has not changed. */
  private draw(): void {
    const { places, view } = this;
    // Read before anything is written: reading after that would lay the page out once more.
    const whole = this.printing || view.plain.peek();
    const wanted = whole ? places.visible(0, WHOLE_MAX * this.rowHeight, view.focused.peek()) : places.visible(this.scroller.scrollTop, this.height, view.focused.peek());
    const height = `${places.total}px`;
    if (this.tall.style.height !== height) this.tall.style.height = height;
    const at = new Map(this.slots.map((slot) => [slot.event?.id, slot]));
    const order: (Slot | null)[] = wanted.map(({ index }) => {
      const event = this.shown[index]!;
      const slot = at.get(event.id);
      return slot?.event === event ? slot : null;
    });
    const kept = new Set(order);
    const free = this.slots.filter((slot) => !kept.has(slot));
    let news = false;
    const made = order.map((slot, place) => {
      const { index, start } = wanted[place]!;
      const used = slot ?? free.shift() ?? this.make();
      if (!slot) {
        news = true;
        this.fill(used, this.shown[index]!, index);
      } else if (slot.index !== index) this.number(slot, index);
      const transform = `translateY(${start}px)`;
      if (used.element.style.transform !== transform) used.element.style.transform = transform;
      return used;
    });
    for (const slot of free) {
      this.fold(slot);
      this.sizes.unobserve(slot.element);
      slot.element.remove();
    }
    this.sort(made, kept);
    this.slots = made;
    if (!news && free.length === 0) return;
    this.stops();
    this.openOnes();
    this.after(wanted.reduce((most, { index }) => (index === view.focused.peek() ? most : Math.max(most, index)), 0));
  }

  /** Rows stand in the document as they stand on the page, for whoever reads or tabs through them. As few as possible are moved. */
  private sort(made: Slot[], kept: Set<Slot | null>): void {
    let next = this.tall.firstElementChild;
    const moving = new Set(made.filter((slot) => !kept.has(slot)).map(({ element }) => element as Element));
    for (const { element } of made) {
      while (next && next !== element && moving.has(next)) next = next.nextElementSibling;
      if (next === element) next = next.nextElementSibling;
      else this.tall.insertBefore(element, next);
      moving.delete(element);
    }
  }

  private after(last: number): void {
    const { view } = this;
    if (!this.printing && !view.plain.peek() && view.cursor.peek() && !view.loading.peek() && last >= this.shown.length - AHEAD) void view.more();
    clearTimeout(this.rest);
    this.rest = window.setTimeout(() => {
      if (this.columns.includes('proof')) void view.check(this.slots.flatMap(({ event }) => event ?? []));
    }, REST_MS);
  }

  private make(): Slot {
    const slot = new Slot(this.columns);
    this.fix(slot, this.view.wrap.peek());
    return slot;
  }

  /** Rows of one height need no measuring, and the browser lays each out by itself. */
  private fix(slot: Slot, wrap: boolean): void {
    const fixed = !wrap && !slot.detail;
    slot.element.classList.toggle('fixed', fixed);
    this.sizes.unobserve(slot.element);
    if (!fixed) this.sizes.observe(slot.element);
  }

  private number(slot: Slot, index: number): void {
    slot.index = index;
    slot.element.dataset['index'] = String(index);
    slot.row.setAttribute('aria-rowindex', String(index + 2));
  }

  private fill(slot: Slot, event: Event, index: number): void {
    const outcome = outcomeOf(event);
    if (slot.event !== event) this.fold(slot);
    slot.event = event;
    slot.element.dataset['key'] = event.id;
    this.number(slot, index);
    slot.row.className = `tr row-${outcome}`;
    for (const [column, element] of slot.cells) this.cell(column, element, event, outcome);
    this.proof(slot);
    this.opened(slot, this.view.open.peek() === event.id);
    // The same element with other lines may be as high as before, of which the observer says nothing.
    if (!slot.element.classList.contains('fixed')) this.fix(slot, this.view.wrap.peek());
  }

  private cell(column: Column, element: HTMLElement, event: Event, outcome: ReturnType<typeof outcomeOf>): void {
    switch (column) {
      case 'time': {
        const time = event.occurred_at ?? event.received_at;
        mark(element, 'datetime', time);
        return write(element, formatTime(time, this.view.zone.peek(), locale.peek()));
      }
      case 'outcome':
        element.className = `outcome outcome-${outcome}`;
        write(element.firstChild as HTMLElement, GLYPHS[outcome]);
        element.lastChild!.nodeValue = ` ${t(`outcome.${outcome}`)}`;
        return;
      case 'event': return sentenceIn(element, event);
      case 'action': return write(element, visible(event.action ?? ''));
      case 'actor': return write(element, visible(actorName(event.actor)));
      case 'target': return write(element, visible(targetName(event.targets?.[0])));
      case 'ip': return write(element, visible(event.context?.ip ?? ''));
      case 'seq': return write(element, number(event.seq));
      case 'proof': return;
    }
  }

  /** What is known of the row's proof now. */
  private proof(slot: Slot): void {
    const cell = slot.cells.get('proof');
    const proofs = this.view.proofs.peek();
    if (!cell || !slot.event) return;
    const chip = proofs?.parts.chipOf(proofs.verifier, slot.event);
    if (!chip) {
      cell.textContent = '';
      return;
    }
    if (!cell.firstElementChild) {
      const glyph = document.createElement('i');
      glyph.setAttribute('aria-hidden', 'true');
      const span = document.createElement('span');
      span.append(glyph, ' ');
      cell.append(span);
    }
    const span = cell.firstElementChild as HTMLElement;
    span.className = `proof proof-${chip.state}`;
    mark(span, 'data-proof', chip.state);
    mark(span, 'title', chip.why);
    write(span.firstChild as HTMLElement, chip.glyph);
    span.lastChild!.nodeValue = ` ${chip.text}`;
  }

  private openOnes(): void {
    const open = this.view.open.peek();
    // What was open has the height of a row again, wherever it is.
    const closed = open !== this.openId && this.openId !== '' && !this.view.wrap.peek() && this.places.measure(this.openId, this.rowHeight);
    this.openId = open;
    for (const slot of this.slots) {
      const is = open !== '' && slot.event?.id === open;
      this.opened(slot, is);
      if (is && !slot.detail) this.unfold(slot);
      else if (!is && slot.detail) this.fold(slot);
    }
    if (closed) this.draw();
  }

  private opened(slot: Slot, is: boolean): void {
    slot.row.classList.toggle('open', is);
    if (slot.toggle) mark(slot.toggle, 'aria-expanded', String(is));
  }

  private unfold(slot: Slot): void {
    const [detail, cell] = [document.createElement('div'), document.createElement('div')];
    detail.className = 'tr-detail';
    detail.setAttribute('role', 'row');
    cell.setAttribute('role', 'cell');
    detail.append(cell);
    slot.element.append(detail);
    slot.detail = detail;
    void this.details(slot, cell);
    this.fix(slot, this.view.wrap.peek());
  }

  private async details(slot: Slot, cell: HTMLElement): Promise<void> {
    const { view } = this;
    const [event, now] = [slot.event!, view.extras.peek()];
    try {
      const { Detail } = now ?? (await view.loadExtras());
      // Meanwhile the element may hold another event.
      if (slot.detail?.firstElementChild === cell) render(<Detail view={view} event={event} />, cell);
    } catch {
      cell.textContent = t('problem.offline');
    }
  }

  /** Takes the details out of the element. An open row that scrolled away keeps its place. */
  private fold(slot: Slot): void {
    if (!slot.detail) return;
    render(null, slot.detail.firstElementChild!);
    slot.detail.remove();
    slot.detail = null;
    this.fix(slot, this.view.wrap.peek());
  }
}

/** The sentence, in pieces: names are strong and of any direction. Elements that are there are written anew. */
function sentenceIn(button: HTMLElement, event: Event): void {
  const parts = sentence(event);
  mark(button, 'aria-label', t('row.open', { sentence: parts.map(({ text }) => text).join('').slice(0, SHOWN_MAX) }));
  parts.forEach((part, at) => {
    const there = button.children[at] as HTMLElement | undefined;
    const tag = part.strong ? 'B' : 'SPAN';
    let element = there?.tagName === tag ? there : null;
    if (!element) {
      element = document.createElement(tag);
      if (part.strong) element.append(document.createElement('bdi'));
      if (there) there.replaceWith(element);
      else button.append(element);
    }
    write(part.strong ? (element.firstElementChild as HTMLElement) : element, part.strong ? visible(part.text.slice(0, SHOWN_MAX)) : part.text);
  });
  while (button.children.length > parts.length) button.lastElementChild!.remove();
}
