// What changed between two texts, by words: the longest common subsequence on words, which are few.

const WORDS_MAX = 400;

export type Piece = ['=' | '-' | '+', string];

export function diffWords(before: string, after: string): Piece[] {
  const [a, b] = [words(before), words(after)];
  if (a.length > WORDS_MAX || b.length > WORDS_MAX) return [['-', before], ['+', after]];
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i]![j] = a[i] === b[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const out: Piece[] = [];
  const push = (kind: Piece[0], text: string): void => {
    const last = out[out.length - 1];
    if (last?.[0] === kind) last[1] += text;
    else out.push([kind, text]);
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      push('=', a[i++]!);
      j++;
    } else if (j >= b.length || (i < a.length && lengths[i + 1]![j]! >= lengths[i]![j + 1]!)) push('-', a[i++]!);
    else push('+', b[j++]!);
  }
  return out;
}

const words = (text: string): string[] => text.match(/\s+|[^\s]+/gu) ?? [];
