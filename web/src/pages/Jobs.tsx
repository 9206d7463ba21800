import {useVirtualizer} from '@tanstack/react-virtual';
import {useCallback, useEffect, useRef, useState} from 'react';
import {Link} from 'react-router';

import {useListJobsQuery, useListQueuesQuery, type Job, type JobView} from '../api/api';
import {Chips, Name, StateMark} from '../components/Bits';
import {Bulk, useAllOf, type Chosen} from '../components/Bulk';
import {Empty, Failed, Loading} from '../components/States';
import {useAddress} from '../lib/address';
import {useNow} from '../lib/clock';
import {count, duration, number, words} from '../lib/format';
import {isTyping} from '../lib/keys';
import {useRowKeys, useThrottled} from '../lib/rows';
import {useTitle} from '../lib/title';
import {timing} from '../lib/jobs';
import {useIsSimulated} from '../lib/world';

const PAGE = 100;
const ROW_PX = 44;
const READ_EVERY_MS = 150; // while a person scrolls through
const STATES = ['queued', 'starting', 'running', 'preempting', 'stopping', 'succeeded', 'failed', 'cancelled'];

type Sort = NonNullable<JobView['sort']>;
const COLUMNS: {label: string; sort?: Sort; kind?: string}[] = [
  {label: 'ID', sort: 'id', kind: 'number'},
  {label: 'Name', sort: 'name'},
  {label: 'State', sort: 'state'},
  {label: 'GPUs', sort: 'gpus', kind: 'number'},
  {label: 'Priority', sort: 'priority', kind: 'number'},
  {label: 'Queue', sort: 'queue'},
  {label: 'Time', sort: 'started'},
  {label: 'Why', kind: 'wide'},
];

/** The filters live in the address, so that a view can be linked to and the back button works. */
function useView() {
  const [params, change] = useAddress();
  const view: JobView = {
    state: params.get('state') ?? undefined,
    queue: params.get('queue') ?? undefined,
    search: params.get('search') ?? undefined,
    sort: (params.get('sort') as Sort | null) ?? 'id',
    order: params.get('order') === 'asc' ? 'asc' : 'desc',
  };
  return {view, change: (changes: Partial<Record<keyof JobView, string>>) => change(changes)};
}

/** Rows `first` to `last` of a view, from at most two pages of the server. */
function useRows(view: JobView, first: number, last: number) {
  const page = useThrottled(Math.floor(first / PAGE), READ_EVERY_MS);
  const one = useListJobsQuery({...view, offset: page * PAGE, limit: PAGE});
  const needsTwo = Math.floor(Math.max(first, last) / PAGE) === page + 1;
  const two = useListJobsQuery({...view, offset: (page + 1) * PAGE, limit: PAGE}, {skip: !needsTwo});
  const row = (index: number): Job | undefined => {
    const at = index - page * PAGE;
    if (at < 0) return undefined;
    return at < PAGE ? one.currentData?.jobs[at] : needsTwo ? two.currentData?.jobs[at - PAGE] : undefined; // undefined beyond
  };
  return {row, query: one};
}

export default function JobsPage() {
  useTitle('Jobs');
  const {view, change} = useView();
  const [chosen, setChosen] = useState<Chosen>(new Map());
  const all = useAllOf(view);
  const simulated = useIsSimulated();
  return (
    <div className="page-full">
      <div className="bar">
        <h1>Jobs</h1>
        <Filters view={view} change={change} />
      </div>
      <Bulk chosen={chosen} choose={setChosen} all={all} simulated={simulated} />
      <Table view={view} change={change} chosen={chosen} choose={setChosen} all={all} />
    </div>
  );
}

type Change = ReturnType<typeof useView>['change'];

function Filters({view, change}: {view: JobView; change: Change}) {
  const queues = useListQueuesQuery();
  const search = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(view.search ?? '');
  const written = useRef(text); // what the address has of what was typed here
  useEffect(() => {
    if (text === written.current) return undefined;
    const timer = setTimeout(() => {
      written.current = text;
      change({search: text});
    }, 200);
    return () => clearTimeout(timer);
  });
  useEffect(() => { // another address was asked for
    const asked = view.search ?? '';
    if (asked === written.current) return;
    written.current = asked;
    setText(asked);
  }, [view.search]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== '/' || isTyping(event)) return;
      event.preventDefault();
      search.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  const states = view.state?.split(',') ?? [];
  return (
    <>
      <input ref={search} type="search" placeholder="name or id   (press /)" aria-label="Search by name or id"
        maxLength={256} value={text} onChange={(event) => setText(event.target.value)} />
      <Chips label="States" options={STATES.map((state) => ({value: state, label: state}))} chosen={states}
        toggle={(state) => change({state: (states.includes(state) ? states.filter((one) => one !== state)
          : [...states, state]).join(',')})} />
      {(queues.data?.length ?? 0) > 1 && (
        <select aria-label="Queue" value={view.queue ?? ''} onChange={(event) => change({queue: event.target.value})}>
          <option value="">all queues</option>
          {queues.data?.map(({name}) => <option key={name} value={name}>{name}</option>)}
        </select>
      )}
    </>
  );
}

