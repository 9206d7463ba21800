import {describe, expect, test} from 'vitest';

import {changesOf, diffLines} from './diff';

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
const sideOf = (lines: ReturnType<typeof diffLines>, without: 'old' | 'new') =>
  lines.filter(({kind}) => kind !== without).map((line) => line.text);

describe('what changed between two texts', () => {
  test('one line that is another', () => {
    expect(diffLines('a: 1\nb: 2\nc: 3\n', 'a: 1\nb: 4\nc: 3\n')).toEqual([
      {kind: 'same', text: 'a: 1'}, {kind: 'old', text: 'b: 2'}, {kind: 'new', text: 'b: 4'}, {kind: 'same', text: 'c: 3'}]);
  });

  test('nothing, from nothing, to nothing', () => {
    expect(diffLines('a\n', 'a')).toEqual([{kind: 'same', text: 'a'}]);
    expect(diffLines('', '')).toEqual([]);
    expect(diffLines('', 'a\n')).toEqual([{kind: 'new', text: 'a'}]);
    expect(diffLines('a\n', '')).toEqual([{kind: 'old', text: 'a'}]);
  });

  test('both sides can be read from it, and it is as short as can be', () => {
    let seed = 7;
    const below = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
    for (let round = 0; round < 300; ++round) {
      const before = Array.from({length: below(12)}, () => 'abc'[below(3)]!);
      const after = Array.from({length: below(12)}, () => 'abc'[below(3)]!);
      const lines = diffLines(text(before), text(after));
      expect(sideOf(lines, 'new')).toEqual(before);
      expect(sideOf(lines, 'old')).toEqual(after);
      expect(lines.filter(({kind}) => kind === 'same').length).toBe(longest(before, after));
    }
  });

  test('what is too long to compare is replaced whole', () => {
    const before = Array.from({length: 3000}, (_, n) => `old ${n}`);
    const after = Array.from({length: 3000}, (_, n) => `new ${n}`);
    const lines = diffLines(text(before), text(after));
    expect(sideOf(lines, 'new')).toEqual(before);
    expect(sideOf(lines, 'old')).toEqual(after);
  });

  test('what is far from any change is left out', () => {
    const before = Array.from({length: 20}, (_, n) => String(n));
    const after = before.map((line) => (line === '10' ? 'ten' : line));
    expect(changesOf(diffLines(text(before), text(after)), 2)).toEqual([
      {kind: 'skipped', count: 8}, {kind: 'same', text: '8'}, {kind: 'same', text: '9'}, {kind: 'old', text: '10'},
      {kind: 'new', text: 'ten'}, {kind: 'same', text: '11'}, {kind: 'same', text: '12'}, {kind: 'skipped', count: 7}]);
    expect(changesOf(diffLines('a', 'a'))).toEqual([{kind: 'skipped', count: 1}]);
  });
});

/** How many lines two lists have in common in this order, at most. */
function longest(a: readonly string[], b: readonly string[]): number {
  const rows = Array.from({length: a.length + 1}, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; ++i) {
    for (let j = 1; j <= b.length; ++j) {
      rows[i]![j] = a[i - 1] === b[j - 1] ? rows[i - 1]![j - 1]! + 1 : Math.max(rows[i - 1]![j]!, rows[i]![j - 1]!);
    }
  }
  return rows[a.length]![b.length]!;
}
