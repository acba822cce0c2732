// The shared cases of fixtures/filter/, which the service's parser runs too.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FilterError, type Node } from './ast.ts';
import { parse } from './parse.ts';
import { print } from './print.ts';

type Case = { text?: string; repeat?: unknown; json?: Node; [name: string]: unknown };
const cases = (name: string): Case[] =>
  JSON.parse(readFileSync(`${process.env['FIXTURES']}/filter/${name}.json`, 'utf8')).cases;

function textOf(each: Case): string {
  const { text = '', times = 0 } = (each.repeat ?? {}) as { text?: string; times?: number };
  return (each.text ?? '') + text.repeat(times);
}

test('texts give their JSON form, and its text parses to the same', () => {
  for (const each of cases('parse')) {
    const text = textOf(each);
    const node = parse(text);
    assert.deepEqual(node, each.json, text.slice(0, 200));
    assert.deepEqual(parse(print(node)), node, text.slice(0, 200));
  }
});

test('refused texts name place, length, reason and what could stand there', () => {
  for (const each of cases('errors')) {
    const text = textOf(each);
    try {
      parse(text);
      assert.fail(`accepted: ${text.slice(0, 200)}`);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      const { reason, offset, length, expected } = error;
      const wanted = { reason: each['reason'], offset: each['offset'], length: each['length'], expected: each['expected'] };
      assert.deepEqual({ reason, offset, length, expected }, wanted, text.slice(0, 200));
    }
  }
});

test('canonical texts print to themselves', () => {
  for (const each of cases('print')) assert.equal(print(parse(each.text!)), each.text);
});

test('any text is parsed or refused with a span inside it, and what is parsed prints to itself', () => {
  const pieces = ['a', '.', ':', '=', '!', '<', '>', '"', '\\', '*', '(', ')', '-', ' ', 'AND', 'OR', 'NOT', 'exists(',
    'now', 'now-1h', '5', 'é', '𝒳', '\u0000', '\u3000', 'x y'];
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let round = 0; round < 20000; round++) {
    const text = Array.from({ length: random(9) }, () => pieces[random(pieces.length)]).join('');
    try {
      const node = parse(text);
      assert.deepEqual(parse(print(node)), node, text);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      assert.ok(error.offset + error.length <= new TextEncoder().encode(text).length, text);
    }
  }
});
