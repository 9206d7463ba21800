/** Two texts line by line. */

export interface DiffLine {
  kind: 'same' | 'old' | 'new';
  text: string;
}

/** Lines that have nothing new around them, and are left out. */
export interface Skipped {
  kind: 'skipped';
  count: number;
}

const COMPARED_MAX = 4_000_000; // pairs of lines; beyond it all that differs is taken for replaced

const linesOf = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** The shortest way from one text to the other by whole lines, by their longest common subsequence. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = linesOf(before);
  const b = linesOf(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) ++head;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) ++tail;
  const same = (lines: readonly string[]) => lines.map((text): DiffLine => ({kind: 'same', text}));
  return [...same(a.slice(0, head)), ...between(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail))];
}

function between(a: readonly string[], b: readonly string[]): DiffLine[] {
  const removed = (text: string): DiffLine => ({kind: 'old', text});
  const added = (text: string): DiffLine => ({kind: 'new', text});
  if (a.length * b.length > COMPARED_MAX) return [...a.map(removed), ...b.map(added)];
  // common[i][j]: lines that a[i..] and b[j..] have in common.
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j]!;
  for (let i = a.length - 1; i >= 0; --i) {
    for (let j = b.length - 1; j >= 0; --j) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({kind: 'same', text: a[i]!});
      ++i;
      ++j;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) lines.push(removed(a[i++]!));
    else lines.push(added(b[j++]!));
  }
  return lines;
}

/** Only what changes, and `context` lines around it. */
export function changesOf(lines: readonly DiffLine[], context = 3): (DiffLine | Skipped)[] {
  const near = new Uint8Array(lines.length);
  lines.forEach(({kind}, index) => {
    if (kind !== 'same') near.fill(1, Math.max(0, index - context), Math.min(lines.length, index + context + 1));
  });
  const parts: (DiffLine | Skipped)[] = [];
  lines.forEach((line, index) => {
    const last = parts.at(-1);
    if (near[index]) parts.push(line);
    else if (last?.kind === 'skipped') ++last.count;
    else parts.push({kind: 'skipped', count: 1});
  });
  return parts;
}
