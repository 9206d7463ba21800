/** Work in pieces, so that the browser can paint and answer between them. */

const SLICE_MS = 8;

declare const scheduler: {yield?: () => Promise<void>} | undefined;

/** Lets the browser do what waits. */
export function breathe(): Promise<void> {
  if (typeof scheduler !== 'undefined' && scheduler.yield) return scheduler.yield();
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** One piece of work: says when the browser should have its turn. */
export class Slice {
  private endsMs = performance.now() + SLICE_MS;

  async rest(): Promise<void> {
    if (performance.now() < this.endsMs) return;
    await breathe();
    this.endsMs = performance.now() + SLICE_MS;
  }
}

const CHECK_EVERY = 64; // elements between two looks at the clock

/**
 * `{"NAME": [...]}` as JSON.parse reads it, but an element at a time. The elements, and their list, are frozen: the store
 * would do it otherwise, all at once. Text of another form is read in one go.
 */
export async function parseElements<T>(text: string, name: string): Promise<readonly T[]> {
  const opening = `{"${name}":[`;
  if (!text.startsWith(opening)) return (JSON.parse(text) as Record<string, T[]>)[name]!;
  const elements: T[] = [];
  const slice = new Slice();
  let from = opening.length;
  while (text[from] === '{') {
    const end = endOfObject(text, from);
    elements.push(deepFreeze(JSON.parse(text.slice(from, end)) as T));
    from = text[end] === ',' ? end + 1 : end;
    if (elements.length % CHECK_EVERY === 0) await slice.rest();
  }
  if (text[from] !== ']') throw new SyntaxError(`the list '${name}' has no end`);
  return Object.freeze(elements);
}

const MARK = /["{}]/g;
const QUOTE_OR_ESCAPE = /["\\]/g;

/** Where the object that begins at `from` is over. Errors: a SyntaxError where it never is. */
export function endOfObject(text: string, from: number): number {
  let depth = 0;
  MARK.lastIndex = from;
  for (let mark = MARK.exec(text); mark; mark = MARK.exec(text)) {
    if (mark[0] === '{') ++depth;
    else if (mark[0] === '}') {
      if (--depth === 0) return mark.index + 1;
    } else MARK.lastIndex = endOfText(text, mark.index + 1);
  }
  throw new SyntaxError('a JSON object has no end');
}

function endOfText(text: string, from: number): number {
  QUOTE_OR_ESCAPE.lastIndex = from;
  for (let mark = QUOTE_OR_ESCAPE.exec(text); mark; mark = QUOTE_OR_ESCAPE.exec(text)) {
    if (mark[0] === '"') return mark.index + 1;
    ++QUOTE_OR_ESCAPE.lastIndex;
  }
  throw new SyntaxError('a JSON text has no end');
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}
