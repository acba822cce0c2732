// The tree behind both forms of a filter; docs/reference/filter.md is the rule book, fixtures/filter/ the cases.

export type Op = ':' | '=' | '!=' | '<' | '<=' | '>' | '>=';

/** One node, in the JSON form of the language. A path is its canonical text. */
export type Node =
  | { and: Node[] }
  | { or: Node[] }
  | { not: Node }
  | { exists: string }
  | { text: string }
  | { field: string; op: Op; value: string }
  | { field: string; op: Op; relative: string };

export const NESTING_MAX = 32;
export const NODES_MAX = 256;
export const TEXT_BYTES_MAX = 8192;

/** Why a text is not a filter: where (bytes of UTF-8), and what could stand there. */
export class FilterError extends Error {
  constructor(
    readonly reason: string,
    readonly offset: number,
    readonly length: number,
    readonly expected: string[],
  ) {
    super(reason);
  }
}

const flat = (parts: Node[], kind: 'and' | 'or'): Node[] =>
  parts.flatMap((part) => (kind in part ? (part as Record<string, Node[]>)[kind]! : [part]));

/** Joins parts so that all must match, flattened. */
export function all(parts: Node[]): Node {
  const list = flat(parts, 'and');
  return list.length === 1 ? list[0]! : { and: list };
}

/** Joins parts so that one must match, flattened. */
export function any(parts: Node[]): Node {
  const list = flat(parts, 'or');
  return list.length === 1 ? list[0]! : { or: list };
}

export function parts(node: Node): Node[] {
  if ('and' in node) return node.and;
  if ('or' in node) return node.or;
  return 'not' in node ? [node.not] : [];
}

export const count = (node: Node): number => 1 + parts(node).reduce((sum, part) => sum + count(part), 0);

export function nesting(node: Node): number {
  const below = parts(node);
  return below.length === 0 ? 0 : 1 + Math.max(...below.map(nesting));
}

/** The clauses that must all match: what the chips show. */
export const clauses = (node: Node): Node[] => ('and' in node ? node.and : [node]);
