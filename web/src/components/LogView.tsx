/** A job's output as it is written, with search. Goes on where it was when the server comes back. */
import {useVirtualizer} from '@tanstack/react-virtual';
import {useEffect, useMemo, useReducer, useRef, useState} from 'react';

import {bytes, count, number} from '../lib/format';
import {LogLines, type Piece} from '../lib/log';
import {Choice} from './Bits';
import {Empty} from './States';

const LINES_MAX = 100_000;
const TAIL_BYTES = 1024 * 1024; // a longer log begins this far before its end
const LINE_PX = 19;
const RETRY_MS = 1500;
const REDRAW_MS = 80;

type Stream = 'stdout' | 'stderr';
type State = 'reading' | 'live' | 'over' | 'away' | 'none';

/** Where to begin, so that a log of gigabytes does not have to come through whole. */
async function beginning(id: number, stream: Stream, signal: AbortSignal): Promise<{attempt?: string; offset: number}> {
  const answer = await fetch(`/v1/jobs/${id}/logs?stream=${stream}&offset=0`, {method: 'HEAD', signal});
  const size = Number(answer.headers.get('X-Log-Size') ?? 0);
  if (!answer.ok || size <= TAIL_BYTES) return {offset: 0};
  return {attempt: answer.headers.get('X-Attempt') ?? undefined, offset: size - TAIL_BYTES};
}

/** Follows the log into `log`, until `stop` is called. */
function follow(id: number, stream: Stream, log: LogLines, started: boolean, tell: (state: State) => void): () => void {
  const ending = new AbortController();
  let source: EventSource | null = null;
  let timer = 0;
  let first: {attempt?: string; offset: number} | null = null;
  const again = () => {
    source?.close();
    tell('away');
    timer = window.setTimeout(() => void open(), RETRY_MS);
  };
  const open = async () => {
    try {
      first ??= started ? await beginning(id, stream, ending.signal) : {offset: 0};
    } catch {
      if (!ending.signal.aborted) again();
      return;
    }
    if (ending.signal.aborted) return;
    const at = log.attempt > 0 ? {attempt: String(log.attempt), offset: log.offset} : first;
    const query = new URLSearchParams({follow: 'true', stream, offset: String(at.offset)});
    if (at.attempt) query.set('attempt', at.attempt);
    source = new EventSource(`/v1/jobs/${id}/logs?${query}`);
    source.addEventListener('open', () => tell('live'));
    source.addEventListener('log', (event) => {
      if (log.add(JSON.parse((event as MessageEvent<string>).data) as Piece)) tell('live');
    });
    source.addEventListener('end', () => {
      source?.close();
      tell('over');
    });
    source.addEventListener('error', again);
  };
  void open();
  return () => {
    ending.abort();
    window.clearTimeout(timer);
    source?.close();
  };
}

const WORDS: Record<State, string> = {
  reading: 'reading', live: 'live', over: 'complete', away: 'the server is away; goes on by itself', none: '',
};

export function LogView({id, started}: {id: number; started: boolean}) {
  const begun = useRef(started); // a later start is heard through the stream
  const [stream, setStream] = useState<Stream>('stdout');
  const log = useRef(new LogLines(LINES_MAX));
  const [state, setState] = useState<State>('reading');
  const [version, redraw] = useReducer((n: number) => n + 1, 0);
  const [search, setSearch] = useState('');
  const [hit, setHit] = useState(0);

  useEffect(() => {
    log.current = new LogLines(LINES_MAX);
    setState('reading');
    redraw();
    let timer = 0;
    const stop = follow(id, stream, log.current, begun.current, (now) => {
      setState(now);
      timer ||= window.setTimeout(() => {
        timer = 0;
        redraw();
      }, REDRAW_MS);
    });
    return () => {
      window.clearTimeout(timer);
      stop();
    };
  }, [id, stream]);

  const lines = useMemo(() => [...log.current.shown()], [version]); // `version` stands for the content of `log`
  const hits = useMemo(() => {
    const wanted = search.toLowerCase();
    return wanted ? lines.flatMap((line, index) => (line.toLowerCase().includes(wanted) ? [index] : [])) : [];
  }, [lines, search]);
  const current = hits.length > 0 ? hits[((hit % hits.length) + hits.length) % hits.length] : undefined;

  return (
    <div className="log">
      <div className="bar">
        <Choice label="Which output" options={['stdout', 'stderr'] as const} chosen={stream} choose={setStream} />
        <input type="search" placeholder="search the output" aria-label="Search the output" value={search}
          onChange={(event) => { setSearch(event.target.value); setHit(0); }}
          onKeyDown={(event) => { if (event.key === 'Enter') setHit((n) => n + (event.shiftKey ? -1 : 1)); }} />
        {search && (
          <span role="status">
            {hits.length === 0 ? 'not found' : `${number(hits.indexOf(current!) + 1)} of ${count(hits.length, 'line')}`}
          </span>
        )}
        <span className="grow" />
        <span role="status" className="quiet" data-testid="log-state">{WORDS[state]}</span>
        <a href={`/v1/jobs/${id}/logs?stream=${stream}`} target="_blank" rel="noreferrer">raw, first 64 KiB</a>
      </div>
      {lines.length === 0
        ? <Empty>{state === 'over' ? `Nothing was written to ${stream}.` : `Nothing has been written to ${stream} yet.`}</Empty>
        : <Lines lines={lines} search={search} current={current} dropped={log.current.dropped} />}
      <p className="foot">{count(lines.length, 'line')}, {bytes(log.current.offset)} in this attempt</p>
    </div>
  );
}

function Lines({lines, search, current, dropped}: {
  lines: readonly string[];
  search: string;
  current: number | undefined;
  dropped: number;
}) {
  const scroll = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const virtual = useVirtualizer({
    count: lines.length, getScrollElement: () => scroll.current, estimateSize: () => LINE_PX, overscan: 20,
  });
  useEffect(() => {
    if (current !== undefined) virtual.scrollToIndex(current, {align: 'center'});
  }, [current, virtual]);
  useEffect(() => {
    const box = scroll.current;
    if (box && atEnd.current && current === undefined) box.scrollTop = box.scrollHeight;
  }, [lines, current]);
  return (
    <div className="lines" ref={scroll} tabIndex={0} role="log" aria-label="Output" aria-live="off"
      onScroll={(event) => {
        const box = event.currentTarget;
        atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 3 * LINE_PX;
      }}>
      {dropped > 0 && <div className="quiet">{count(dropped, 'earlier line')} not kept in this page</div>}
      <div style={{height: virtual.getTotalSize(), position: 'relative'}}>
        {virtual.getVirtualItems().map((item) => (
          <div key={item.key} className={item.index === current ? 'line current' : 'line'} dir="auto"
            style={{transform: `translateY(${item.start}px)`, height: LINE_PX}}>
            <Marked text={lines[item.index] ?? ''} wanted={search} />
          </div>
        ))}
      </div>
    </div>
  );
}

function Marked({text, wanted}: {text: string; wanted: string}) {
  const at = wanted ? text.toLowerCase().indexOf(wanted.toLowerCase()) : -1;
  if (at < 0) return <>{text || ' '}</>;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + wanted.length)}</mark>
      {text.slice(at + wanted.length)}
    </>
  );
}
