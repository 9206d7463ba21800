/** Reads one task's log from the server into a page: its end as it grows, or the part around a place. */
import {follow as followStream} from '../api/stream';
import type {LogLines, Piece} from './log';

export type Stream = 'stdout' | 'stderr';

/** Which log. */
export interface LogName {
  job: number;
  rank: number;
  attempt: number; // 0: the latest, and those after it
  stream: Stream;
}

/** How the reading stands: "part" where it stopped on purpose before the end, "none" where there is no such log. */
export type LogState = 'reading' | 'live' | 'over' | 'part' | 'away' | 'none';

const TAIL_BYTES = 1024 * 1024; // a longer log begins this far before its end
const AROUND_BYTES = 256 * 1024; // read before a place, and after it
const RETRY_MS = 1500;

export function logUrl({job, rank, attempt, stream}: LogName, what: '' | '/search', more: Record<string, string | number> = {}): string {
  const query = new URLSearchParams({stream});
  if (rank > 0) query.set('rank', String(rank));
  if (attempt > 0) query.set('attempt', String(attempt));
  for (const [name, value] of Object.entries(more)) query.set(name, String(value));
  return `/v1/jobs/${job}/logs${what}?${query}`;
}

interface Beginning {
  attempt: number;
  offset: number;
  size: number;
}

/** Where to begin, so that a log of gigabytes does not have to come through whole; null: there is no such log. */
async function beginning(name: LogName, signal: AbortSignal): Promise<Beginning | null> {
  const answer = await fetch(logUrl(name, '', {offset: 0}), {method: 'HEAD', signal});
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const size = Number(answer.headers.get('X-Log-Size') ?? 0);
  if (size <= TAIL_BYTES) return {attempt: name.attempt, offset: 0, size};
  return {attempt: Number(answer.headers.get('X-Attempt') ?? 0), offset: size - TAIL_BYTES, size};
}

/**
 * Follows a log from near its end on into `log`, until `stop` is called; goes on where it was when the server comes back.
 * One of a chosen attempt ends with it. `comes`: it may begin yet.
 */
export function followLog(name: LogName, log: LogLines, comes: boolean, tell: (state: LogState) => void): () => void {
  const ending = new AbortController();
  let source: EventSource | null = null;
  let timer = 0;
  let first: Beginning | null | undefined;
  const again = () => {
    source?.close();
    tell('away');
    timer = window.setTimeout(() => void open(), RETRY_MS);
  };
  const end = (state: LogState) => {
    source?.close();
    tell(state);
  };
  const open = async () => {
    try {
      first ??= await beginning(name, ending.signal);
    } catch {
      if (!ending.signal.aborted) again();
      return;
    }
    if (ending.signal.aborted) return;
    if (first === null && !comes) return tell('none');
    log.size = Math.max(log.size, first?.size ?? 0);
    const at = log.attempt > 0 ? log : first ?? {attempt: name.attempt, offset: 0};
    source = new EventSource(logUrl({...name, attempt: at.attempt}, '', {follow: 'true', offset: at.offset}));
    source.addEventListener('open', () => tell('live'));
    source.addEventListener('log', (event) => {
      const piece = JSON.parse((event as MessageEvent<string>).data) as Piece;
      if (name.attempt > 0 && piece.attempt > name.attempt) return end(log.attempt > 0 ? 'over' : 'none');
      if (log.add(piece)) tell('live');
    });
    source.addEventListener('dropped', (event) => {
      const {attempt, offset, bytes} = JSON.parse((event as MessageEvent<string>).data) as {attempt: number; offset: number; bytes: number};
      if (name.attempt === 0 || attempt === name.attempt) log.drop(attempt, offset, bytes);
    });
    source.addEventListener('end', () => end('over'));
    source.addEventListener('error', again);
  };
  void open();
  return () => {
    ending.abort();
    window.clearTimeout(timer);
    source?.close();
  };
}

/** Reads what stands around a place into `log`, then calls `reached` where that place is to come next. */
export async function readAround(name: LogName, at: number, log: LogLines, signal: AbortSignal, reached: () => void): Promise<LogState> {
  let offset = Math.max(0, at - AROUND_BYTES);
  let said = false;
  while (offset < at + AROUND_BYTES) {
    const answer = await fetch(logUrl(name, '', {offset}), {signal});
    if (answer.status === 404) return 'none';
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    const header = (key: string) => Number(answer.headers.get(key) ?? 0);
    const attempt = header('X-Attempt');
    const dropped = header('X-Log-Dropped');
    log.size = header('X-Log-Size');
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (dropped > 0) log.drop(attempt, offset, dropped);
    const begin = offset + dropped;
    const cut = said ? 0 : Math.min(bytes.length, Math.max(0, at - begin));
    if (cut > 0) log.add({attempt, offset: begin, bytes: bytes.subarray(0, cut)});
    if (!said && begin + bytes.length > at) {
      said = true;
      reached();
    }
    log.add({attempt, offset: begin + cut, bytes: bytes.subarray(cut)});
    offset = begin + bytes.length;
    if (bytes.length === 0 || offset >= log.size) return answer.headers.get('X-Log-Over') === 'true' ? 'over' : 'part';
  }
  return 'part';
}

/** A line that has what was searched for. */
export interface Found {
  offset: number; // of its first byte
  text: string;
}

export interface Search {
  lines: Found[];
  searched: number; // bytes from the log's beginning
  size: number;
  dropped: number; // bytes that are not kept, and were not searched
  state: 'running' | 'done' | 'failed';
  more: boolean; // it stopped at as many lines as it may tell
  error: string;
}

export const NOTHING_FOUND: Search = {lines: [], searched: 0, size: 0, dropped: 0, state: 'running', more: false, error: ''};

/** Has the server search all of a log, and tells how far it is. */
export async function searchLog(name: LogName, text: string, limit: number, signal: AbortSignal, tell: (search: Search) => void): Promise<void> {
  let search = NOTHING_FOUND;
  const done = new AbortController();
  const stop = () => done.abort();
  signal.addEventListener('abort', stop);
  const take = (change: Partial<Search>) => tell(search = {...search, ...change});
  try {
    await followStream(logUrl(name, '/search', {text, limit}), done.signal, () => undefined, ({type, data}) => {
      const said = JSON.parse(data) as Partial<Search> & Found & {detail: string};
      if (type === 'line') take({lines: [...search.lines, {offset: said.offset, text: said.text}]});
      else if (type === 'progress') take({searched: said.searched!, size: said.size!});
      else {
        if (type === 'end') take({searched: said.searched!, size: said.size!, dropped: said.dropped!, more: said.more!, state: 'done'});
        else take({state: 'failed', error: said.detail});
        stop();
      }
    });
  } catch (problem) {
    if (!signal.aborted && search.state === 'running') take({state: 'failed', error: problem instanceof Error ? problem.message : String(problem)});
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
