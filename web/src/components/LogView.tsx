/** A job's output as it is written, with search. Goes on where it was when the server comes back. */
import {useVirtualizer} from '@tanstack/react-virtual';
import {useEffect, useMemo, useReducer, useRef, useState} from 'react';

import {useAddress} from '../lib/address';
import {bytes, count, number} from '../lib/format';
import {LogLines} from '../lib/log';
import {followLog, logUrl, readAround, type LogName, type LogState, type Stream} from '../lib/logReading';
import {Choice} from './Bits';
import {LogSearch} from './LogSearch';
import {Empty} from './States';

const LINES_MAX = 100_000;
const LINE_PX = 19;
const REDRAW_MS = 80;

const WORDS: Record<LogState, string> = {
  reading: 'reading', live: 'live', over: 'ended', part: 'a part of it', away: 'the server is away; goes on by itself', none: '',
};

/** Reads into a log: its end as it grows, or what stands around the byte `at`. `comes`: it may begin yet. */
function useLog(name: LogName, at: number | null, comes: boolean) {
  const begins = useRef(comes); // when it is opened: a later start is heard through the stream
  begins.current = comes;
  const log = useRef(new LogLines(LINES_MAX));
  const [state, setState] = useState<LogState>('reading');
  const [target, setTarget] = useState<number | null>(null); // the line at `at`, of all that were read
  const [version, redraw] = useReducer((n: number) => n + 1, 0);
  const {job, rank, attempt, stream} = name;
  useEffect(() => {
    const lines = new LogLines(LINES_MAX);
    log.current = lines;
    setState('reading');
    setTarget(null);
    redraw();
    let timer = 0;
    const tell = (now: LogState) => {
      setState(now);
      timer ||= window.setTimeout(() => {
        timer = 0;
        redraw();
      }, REDRAW_MS);
    };
    const which = {job, rank, attempt, stream};
    if (at === null) {
      const stop = followLog(which, lines, begins.current, tell);
      return () => {
        window.clearTimeout(timer);
        stop();
      };
    }
    const ending = new AbortController();
    readAround(which, at, lines, ending.signal, () => setTarget(lines.dropped + lines.shown().length)).then(tell, () => {
      if (!ending.signal.aborted) tell('away');
    });
    return () => {
      window.clearTimeout(timer);
      ending.abort();
    };
  }, [job, rank, attempt, stream, at]);
  return {log: log.current, state, target, version};
}

/** `comes`: the job is not over, so what is chosen may begin yet. */
export function LogView({job, rank, attempt, comes}: {job: number; rank: number; attempt: number; comes: boolean}) {
  const [params, change] = useAddress();
  const stream: Stream = params.get('stream') === 'stderr' ? 'stderr' : 'stdout';
  const asked = params.get('at');
  const at = asked !== null && /^\d{1,15}$/.test(asked) ? Number(asked) : null;
  const name: LogName = {job, rank, attempt, stream};
  const {log, state, target, version} = useLog(name, at, comes);
  const [search, setSearch] = useState('');
  const [everywhere, setEverywhere] = useState(''); // what all of the log is searched for
  const [hit, setHit] = useState<number | null>(null);

  const lines = useMemo(() => [...log.shown()], [log, version]); // `version` stands for the content of `log`
  const hits = useMemo(() => {
    const wanted = search.toLowerCase();
    return wanted ? lines.flatMap((line, index) => (line.toLowerCase().includes(wanted) && !log.isNote(index) ? [index] : [])) : [];
  }, [lines, search, log]);
  const found = target === null ? undefined : target - log.dropped;
  const current = hit === null && found !== undefined ? found
    : hits.length > 0 ? hits[(((hit ?? 0) % hits.length) + hits.length) % hits.length] : undefined;
  const part = !log.whole && log.count > 0 ? ` of the ${bytes(log.offset - log.begun)} shown` : '';

  return (
    <div className="log">
      <div className="bar">
        <Choice label="Which output" options={['stdout', 'stderr'] as const} chosen={stream}
          choose={(one) => change({stream: one === 'stdout' ? '' : one, at: ''})} />
        <input type="search" placeholder="search the output" aria-label="Search the output" value={search} maxLength={256}
          onChange={(event) => { setSearch(event.target.value); setHit(0); }}
          onKeyDown={(event) => { if (event.key === 'Enter') setHit((n) => (n ?? 0) + (event.shiftKey ? -1 : 1)); }} />
        {search && (
          <span role="status">
            {hits.length === 0 ? `not found${part && ` in the ${bytes(log.offset - log.begun)} shown`}`
              : `${number(hits.indexOf(current ?? -1) + 1)} of ${count(hits.length, 'line')}${part}`}
          </span>
        )}
        {search && part && <button onClick={() => setEverywhere(search)}>Search all {bytes(log.size)}</button>}
        <span className="grow" />
        <span role="status" className="quiet" data-testid="log-state">{state === 'over' && log.whole ? 'complete' : WORDS[state]}</span>
        <a href={logUrl(name, '')} target="_blank" rel="noreferrer">raw, first 64 KiB</a>
      </div>
      {everywhere && <LogSearch key={`${rank} ${attempt} ${stream} ${everywhere}`} name={name} text={everywhere} at={at}
        go={(offset) => { setHit(null); change({at: String(offset)}); }} close={() => setEverywhere('')} />}
      {lines.length === 0
        ? <Empty>{nothing(name, state)}</Empty>
        : <Lines lines={lines} search={search} current={current} log={log} />}
      <p className="foot">
        {extent(log, state)}{' '}
        {lines.length > 0 && log.begun > 0 && <button onClick={() => { setHit(null); change({at: '0'}); }}>Show its beginning</button>}{' '}
        {at !== null && <button onClick={() => { setHit(null); change({at: ''}); }}>Show its end</button>}
      </p>
    </div>
  );
}

/** Why there is no line. */
function nothing({rank, attempt, stream}: LogName, state: LogState): string {
  const which = attempt > 0 ? ` in attempt ${attempt}` : '';
  if (state === 'none') return `No output of task ${rank}${which} is kept: the task did not start, or its log is gone.`;
  if (state === 'away') return 'It cannot be read just now.';
  return state === 'over' ? `Nothing was written to ${stream}.` : `Nothing has been written to ${stream} yet.`;
}

/** How much of the log is here. */
function extent(log: LogLines, state: LogState): string {
  if (log.attempt === 0) return '';
  const lines = count(log.count, 'line');
  const where = `of attempt ${log.attempt}`;
  if (log.whole) return `${lines}, all ${bytes(log.offset)} ${where}${state === 'over' ? '' : ' so far'}`;
  if (log.dropped > 0) return `the latest ${lines} of the log ${where}, which has ${bytes(log.size)}; those before are not in this page`;
  const begin = log.begun > 0 ? `from ${bytes(log.begun)} after its beginning on` : 'from its beginning on';
  return `${lines} ${where}: ${bytes(log.offset - log.begun)} of ${bytes(log.size)}, ${begin}`;
}

function Lines({lines, search, current, log}: {
  lines: readonly string[];
  search: string;
  current: number | undefined;
  log: LogLines;
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
      {log.dropped > 0 && <div className="quiet">{count(log.dropped, 'earlier line')} not kept in this page</div>}
      <div style={{height: virtual.getTotalSize(), position: 'relative'}}>
        {virtual.getVirtualItems().map((item) => (
          <div key={item.key} className={`line${item.index === current ? ' current' : ''}${log.isNote(item.index) ? ' quiet' : ''}`} dir="auto"
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
