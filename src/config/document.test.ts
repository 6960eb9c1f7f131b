import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { complaint, load } from '../../test/support/pipeline.js';
import { initText } from './document.js';
import { kindOf, outline, type Outline } from './outline.js';
import { starterKinds } from './starters.js';

test.each(starterKinds)('the file for %s loads without a problem', (kind) => {
  expect(complaint(initText(kind))).toBe('no problem');
});

test.each(starterKinds)(
  'the file for %s writes every default out, so that leaving them out changes nothing',
  (kind) => {
    const written = load(initText(kind));
    const starter = parse(initText(kind)) as { logs: object; samples: object; features: object };
    const least = { logs: starter.logs, samples: starter.samples, features: starter.features };
    expect(load(JSON.stringify(least)).yaml).toEqual({ ...written.yaml, run: expect.any(String) as string });
  },
);

test.each(starterKinds)('the file for %s has every key of the schema with its description', (kind) => {
  const text = initText(kind);
  const words = text.replaceAll(/\n *# */g, ' ').replaceAll(/ {2,}/g, ' ');
  const { logs } = parse(text) as { logs: { kind: string } };
  expect(logs.kind).toBe(kind);
  for (const [name, node] of Object.entries(outline.properties ?? {}))
    checkKey(name, node, kind, text, words);
});

function checkKey(name: string, node: Outline, kind: string, text: string, words: string): void {
  expect(text).toMatch(new RegExp(`^ *(# )?${name}:`, 'm'));
  expect(words).toContain(node.description);
  if (text.includes(`# ${name}: {`)) return; // a whole section that may be left out, on one line
  const chosen = node.oneOf?.find((branch) => kindOf(branch) === kind) ?? node;
  for (const [key, child] of Object.entries(chosen.properties ?? {})) checkKey(key, child, kind, text, words);
}

test('every kind of a choice is mentioned', () => {
  const text = initText('simulate');
  for (const word of ['adamw: ', 'cosine: ', 'dates: ', 'popularity: ', 'multi_valued: ', 'kuairand: ']) {
    expect(text).toContain(`#   ${word}`);
  }
});

test('no line is longer than a screen', () => {
  const long = initText('kuairand')
    .split('\n')
    .filter((line) => line.length > 110);
  expect(long).toEqual([]);
});
