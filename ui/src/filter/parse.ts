// Text into a tree, by recursive descent; depth is counted before each descent. The twin of the service's own parser:
// both run fixtures/filter/.

import { NESTING_MAX, NODES_MAX, TEXT_BYTES_MAX, FilterError, all, any, count, nesting, type Node, type Op } from './ast.ts';
import { bytes, endsWord, isSpace, pattern } from './chars.ts';
import { Lexer, plain } from './lexer.ts';
import { print } from './print.ts';

const CLAUSE = ['field', 'word', 'exists(', '(', '-', 'NOT'];
const OPERATORS = [':', '=', '!=', '<', '<=', '>', '>='];
const ORDERING = ['<', '<=', '>', '>='];
const UNITS = ['s', 'm', 'h', 'd', 'w'];
const DIGITS_MAX = 9;

/** Parses a whole filter; the empty text is `{and: []}`, which selects every event. */
export function parse(text: string): Node {
  const length = bytes(text);
  if (length > TEXT_BYTES_MAX) {
    let offset = 0;
    for (const c of text) {
      const next = offset + bytes(c);
      if (next > TEXT_BYTES_MAX) break;
      offset = next;
    }
    throw new FilterError('too-long', offset, length - offset, []);
  }
  const parser = new Parser(new Lexer(text));
  parser.lexer.skipSpace();
  if (parser.lexer.peek() === undefined) return { and: [] };
  const node = parser.or();
  if (parser.lexer.peek() !== undefined) throw parser.lexer.unexpected(['AND', 'OR', 'end']);
  const reason = tooLarge(node);
  if (reason) throw new FilterError(reason, 0, length, []);
  return node;
}

function tooLarge(node: Node): string | undefined {
  if (count(node) > NODES_MAX) return 'too-many-nodes';
  if (nesting(node) > NESTING_MAX) return 'too-deep';
  return bytes(print(node)) > TEXT_BYTES_MAX ? 'too-long' : undefined;
}

/** True when `node` may stand in a filter: its text can be parsed again. */
export const fits = (node: Node): boolean => tooLarge(node) === undefined;

class Parser {
  private nesting = 0;
  constructor(readonly lexer: Lexer) {}

  or(): Node {
    const parts = [this.and()];
    while (this.lexer.takeKeyword('OR')) {
      this.lexer.skipSpace();
      parts.push(this.and());
    }
    return any(parts);
  }

  private and(): Node {
    const parts = [this.unary()];
    for (;;) {
      this.lexer.skipSpace();
      if (this.lexer.takeKeyword('AND')) this.lexer.skipSpace();
      else {
        const next = this.lexer.peek();
        if (next === undefined || next === ')' || this.lexer.clone().takeKeyword('OR')) return all(parts);
      }
      parts.push(this.unary());
    }
  }

  private unary(): Node {
    const start = this.lexer.at;
    const minus = this.lexer.take('-');
    if (!minus && !this.lexer.takeKeyword('NOT')) return this.primary();
    this.descend(start, this.lexer.at);
    const next = this.lexer.peek();
    if (minus && next !== undefined && isSpace(next)) throw this.lexer.unexpected(CLAUSE);
    this.lexer.skipSpace();
    const node = this.unary();
    this.nesting -= 1;
    return { not: node };
  }

  private descend(start: number, end: number): void {
    if (this.nesting === NESTING_MAX) throw this.lexer.error('too-deep', start, end, []);
    this.nesting += 1;
  }

  private primary(): Node {
    const next = this.lexer.peek();
    if (next === '(') return this.group();
    const keyword = ['AND', 'OR'].some((word) => this.lexer.clone().takeKeyword(word));
    if (keyword || next === undefined || (next !== '"' && endsWord(next))) throw this.unexpectedWord(CLAUSE);
    return this.clause();
  }

