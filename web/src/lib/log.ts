/** What is kept of a log in the page: whole lines, within a bound. All pure but for the class's own state. */

export interface Piece {
  attempt: number;
  offset: number; // bytes from the attempt's beginning
  text?: string;
  base64?: string;
}

export function pieceBytes(piece: Piece): Uint8Array {
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

const LINE_MAX = 10_000; // characters of one line; a longer one is broken

/**
 * Joins pieces to lines. A piece that begins before what is there already is cut, so nothing appears twice; one that
 * begins after it is told by a line of its own, so nothing is missing unsaid.
 */
export class LogLines {
  lines: string[] = [];
  dropped = 0; // lines no longer kept
  attempt = 0;
  offset = 0; // bytes taken of this attempt
  private decoder = new TextDecoder();
  private open = ''; // a line without its end

  constructor(private readonly linesMax: number) {}

  /** True if something changed. */
  add(piece: Piece): boolean {
    let bytes = pieceBytes(piece);
    if (piece.attempt < this.attempt) return false;
    if (piece.attempt > this.attempt) this.begin(piece);
    else if (piece.offset < this.offset) bytes = bytes.subarray(this.offset - piece.offset);
    else if (piece.offset > this.offset) this.note(`${piece.offset - this.offset} bytes are not shown`);
    if (bytes.length === 0) return false;
    this.offset = Math.max(this.offset, piece.offset + pieceBytes(piece).length);
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

  /** All lines, the one without an end as well. */
  shown(): string[] {
    return this.open ? [...this.lines, printable(this.open)] : this.lines;
  }

  private begin(piece: Piece): void {
    if (this.attempt > 0) this.note(`attempt ${piece.attempt}`);
    else if (piece.offset > 0) this.note(`${piece.offset} bytes before this are not shown`);
    this.attempt = piece.attempt;
    this.offset = piece.offset;
    this.decoder = new TextDecoder();
  }

  private note(text: string): void {
    if (this.open) this.push(this.open);
    this.open = '';
    this.decoder = new TextDecoder();
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
  }
}
