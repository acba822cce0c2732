// A tree into its canonical text, which parses back to the same tree.

import type { Node } from './ast.ts';
import { beginsNoValue, endsValue, endsWord, isReserved } from './chars.ts';

const has = (text: string, test: (c: string) => boolean): boolean => [...text].some(test);
const escaped = (text: string): string => text.replaceAll('"', '\\"');
const quoted = (text: string): string => `"${escaped(text)}"`;

/** One name of a path. `first`: it begins the path. `only`: it is the whole path. */
function printName(name: string, first: boolean, only: boolean): string {
  const special = has(name, (c) => endsWord(c) || c === '.' || c === '*' || c === '\\');
  const taken = (first && name.startsWith('-')) || (only && isReserved(name));
  return name === '' || taken || special ? quoted(name.replaceAll('\\', '\\\\')) : name;
}

export const printPath = (names: string[]): string =>
  names.map((name, index) => printName(name, index === 0, names.length === 1)).join('.');

function printWord(text: string): string {
  const bare = !text.startsWith('-') && !isReserved(text) && !has(text, (c) => c !== '"' && endsWord(c));
  return bare ? escaped(text) : quoted(text);
}

/** A value whose backslashes are escaped already. */
function printValue(text: string): string {
  const relative = text === 'now' || text.startsWith('now-') || text.startsWith('now+');
  const first = [...text][0];
  const bare =
    first !== undefined && !relative && !beginsNoValue(first) && !has(text, (c) => c !== '"' && endsValue(c));
  return bare ? escaped(text) : quoted(text);
}

export function print(node: Node): string {
  if ('and' in node) return node.and.map((part) => ('or' in part ? `(${print(part)})` : print(part))).join(' ');
  if ('or' in node) return node.or.map(print).join(' OR ');
  if ('not' in node) return 'and' in node.not || 'or' in node.not ? `-(${print(node.not)})` : `-${print(node.not)}`;
  if ('exists' in node) return `exists(${node.exists})`;
  if ('text' in node) return printWord(node.text);
  if ('relative' in node) return `${node.field}${node.op}${node.relative}`;
  const value = node.op === ':' ? node.value : node.value.replaceAll('\\', '\\\\');
  return `${node.field}${node.op}${printValue(value)}`;
}
