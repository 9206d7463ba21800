/** Jobs that were chosen in the list, and what is done with all of them. */
import {useRef, useState} from 'react';
import {useDispatch} from 'react-redux';

import {api, errorText, useStopJobMutation, type Job, type JobState, type JobView} from '../api/api';
import {count, number} from '../lib/format';
import {isOver} from '../lib/jobs';
import {PLAYED} from '../lib/world';
import type {AppDispatch} from '../store';
import {Confirm} from './Confirm';

export type Chosen = ReadonlyMap<number, Pick<Job, 'id' | 'state'>>;

const STOPPED_AT_ONCE = 4; // a browser has six connections to one server, and one is the live stream
const READ_AT_ONCE = 1000; // jobs in one answer
const PASSES = 3; // over a list that changes while it is read
const ERRORS_SHOWN = 3;
const OPEN: readonly JobState[] = ['queued', 'starting', 'running', 'preempting', 'stopping'];

/** The states of a view's jobs that are not over; empty where it shows only those that are. */
export function openStates(view: JobView): string {
  const wanted = view.state?.split(',');
  return OPEN.filter((state) => !wanted || wanted.includes(state)).join(',');
}

/** Reads which jobs a view has that are not over. They come and go meanwhile, so it looks again where some are missing. */
export function useAllOf(view: JobView) {
  const dispatch = useDispatch<AppDispatch>();
  const [read, setRead] = useState<{known: number; total: number} | null>(null);
  const [error, setError] = useState('');
  const ending = useRef<AbortController | null>(null);
  const state = openStates(view);
  const run = async (done: (jobs: Chosen) => void) => {
    ending.current?.abort();
    const own = ending.current = new AbortController();
    const found = new Map<number, Pick<Job, 'id' | 'state'>>();
    setError('');
    setRead({known: 0, total: 0});
    try {
      let missing = true;
      for (let pass = 0; missing && pass < PASSES; ++pass) {
        let total = 0;
        let offset = 0;
        do {
          const page = await dispatch(api.endpoints.listJobs.initiate(
            {state, queue: view.queue, search: view.search, sort: 'id', order: 'asc', offset, limit: READ_AT_ONCE},
            {forceRefetch: true, subscribe: false})).unwrap();
          if (own.signal.aborted) return;
          for (const job of page.jobs) found.set(job.id, {id: job.id, state: job.state});
          total = page.total ?? 0;
          offset += READ_AT_ONCE;
          setRead({known: found.size, total});
        } while (offset < total);
        missing = found.size < total;
      }
      done(found);
    } catch (problem) {
      if (!own.signal.aborted) setError(errorText(problem));
    }
    if (!own.signal.aborted) setRead(null);
  };
  const stop = () => {
    ending.current?.abort();
    setRead(null);
  };
  return {run, stop, read, error, none: state === ''};
}

interface Progress {
  all: number;
  done: number; // asked for, with or without success
  wrong: string[]; // jobs that could not be stopped, and why
  state: 'running' | 'over' | 'broken off';
}

/** Stops jobs a few at a time; what could not be stopped stays chosen. */
function useStopAll(choose: (left: Chosen) => void) {
  const [stop] = useStopJobMutation();
  const [progress, setProgress] = useState<Progress | null>(null);
  const broken = useRef(false);
  const run = async (jobs: readonly Pick<Job, 'id' | 'state'>[]) => {
    broken.current = false;
    const line = [...jobs];
    const left = new Map<number, Pick<Job, 'id' | 'state'>>();
    const wrong: string[] = [];
    let done = 0;
    const tell = (state: Progress['state']) => setProgress({all: jobs.length, done, wrong: [...wrong], state});
    tell('running');
    let at = 0;
    const work = async () => {
      while (at < line.length && !broken.current) {
        const job = line[at++]!;
        const answer = await stop(job.id);
        ++done;
        if (answer.error) {
          wrong.push(`job ${job.id}: ${errorText(answer.error)}`);
          left.set(job.id, job);
        }
        if (done % STOPPED_AT_ONCE === 0) tell('running');
      }
    };
    await Promise.all(Array.from({length: STOPPED_AT_ONCE}, work));
    for (const job of line.slice(at)) left.set(job.id, job);
    tell(broken.current ? 'broken off' : 'over');
    choose(left);
  };
  return {run, progress, breakOff: () => { broken.current = true; }, forget: () => setProgress(null)};
}

export function Bulk({chosen, choose, all, simulated}: {
  chosen: Chosen;
  choose: (chosen: Chosen) => void;
  all: ReturnType<typeof useAllOf>;
  simulated: boolean;
}) {
  const {run, progress, breakOff, forget} = useStopAll(choose);
  const open = [...chosen.values()].filter((job) => !isOver(job.state));
  const running = progress?.state === 'running';
  if (chosen.size === 0 && progress === null && all.read === null && all.error === '') return null;
  return (
    <div className="bulk" role="region" aria-label="Chosen jobs">
      {all.read ? (
        <>
          <span role="status">reading which jobs match: {number(all.read.known)}{all.read.total > 0 && ` of ${number(all.read.total)}`}</span>
          <progress max={all.read.total || 1} value={all.read.known} aria-label="Reading which jobs match" />
          <button onClick={all.stop}>Stop reading</button>
        </>
      ) : running ? (
        <>
          <span role="status">{number(progress.done)} of {count(progress.all, 'job')} asked to stop</span>
          <progress max={progress.all} value={progress.done} aria-label="Stopping" />
          <button onClick={breakOff}>Stop no more</button>
        </>
      ) : (
        <>
          <span>{count(chosen.size, 'job')} chosen, {number(open.length)} of them not over</span>
          <Confirm label="Stop" yes={`Yes, stop ${count(open.length, 'job')}`} disabled={open.length === 0 || simulated}
            act={() => void run(open)} />
          {simulated && <span className="quiet">{PLAYED}</span>}
          <button onClick={() => { forget(); choose(new Map()); }}>{chosen.size > 0 ? 'Choose none' : 'Close'}</button>
        </>
      )}
      {progress && !running && (
        <span role="status">
          {count(progress.done - progress.wrong.length, 'job')} asked to stop
          {progress.state === 'broken off' && `; ${number(progress.all - progress.done)} not, as you said`}
        </span>
      )}
      {all.error && <p role="alert" className="bad">Which jobs match could not be read: {all.error}</p>}
      {progress !== null && progress.wrong.length > 0 && (
        <p role="alert" className="bad">
          {count(progress.wrong.length, 'job')} could not be stopped: {progress.wrong.slice(0, ERRORS_SHOWN).join('; ')}
          {progress.wrong.length > ERRORS_SHOWN && ` and ${number(progress.wrong.length - ERRORS_SHOWN)} more`}
        </p>
      )}
    </div>
  );
}