function Table({view, change, chosen, choose, all}: {
  view: JobView;
  change: Change;
  chosen: Chosen;
  choose: (chosen: Chosen) => void;
  all: ReturnType<typeof useAllOf>;
}) {
  const scroll = useRef<HTMLDivElement>(null);
  const [total, setTotal] = useState(0);
  const virtual = useVirtualizer({
    count: total, getScrollElement: () => scroll.current, estimateSize: () => ROW_PX, overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const {row, query} = useRows(view, items[0]?.index ?? 0, items.at(-1)?.index ?? 0);
  const known = query.currentData?.total;
  useEffect(() => {
    if (known != null) setTotal(known);
  }, [known]);
  const key = JSON.stringify(view);
  useEffect(() => {
    scroll.current?.scrollTo(0, 0); // returns a promise in new browsers: not an effect's clean-up
  }, [key]);
  const scrollTo = useCallback((index: number) => virtual.scrollToIndex(index), [virtual]);
  const box = useRowKeys(scrollTo, total);

  if (query.error && !query.data) {
    return <Failed what="jobs" error={query.error} retry={() => void query.refetch()} />;
  }
  if (!query.data) return <Loading what="jobs" />;
  if (known === 0) {
    return view.state || view.search || view.queue
      ? <Empty>No job is like that. <button onClick={() => change({state: '', search: '', queue: ''})}>Show all</button></Empty>
      : <Empty>No job yet. <Link to="/submit">Submit one</Link>, or <code>gyre run -- echo hello</code></Empty>;
  }
  const toggle = (job: Job) => {
    const next = new Map(chosen);
    if (!next.delete(job.id)) next.set(job.id, job);
    choose(next);
  };
  return (
    <div className="grid-table jobs">
      <div className="grid-body" role="table" aria-label="Jobs" aria-rowcount={total + 1} ref={box}>
        <div role="rowgroup">
          <div role="row" className="row head" aria-rowindex={1}>
            <span role="columnheader">
              <input type="checkbox" checked={chosen.size > 0} disabled={all.none || all.read !== null}
                aria-label={chosen.size > 0 ? 'Choose none' : 'Choose all that match and are not over'}
                title={all.none ? 'Those that match are over' : chosen.size > 0 ? 'Choose none' : 'Choose all that match and are not over'}
                onChange={() => (chosen.size > 0 ? choose(new Map()) : void all.run(choose))} />
            </span>
            {COLUMNS.map((column) => <Head key={column.label} column={column} view={view} change={change} />)}
          </div>
        </div>
        <div className="scroll" ref={scroll} role="rowgroup" tabIndex={-1}>
          <div style={{height: virtual.getTotalSize(), position: 'relative'}} role="presentation">
            {items.map((item) => (
              <Row key={item.key} index={item.index} top={item.start} job={row(item.index)}
                chosen={chosen} toggle={toggle} />
            ))}
          </div>
        </div>
      </div>
      <p className="foot" role="status">{count(total, 'job')}</p>
    </div>
  );
}

function Head({column, view, change}: {column: (typeof COLUMNS)[number]; view: JobView; change: Change}) {
  const {sort} = column;
  const active = sort !== undefined && view.sort === sort;
  const order = view.order === 'asc' ? 'ascending' : 'descending';
  return (
    <span role="columnheader" className={column.kind} aria-sort={active ? order : undefined}>
      {sort === undefined ? column.label : (
        <button onClick={() => change({sort, order: active && view.order === 'desc' ? 'asc' : 'desc'})}>
          {column.label} <span aria-hidden="true">{active ? (view.order === 'asc' ? '▲' : '▼') : ''}</span>
        </button>
      )}
    </span>
  );
}

function Row({index, top, job, chosen, toggle}: {
  index: number;
  top: number;
  job: Job | undefined;
  chosen: Chosen;
  toggle: (job: Job) => void;
}) {
  const now = useNow();
  const style = {transform: `translateY(${top}px)`, height: ROW_PX};
  if (!job) {
    return (
      <div role="row" className="row waiting" style={style} aria-rowindex={index + 2}>
        <span role="cell"><span className="hidden">Loading</span></span>
      </div>
    );
  }
  const why = job.warning ? `warned, does not use its GPUs: ${job.warning.detail}`
    : [job.reason && words(job.reason), job.reason_detail].filter(Boolean).join(': ');
  return (
    <div role="row" className="row" style={style} aria-rowindex={index + 2} data-job={job.id}>
      <span role="cell">
        <input type="checkbox" aria-label={`Choose job ${job.id}`} checked={chosen.has(job.id)}
          onChange={() => toggle(job)} />
      </span>
      <span role="cell" className="number">{job.id}</span>
      <span role="cell" title={job.name}>
        <Link to={`/jobs/${job.id}`} data-row={index}><Name>{job.name || `job ${job.id}`}</Name></Link>
      </span>
      <span role="cell"><StateMark state={job.state} /></span>
      <span role="cell" className="number">{number(job.gpus)}</span>
      <span role="cell" className="number">{job.priority}</span>
      <span role="cell"><Name>{job.queue}</Name></span>
      <span role="cell">{timing(job, now, duration)}</span>
      <span role="cell" className="why wide" title={why}>{why}</span>
    </div>
  );
}
