// Which rows are in sight: heights as measured, places as their running sum. Rows have the same height until one is opened
// or lines wrap, so the sums are made again only when a measured height differs.

import { useEffect, useReducer, useRef } from 'preact/hooks';

/** Rows kept above and below those in sight, so that scrolling never shows a gap. */
const OVERSCAN = 12;

export type Place = { index: number; start: number };

export class Places {
  private readonly heights = new Map<string, number>();
  private starts = new Float64Array(1);
  private keys: readonly string[] = [];

  constructor(private readonly estimate: number) {}

  /** Takes the rows over; heights that are known stay. */
  set(keys: readonly string[]): void {
    this.keys = keys;
    this.sum();
  }

  /** Notes a height; true when it moves the rows below. */
  measure(key: string, height: number): boolean {
    if (height === 0 || (this.heights.get(key) ?? this.estimate) === height) return false;
    this.heights.set(key, height);
    this.sum();
    return true;
  }

  private sum(): void {
    this.starts = new Float64Array(this.keys.length + 1);
    this.keys.forEach((key, at) => {
      this.starts[at + 1] = this.starts[at]! + (this.heights.get(key) ?? this.estimate);
    });
  }

  get total(): number {
    return this.starts[this.keys.length]!;
  }

  start(index: number): number {
    return this.starts[index] ?? this.total;
  }

  /** The first row that ends below `offset`. */
  at(offset: number): number {
    let [low, high] = [0, Math.max(0, this.keys.length - 1)];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle + 1]! > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The rows to draw; `kept` is drawn wherever it is, so that the focus is never lost. */
  visible(offset: number, height: number, kept: number): Place[] {
    const count = this.keys.length;
    if (count === 0) return [];
    const first = Math.max(0, this.at(offset) - OVERSCAN);
    const last = Math.min(count - 1, this.at(offset + height) + OVERSCAN);
    const out: Place[] = [];
    if (kept >= 0 && kept < first) out.push({ index: kept, start: this.start(kept) });
    for (let index = first; index <= last; index++) out.push({ index, start: this.start(index) });
    if (kept > last && kept < count) out.push({ index: kept, start: this.start(kept) });
    return out;
  }
}

/** Follows the scrolling of an element and the heights of the rows in it. */
export function useWindow(keys: readonly string[], estimate: number, kept: number) {
  const scroller = useRef<HTMLDivElement>(null);
  const places = useRef<Places>(undefined as never);
  const known = useRef<readonly string[]>([]);
  const [, repaint] = useReducer((n: number) => n + 1, 0);
  places.current ??= new Places(estimate);
  if (known.current !== keys) {
    known.current = keys;
    places.current.set(keys);
  }
  const watched = useRef(new WeakSet<Element>());
  const sizes = useRef<ResizeObserver>(undefined as never);
  sizes.current ??= new ResizeObserver((entries) => {
    let moved = false;
    for (const { target } of entries) {
      const element = target as HTMLElement;
      if (element.isConnected) moved = places.current.measure(element.dataset['key'] ?? '', element.offsetHeight) || moved;
      else {
        sizes.current.unobserve(element);
        watched.current.delete(element);
      }
    }
    if (moved) repaint(0);
  });
  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const onScroll = (): void => repaint(0);
    const box = new ResizeObserver(onScroll);
    element.addEventListener('scroll', onScroll, { passive: true });
    box.observe(element);
    return () => (element.removeEventListener('scroll', onScroll), box.disconnect(), sizes.current.disconnect());
  }, []);
  const element = scroller.current;
  const items = places.current.visible(element?.scrollTop ?? 0, element?.clientHeight || 600, kept);
  const reveal = (index: number): void => {
    if (!element) return;
    const [top, bottom] = [places.current.start(index), places.current.start(index + 1)];
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight;
  };
  // Observing again would measure again, in every frame.
  const observe = (slot: HTMLElement | null): void => {
    if (!slot || watched.current.has(slot)) return;
    watched.current.add(slot);
    sizes.current.observe(slot);
  };
  return { scroller, items, total: places.current.total, reveal, observe };
}
