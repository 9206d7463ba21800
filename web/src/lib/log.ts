/** What is kept of a log in the page: whole lines, within a bound. All pure but for the class's own state. */

export interface Piece {
  attempt: number;
  offset: number; // bytes from the attempt's beginning
  text?: string;
  base64?: string;
  bytes?: Uint8Array;
}

export function pieceBytes(piece: Piece): Uint8Array {
  if (piece.bytes !== undefined) return piece.bytes;
  if (piece.base64 !== undefined) {
    return Uint8Array.from(atob(piece.base64), (c) => c.charCodeAt(0));
  }
  return new TextEncoder().encode(piece.text ?? '');
}

// CSI, OSC and two-byte escapes (ECMA-48); then what else cannot be shown.
const ESCAPES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-_]/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** A line as it can be shown: terminal colours taken out, what was overwritten by a carriage return left out. */
export function printable(line: string): string {
  const plain = line.replace(ESCAPES, '').replace(/\r+$/, '');
  return plain.slice(plain.lastIndexOf('\r') + 1).replace(CONTROLS, '\ufffd');
}

const bytesOf = (many: number) => `${many} byte${many === 1 ? '' : 's'}`;

const LINE_MAX = 10_000; // characters of one line; a longer one is broken

/**
 * Joins pieces to lines. A piece that begins before what is there already is cut, so nothing appears twice; one that
 * begins after it is told by a line of its own, so nothing is missing unsaid.
 */
export class LogLines {
  lines: string[] = [];
  dropped = 0; // lines no longer kept
  attempt = 0;
  begun = 0; // of the first attempt taken: bytes before what is here
  offset = 0; // bytes taken of this attempt
  size = 0; // bytes in the log of this attempt, as far as anybody has said
  private missing = false; // something between was not taken
  private notes: number[] = []; // which of all lines ever are this page's own words, in order
  private decoder = new TextDecoder();
  private open = ''; // a line without its end

  constructor(private readonly linesMax: number) {}

  /** True if something changed. */
  add(piece: Piece): boolean {
    let bytes = pieceBytes(piece);
    if (piece.attempt < this.attempt) return false;
    if (piece.attempt > this.attempt) this.begin(piece);
    else if (piece.offset < this.offset) bytes = bytes.subarray(this.offset - piece.offset);
    else if (piece.offset > this.offset) this.skip(piece.offset, 'shown');
    if (bytes.length === 0) return false;
    this.offset = Math.max(this.offset, piece.offset + pieceBytes(piece).length);
    this.size = Math.max(this.size, this.offset);
    const parts = (this.open + this.decoder.decode(bytes, {stream: true})).split('\n');
    this.open = parts.pop() ?? '';
    for (const part of parts) this.push(part);
    while (this.open.length > LINE_MAX) {
      this.lines.push(printable(this.open.slice(0, LINE_MAX)));
      this.open = this.open.slice(LINE_MAX);
    }
    this.trim();
    return true;
  }

  /** Bytes that the server has no longer, from an offset on. */
  drop(attempt: number, offset: number, bytes: number): void {
    if (attempt < this.attempt) return;
    if (attempt > this.attempt) this.begin({attempt, offset});
    if (offset + bytes > this.offset) this.skip(offset + bytes, 'kept');
  }

  /** Whether nothing is left out of what there was to read so far. */
  get whole(): boolean {
    return this.begun === 0 && this.dropped === 0 && !this.missing && this.offset >= this.size;
  }

  /** Lines of the log that are here, the one without an end as well. */
  get count(): number {
    return this.lines.length + (this.open ? 1 : 0) - this.notes.length;
  }

  /** Whether the line at `index` is no line of the log, but says what is not here. */
  isNote(index: number): boolean {
    return this.notes.includes(this.dropped + index);
  }

  /** All lines, the one without an end as well. */
  shown(): string[] {
    return this.open ? [...this.lines, printable(this.open)] : this.lines;
  }

  private begin(piece: Piece): void {
    if (this.attempt > 0) {
      this.note(`attempt ${piece.attempt}`);
      this.size = 0;
    } else {
      this.begun = piece.offset;
      if (piece.offset > 0) this.note(`${bytesOf(piece.offset)} before this are not shown`);
    }
    this.attempt = piece.attempt;
    this.offset = piece.offset;
    this.decoder = new TextDecoder();
  }

  private skip(to: number, why: 'shown' | 'kept'): void {
    this.note(`${bytesOf(to - this.offset)} are not ${why}`);
    this.missing = true;
    this.offset = to;
    this.size = Math.max(this.size, to);
  }

  private note(text: string): void {
    if (this.open) this.push(this.open);
    this.open = '';
    this.decoder = new TextDecoder();
    this.notes.push(this.dropped + this.lines.length);
    this.lines.push(`── ${text} ──`);
  }

  private push(line: string): void {
    for (let at = 0; at === 0 || at < line.length; at += LINE_MAX) {
      this.lines.push(printable(line.slice(at, at + LINE_MAX)));
    }
  }

  private trim(): void {
    const over = this.lines.length - this.linesMax;
    if (over <= 0) return;
    // By a tenth at a time: cutting one line off a long array for each new one would cost its length each time.
    const cut = Math.min(this.lines.length, over + Math.floor(this.linesMax / 10));
    this.lines = this.lines.slice(cut);
    this.dropped += cut;
    this.notes = this.notes.filter((line) => line >= this.dropped);
  }
}
