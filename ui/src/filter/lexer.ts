// Characters into words, quotes and operators. What a word may hold depends on where it stands, so the parser asks for
// what it wants next. Positions count UTF-16 units inside and become bytes of UTF-8 in errors.

import { FilterError } from './ast.ts';
import { beginsNoValue, bytes, endsValue, endsWord, isReserved, isSpace } from './chars.ts';
import { printPath } from './print.ts';

type Name = { start: number; text: string; quoted: boolean; special: number };

/** Text between its escapes: `\*` and `\\` stay escaped, `\"` is a quote. */
export const plain = (escaped: string): string => escaped.replace(/\\(.)/gsu, '$1');

export class Term {
  constructor(
    readonly start: number,
    readonly end: number,
    readonly names: Name[],
  ) {}

  /** The term as a word: all bare, or all in one pair of quotes. */
  word(): string | undefined {
    if (this.names.length === 1) return this.names[0]!.text;
    return this.names.some((name) => name.quoted) ? undefined : this.names.map((name) => name.text).join('.');
  }

  isBare(word: string): boolean {
    return this.names.length === 1 && !this.names[0]!.quoted && this.names[0]!.text === word;
  }

  isReserved(): boolean {
    return this.names.length === 1 && !this.names[0]!.quoted && isReserved(this.names[0]!.text);
  }

  reserved(lexer: Lexer): FilterError {
    const word = this.names[0]!.text.toLowerCase();
    const expected = ['and', 'or', 'not'].includes(word)
      ? [word.toUpperCase(), `"${word}"`]
      : ['exists(', '"exists"'];
    return lexer.error('reserved', this.start, this.end, expected);
  }

  /** The term as a path; names are plain text, so a wild card in one is an error. */
  path(lexer: Lexer): string {
    if (this.isReserved()) throw this.reserved(lexer);
    for (const name of this.names) {
      if (name.text === '' && !name.quoted) throw lexer.error('unexpected', name.start, name.start, ['name']);
      if (name.special >= 0) throw lexer.error('unexpected', name.special, name.special + 1, ['name']);
    }
    return printPath(this.names.map((name) => plain(name.text)));
  }
}

export class Lexer {
  at = 0;
  constructor(readonly text: string) {}

  clone(): Lexer {
    const other = new Lexer(this.text);
    other.at = this.at;
    return other;
  }

  error(reason: string, start: number, end: number, expected: string[]): FilterError {
    const offset = bytes(this.text.slice(0, start));
    return new FilterError(reason, offset, bytes(this.text.slice(start, end)), expected);
  }

  /** The next character, a surrogate pair as one. */
  peek(): string | undefined {
    const point = this.text.codePointAt(this.at);
    return point === undefined ? undefined : String.fromCodePoint(point);
  }

  unexpected(expected: string[]): FilterError {
    const c = this.peek();
    return this.error(c === undefined ? 'end' : 'unexpected', this.at, this.at + (c?.length ?? 0), expected);
  }

  skipSpace(): void {
    for (let c = this.peek(); c !== undefined && isSpace(c); c = this.peek()) this.at += c.length;
  }

  take(expected: string): boolean {
    const found = this.text.startsWith(expected, this.at);
    if (found) this.at += expected.length;
    return found;
  }

  /** Takes `keyword` if it is the whole next bare word. */
  takeKeyword(keyword: string): boolean {
    if (!this.text.startsWith(keyword, this.at)) return false;
    const next = this.text.codePointAt(this.at + keyword.length);
    if (next !== undefined && !endsWord(String.fromCodePoint(next))) return false;
    this.at += keyword.length;
    return true;
  }

  term(): Term {
    const start = this.at;
    const fresh = (): Name => ({ start: this.at, text: '', quoted: false, special: -1 });
    const names = [fresh()];
    for (;;) {
      const name = names[names.length - 1]!;
      const c = this.peek();
      if (c === '.') {
        this.at += 1;
        names.push(fresh());
      } else if (c === '"' && name.text === '' && !name.quoted) {
        name.text = this.quoted();
        name.quoted = true;
      } else if (c !== undefined && !name.quoted && !endsWord(c)) {
        if ((c === '*' || c === '\\') && name.special < 0) name.special = this.at;
        name.text += this.one(c);
      } else break;
    }
    if (this.at === start) throw this.unexpected(['name']);
    return new Term(start, this.at, names);
  }

  value(): { text: string; quoted: boolean } {
    const first = this.peek();
    if (first === '"') return { text: this.quoted(), quoted: true };
    if (first === undefined || endsValue(first) || beginsNoValue(first)) throw this.unexpected(['value']);
    let text = '';
    for (let c = this.peek(); c !== undefined && !endsValue(c); c = this.peek()) text += this.one(c);
    return { text, quoted: false };
  }

  private quoted(): string {
    const open = this.at;
    this.at += 1;
    let text = '';
    for (;;) {
      const c = this.peek();
      if (c === undefined) throw this.error('open-quote', open, this.at, ['"']);
      if (c === '"') {
        this.at += 1;
        return text;
      }
      text += this.one(c);
    }
  }

  /** Takes one character, or one escape. */
  private one(c: string): string {
    if (c !== '\\') {
      this.at += c.length;
      return c;
    }
    const point = this.text.codePointAt(this.at + 1);
    const next = point === undefined ? '' : String.fromCodePoint(point);
    if (next !== '"' && next !== '*' && next !== '\\') {
      throw this.error('escape', this.at, this.at + 1 + next.length, ['\\"', '\\*', '\\\\']);
    }
    this.at += 2;
    return next === '"' ? '"' : `\\${next}`;
  }
}
