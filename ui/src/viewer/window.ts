// Which rows are in sight: heights as measured, places as their running sum. Rows have the same height until one is opened
// or lines wrap, so the sums are made again only when a measured height differs.

/** Rows kept above and below those in sight, so that scrolling never shows a gap. */
const OVERSCAN = 8;

export type Place = { index: number; start: number };

export class Places {
  private readonly heights = new Map<string, number>();
  private starts = new Float64Array(1);
  private keys: readonly string[] = [];

  constructor(private estimate: number) {}

  /** Takes the rows over; heights that are known stay. */
  set(keys: readonly string[]): void {
    this.keys = keys;
    this.sum();
  }

  /** Forgets every height: lines are set in another way, and are that high. */
  forget(estimate: number): void {
    if (this.heights.size === 0 && estimate === this.estimate) return;
    this.estimate = estimate;
    this.heights.clear();
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
