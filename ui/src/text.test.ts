import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exact, parseJson, printJson } from './client.ts';
import { adminDe } from './messages/admin.de.ts';
import { adminEn } from './messages/admin.en.ts';
import { connectDe } from './messages/connect.de.ts';
import { connectEn } from './messages/connect.en.ts';
import { consoleDe } from './messages/console.de.ts';
import { consoleEn } from './messages/console.en.ts';
import { de } from './messages/de.ts';
import { en } from './messages/en.ts';
import { moreDe } from './messages/more.de.ts';
import { moreEn } from './messages/more.en.ts';
import { proofsDe } from './messages/proofs.de.ts';
import { proofsEn } from './messages/proofs.en.ts';
import { TYPES, configOf, valuesOf } from './pages/types.ts';
import { fill } from './text.ts';
import { diffWords } from './viewer/diff.ts';

const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)/g)].map((found) => found[1]!).sort();

test('both catalogues have the same messages with the same holes', () => {
  for (const [english, german] of [[en, de], [consoleEn, consoleDe], [adminEn, adminDe], [connectEn, connectDe], [moreEn, moreDe], [proofsEn, proofsDe]] as Record<string, string>[][]) {
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

test('every type of destination and each of its settings has a name in words', () => {
  const words = connectEn as Record<string, string>;
  for (const [type, { settings }] of Object.entries(TYPES)) {
    assert.ok(words[`type.${type}`] && words[`type.${type}.hint`], type);
    for (const { name } of settings) assert.ok(words[`setting.${name}`], `${type}: ${name}`);
  }
});

test('fields become a configuration and a configuration fields', () => {
  const values = { bucket: 'b', 'object_lock.mode': 'governance', 'object_lock.days': '30', secret_access_key: 's', prefix: ' ' };
  const config = configOf('s3', values);
  assert.deepEqual(config, { bucket: 'b', secret_access_key: 's', object_lock: { mode: 'governance', days: 30 } });
  assert.deepEqual(valuesOf('s3', config), { bucket: 'b', 'object_lock.mode': 'governance', 'object_lock.days': '30' });
  const webhook = configOf('webhook', { url: 'https://a.example', headers: 'authorization: Bearer a:b\nx-one:1', 'payload.encode': 'gzip, base64' });
  assert.deepEqual(webhook, { url: 'https://a.example', headers: { authorization: 'Bearer a:b', 'x-one': '1' }, payload: { encode: ['gzip', 'base64'] } });
  // Of secret headers the server tells the names.
  assert.equal(valuesOf('webhook', { headers: ['authorization'] })['headers'], 'authorization: ');
  assert.deepEqual(configOf('nats', { address: 'a:1', tls: 'false' }), { address: 'a:1' });
});
