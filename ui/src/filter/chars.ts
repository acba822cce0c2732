// Which characters end what. White space is the Unicode property, control characters are the category Cc.

const SPACE = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/;
const CONTROL = /^[\u0000-\u001f\u007f-\u009f]$/;

export const isSpace = (c: string): boolean => SPACE.test(c);
/** Ends a bare value wherever it stands. */
export const endsValue = (c: string): boolean => SPACE.test(c) || CONTROL.test(c) || c === '(' || c === ')' || c === '"';
/** Ends a bare word or name in front of an operator. */
export const endsWord = (c: string): boolean => endsValue(c) || ':=!<>'.includes(c);
/** No bare value begins like this: it looks like a second operator. */
export const beginsNoValue = (c: string): boolean => '=!<>'.includes(c);

const asciiLower = (text: string): string => text.replace(/[A-Z]/g, (c) => c.toLowerCase());
export const isReserved = (word: string): boolean => word === 'exists' || ['and', 'or', 'not'].includes(asciiLower(word));

const encoder = new TextEncoder();
/** Bytes of a text in UTF-8; a lone surrogate counts as the replacement character. */
export const bytes = (text: string): number => encoder.encode(text).length;

/** The canonical pattern: no two stars meet. */
export function pattern(escaped: string): string {
  let out = '';
  let star = false;
  for (let at = 0; at < escaped.length; at++) {
    const c = escaped[at]!;
    if (!(c === '*' && star)) out += c;
    star = c === '*';
    if (c === '\\') out += escaped[++at] ?? '';
  }
  return out;
}
