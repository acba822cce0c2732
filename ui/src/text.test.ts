import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exact, parseJson, printJson } from './client.ts';
import { consoleDe } from './messages/console.de.ts';
import { consoleEn } from './messages/console.en.ts';
import { de } from './messages/de.ts';
import { en } from './messages/en.ts';
import { proofsDe } from './messages/proofs.de.ts';
import { proofsEn } from './messages/proofs.en.ts';
import { fill } from './text.ts';
import { diffWords } from './viewer/diff.ts';

const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)/g)].map((found) => found[1]!).sort();

test('both catalogues have the same messages with the same holes', () => {
  for (const [english, german] of [[en, de], [consoleEn, consoleDe], [proofsEn, proofsDe]] as Record<string, string>[][]) {
    assert.deepEqual(Object.keys(german!).sort(), Object.keys(english!).sort());
    for (const [key, text] of Object.entries(english!)) {
      assert.deepEqual(holes(german![key]!), holes(text), key);
      assert.ok(text !== '' || german![key] === '', key);
    }
  }
});

test('plurals and numbers follow the language', () => {
  assert.equal(fill('{n|one event|# events}', { n: 1 }, 'en'), 'one event');
  assert.equal(fill('{n|one event|# events}', { n: 12345 }, 'de'), '12.345 events');
  assert.equal(fill('{who} did it', { who: '{n}' }, 'en'), '{n} did it');
});

test('JSON is printed as it was read', () => {
  assert.equal(printJson({ a: [new Exact('9007199254740993')], b: {} }), '{\n  "a": [\n    9007199254740993\n  ],\n  "b": {}\n}');
  assert.deepEqual(parseJson('{"a":[1,"<b>"]}'), { a: [1, '<b>'] });
});

test('differences are words that went and came', () => {
  const shown = diffWords('the quick fox', 'the slow fox').map(([kind, text]) => `${kind}${text}`);
  assert.deepEqual(shown, ['=the ', '-quick', '+slow', '= fox']);
});