  private group(): Node {
    this.descend(this.lexer.at, this.lexer.at + 1);
    this.lexer.take('(');
    this.lexer.skipSpace();
    const node = this.or();
    if (!this.lexer.take(')')) throw this.lexer.unexpected(['AND', 'OR', ')']);
    this.nesting -= 1;
    return node;
  }

  /** A keyword where something else is expected is named whole. */
  private unexpectedWord(expected: string[]): FilterError {
    const after = this.lexer.clone();
    if (after.takeKeyword('AND') || after.takeKeyword('OR')) {
      return this.lexer.error('unexpected', this.lexer.at, after.at, expected);
    }
    return this.lexer.unexpected(expected);
  }

  private clause(): Node {
    const term = this.lexer.term();
    const after = this.lexer.clone();
    after.skipSpace();
    const next = after.peek();
    if (term.isBare('exists') && next === '(') {
      this.lexer.at = after.at;
      return this.exists();
    }
    if (next !== undefined && ':=!<>'.includes(next)) {
      const path = term.path(this.lexer);
      this.lexer.at = after.at;
      return this.comparison(path);
    }
    if (term.isReserved()) throw term.reserved(this.lexer);
    const word = term.word();
    if (word === undefined) throw after.unexpected(OPERATORS);
    if (word === '') throw this.lexer.error('unexpected', term.start, term.end, ['word']);
    this.separated();
    return { text: pattern(word) };
  }

  private exists(): Node {
    this.lexer.take('(');
    this.lexer.skipSpace();
    const first = this.lexer.peek();
    if (first === undefined || (first !== '"' && endsWord(first))) throw this.lexer.unexpected(['field']);
    const path = this.lexer.term().path(this.lexer);
    this.lexer.skipSpace();
    if (!this.lexer.take(')')) throw this.lexer.unexpected([')']);
    return { exists: path };
  }

  private comparison(field: string): Node {
    const op = this.operator();
    this.lexer.skipSpace();
    const start = this.lexer.at;
    const { text, quoted } = this.lexer.value();
    const time = quoted ? undefined : relative(this.lexer, text, start);
    if (time !== undefined && !ORDERING.includes(op)) {
      throw this.lexer.error('relative', start, this.lexer.at, ORDERING);
    }
    this.separated();
    if (time !== undefined) return { field, op, relative: time };
    return { field, op, value: op === ':' ? pattern(text) : plain(text) };
  }

  private operator(): Op {
    for (const op of [':', '!=', '<=', '>=', '=', '<', '>'] as Op[]) if (this.lexer.take(op)) return op;
    throw this.lexer.unexpected(OPERATORS);
  }

  /** What touches the next word is nearly always a forgotten quote. */
  private separated(): void {
    const next = this.lexer.peek();
    if (next !== undefined && !isSpace(next) && next !== ')') throw this.lexer.unexpected(['space', ')', 'end']);
  }
}

/** Reads `now`, `now-24h` or `now+1d` in its canonical form; undefined for any other bare value. */
function relative(lexer: Lexer, value: string, start: number): string | undefined {
  if (value === 'now') return 'now';
  const found = /^now([+-])(\d*)/.exec(value);
  if (!found) return undefined;
  const [head, sign, digits] = [found[0], found[1]!, found[2]!];
  const wrong = (at: number, expected: string[]): FilterError => {
    const point = lexer.text.codePointAt(at);
    const inside = at < start + value.length && point !== undefined;
    return lexer.error(inside ? 'unexpected' : 'end', at, inside ? at + String.fromCodePoint(point).length : at, expected);
  };
  if (digits === '') throw wrong(start + head.length, ['integer']);
  if (digits.length > DIGITS_MAX) throw wrong(start + 4 + DIGITS_MAX, UNITS);
  const unit = value[head.length];
  if (unit === undefined || !UNITS.includes(unit)) throw wrong(start + head.length, UNITS);
  if (value.length > head.length + 1) throw wrong(start + head.length + 1, ['space', ')', 'end']);
  const amount = Number(digits);
  return `now${amount === 0 ? '+' : sign}${amount}${unit}`;
}
