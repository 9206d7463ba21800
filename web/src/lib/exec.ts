/** The frames of a command in a task (docs/guide/exec.md): the first byte of a message says what the rest is. */

export const SUBPROTOCOL = 'v5.channel.k8s.io';
const INPUT = 0;
const RESIZE = 4;
const PIECE_MAX = 60_000; // a message has 64 KiB at most

export interface Size {
  columns: number;
  rows: number;
}

/** Where a command is run, with a terminal of that size. */
export function execAddress(origin: string, job: number, rank: number, command: readonly string[], {columns, rows}: Size): string {
  const query = new URLSearchParams({tty: 'true', term: 'xterm-256color', rank: String(rank), columns: String(columns), rows: String(rows)});
  for (const word of command) query.append('command', word);
  return `${origin.replace(/^http/, 'ws')}/v1/jobs/${job}/exec?${query}`;
}

/** What was typed or pasted, as messages. */
export function inputFrames(bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const frames: Uint8Array<ArrayBuffer>[] = [];
  for (let from = 0; from < bytes.length; from += PIECE_MAX) {
    const piece = bytes.subarray(from, from + PIECE_MAX);
    const frame = new Uint8Array(piece.length + 1);
    frame[0] = INPUT;
    frame.set(piece, 1);
    frames.push(frame);
  }
  return frames;
}

export function sizeFrame({columns, rows}: Size): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify({Width: columns, Height: rows}));
  const frame = new Uint8Array(text.length + 1);
  frame[0] = RESIZE;
  frame.set(text, 1);
  return frame;
}

export type ServerFrame = {kind: 'output'; bytes: Uint8Array} | {kind: 'over'; why: string} | {kind: 'unknown'};

export function readFrame(message: ArrayBuffer): ServerFrame {
  const bytes = new Uint8Array(message);
  if (bytes[0] === 1 || bytes[0] === 2) return {kind: 'output', bytes: bytes.subarray(1)};
  if (bytes[0] === 3) return {kind: 'over', why: overText(new TextDecoder().decode(bytes.subarray(1)))};
  return {kind: 'unknown'};
}

/** A Kubernetes Status, for a person. */
function overText(json: string): string {
  try {
    const status = JSON.parse(json) as {status?: string; message?: string; details?: {causes?: {reason?: string; message?: string}[]}};
    if (status.status === 'Success') return 'The command has ended.';
    const code = status.details?.causes?.find(({reason}) => reason === 'ExitCode')?.message;
    if (code !== undefined) return `The command has ended with exit code ${code}.`;
    return `The command has ended: ${status.message ?? 'nothing more is known'}.`;
  } catch {
    return 'The command has ended.';
  }
}

/** "python3 -m pdb" as words; quotes hold them together. */
export function wordsOf(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? '');
}
