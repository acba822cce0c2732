// Inclusion paths under one root. Neighbours share most of their paths, so a node that was once seen to lead to the root is
// known, and the walk from another leaf ends there.

import { half, nodeHash, same } from 'virtual:evidence';

type Bytes = Uint8Array<ArrayBuffer>;

export class Paths {
  /** Nodes that lead to the root, by the first leaf and the number of leaves under them. */
  private readonly known = new Map<string, Bytes>();

  constructor(
    readonly size: number,
    root: Bytes,
  ) {
    this.known.set(`0 ${size}`, root);
  }

  /** True when `leaf` stands at `index` of the tree; `hashes` is its path, the leaf's sibling first. */
  leads(leaf: Bytes, index: number, hashes: (Bytes | null | undefined)[]): boolean {
    if (!Number.isInteger(index) || index < 0 || index >= this.size) return false;
    const nodes: { start: number; count: number; left: boolean }[] = [];
    for (let start = 0, count = this.size; count > 1; ) {
      const first = half(count);
      const left = index - start < first;
      nodes.push({ start, count, left });
      if (left) count = first;
      else [start, count] = [start + first, count - first];
    }
    if (hashes.length !== nodes.length) return false;
    const path: [string, Bytes][] = [];
    let hash = leaf;
    let place = `${index} 1`;
    for (const sibling of hashes) {
      const known = this.known.get(place);
      // Two nodes of one place under one root are the same node.
      if (known) return same(known, hash) && this.keep(path);
      if (!sibling || sibling.length !== 32) return false;
      path.push([place, hash]);
      const node = nodes.pop()!;
      hash = node.left ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
      place = `${node.start} ${node.count}`;
    }
    return same(this.known.get(place) ?? new Uint8Array(), hash) && this.keep(path);
  }

  private keep(path: [string, Bytes][]): true {
    for (const [place, hash] of path) this.known.set(place, hash);
    return true;
  }
}
