import {lazy, Suspense, useCallback, useRef, useState} from 'react';
import {Link, useParams} from 'react-router';

import {
  errorText, useExplainJobQuery, useGetJobQuery, useJobEventsQuery, useListDecisionsQuery, useListJobsQuery, useLookAheadQuery,
  useReadSpecQuery, useStopJobMutation, type JobFull,
} from '../api/api';
import {Fact, JobLink, Name, NodeLink, Panel, StateMark} from '../components/Bits';
import {DecisionLine} from '../components/DecisionLine';
import {EventTable} from '../components/EventTable';
import {GpusOverTime} from '../components/GpuPanels';
import {LogView} from '../components/LogView';
import {SinceStart} from '../components/SinceStart';
import {SpecDiff} from '../components/SpecDiff';
import {TaskChoice} from '../components/TaskChoice';
import {WaitingReason} from '../components/Waiting';
import {Confirm} from '../components/Confirm';
import {Empty, Failed, Loading, Shown} from '../components/States';
import {useAddress} from '../lib/address';
import {attemptsOf, chosenTask} from '../lib/attempts';
import {useNow, worldTime} from '../lib/clock';
import {ago, count, duration, gpuHours, hostPort, memory, money, number, sentence} from '../lib/format';
import {wordsOf} from '../lib/exec';
import {changesState, isOver, spans, timing} from '../lib/jobs';
import {useTitle} from '../lib/title';
import {PLAYED, useIsSimulated} from '../lib/world';

export default function JobPage() {
  const id = Number(useParams().id);
  const job = useGetJobQuery(id, {skip: !Number.isSafeInteger(id) || id < 1});
  useTitle(job.data ? `${job.data.name || `job ${id}`}` : `job ${id}`);
  if (job.isUninitialized) return <Empty>A job’s id is a whole number from 1.</Empty>;
  if (!job.currentData) {
    return job.error
      ? <Failed what={`job ${id}`} error={job.error} retry={() => void job.refetch()} />
      : <Loading what={`job ${id}`} />;
  }
  return <JobDetail key={id} job={job.currentData} />;
}

const Shell = lazy(() => import('../components/Shell'));

const TABS = ['output', 'terminal', 'GPUs', 'events', 'decisions', 'spec'] as const;
type Tab = (typeof TABS)[number];
const GPU_TASKS_SHOWN = 4;
const COST_EVERY_MS = 10_000;
/** The job that this one was made from, as the address says; 0: none. */
function originOf(params: URLSearchParams): number {
  const id = Number(params.get('from'));
  return Number.isSafeInteger(id) && id > 0 ? id : 0;
}

const NAMESAKES_MAX = 100; // looked through for the one before

function JobDetail({job}: {job: JobFull}) {
  const [params, change] = useAddress();
  const asked = params.get('tab') ?? (params.has('compare') ? 'spec' : '');
  const tab = TABS.find((one) => one === asked) ?? 'output';
  const setTab = (one: Tab) => change({tab: one});
  const origin = originOf(params);
  const {rank, attempt} = chosenTask(params, job);
  const simulated = useIsSimulated();
  const now = useNow();
  return (
    <>
      <div className="bar">
        <h1><Name>{job.name || `job ${job.id}`}</Name></h1>
        <StateMark state={job.state} />
        <span className="quiet">job {job.id}, {timing(job, now, duration)}</span>
        {origin > 0 && origin !== job.id && (
          <span className="quiet">made from <JobLink id={origin} />{' '}
            <button onClick={() => setTab('spec')}>What differs</button></span>
        )}
        <span className="grow" />
        <Link className="button" to={`/submit?from=${job.id}`}>Submit again</Link>
        <Stop job={job} />
      </div>
      <Reason job={job} />
      <Warning job={job} />
      <Timeline id={job.id} />
      <Facts job={job} />
      <TaskChoice job={job} />
      <div className="tabs" role="tablist" aria-label="About this job">
        {TABS.map((one) => (
          <button key={one} role="tab" id={`tab-${one}`} aria-selected={one === tab} aria-controls="tab-panel"
            tabIndex={one === tab ? 0 : -1} onClick={() => setTab(one)}
            onKeyDown={(event) => {
              const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
              if (by === undefined) return;
              const next = TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length]!;
              setTab(next);
              document.getElementById(`tab-${next}`)?.focus();
            }}>
            {one}
          </button>
        ))}
      </div>
      <div className="panel" role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`}>
        {tab === 'output' && (simulated ? <Empty>This is a simulation: its jobs run nothing and write nothing.</Empty>
          : <LogView job={job.id} rank={rank} attempt={attempt}
            comes={!isOver(job.state) && (attempt === 0 || attempt === job.attempt)} />)}
        {tab === 'terminal' && (simulated ? <Empty>This is a simulation: there is no task to open a terminal in.</Empty>
          : <ShellPanel key={rank} job={job} first={rank} />)}
        {tab === 'GPUs' && <Gpus job={job} rank={params.has('rank') ? rank : null} attempt={attempt} />}
        {tab === 'events' && <Events id={job.id} />}
        {tab === 'decisions' && <Decisions id={job.id} />}
        {tab === 'spec' && <Spec job={job} />}
      </div>
    </>
  );
}

function Stop({job}: {job: JobFull}) {
  const [stop, result] = useStopJobMutation();
  const simulated = useIsSimulated();
  if (isOver(job.state)) return null;
  if (simulated) return <><span className="quiet">{PLAYED}</span> <button disabled>Stop</button></>;
  const asking = job.state === 'stopping' || result.isSuccess;
  return (
    <>
      {result.error && <span role="alert" className="bad">{errorText(result.error)}</span>}
      {asking ? <span className="quiet">is being stopped</span>
        : <Confirm label="Stop" yes="Yes, stop it" act={() => void stop(job.id)} />}
    </>
  );
}

/** The one reason: why it waits, or why it ended. */
function Reason({job}: {job: JobFull}) {
  const waits = job.state === 'queued';
  const {currentData: told} = useExplainJobQuery(job.id, {skip: !waits, pollingInterval: waits ? 5000 : 0});
  const {currentData: ahead} = useLookAheadQuery(job.id, {skip: !waits, pollingInterval: waits ? 60_000 : 0});
  if (waits) {
    const {outlook = null, no_outlook = ''} = ahead?.waiting ?? {};
    if (told?.waiting) return <WaitingReason waiting={{...told.waiting, outlook, no_outlook}} />;
    return <div className="reason wait" role="status"><strong>{sentence(job.reason ?? 'queued')}</strong>
      <p>{job.reason_detail}</p></div>;
  }
  if (!isOver(job.state)) return null;
  const good = job.state === 'succeeded';
  return (
    <div className={`reason ${good ? 'good' : job.state === 'failed' ? 'bad' : ''}`} role="status">
      <strong>{sentence(job.reason ?? job.state)}</strong>
      {job.reason_detail && <p>{job.reason_detail}</p>}
    </div>
  );
}

/** It does not use its GPUs, and when it is stopped for that. */
function Warning({job: {warning}}: {job: JobFull}) {
  const now = useNow();
  if (warning === null) return null;
  return (
    <div className="reason wait" role="status">
      <strong>It does not use its GPUs</strong>
      <p>{warning.detail}. It is stopped at {worldTime(warning.stops_at, now)} if it goes on.</p>
    </div>
  );
}

function Timeline({id}: {id: number}) {
  const events = useJobEventsQuery(id);
  const now = useNow();
  const list = (events.currentData?.events ?? []).filter(changesState);
  if (list.length === 0) return null;
  const parts = spans(list, now);
  const begin = parts[0]!.fromMs;
  const whole = Math.max(1, Math.max(...parts.map((part) => part.toMs)) - begin);
  return (
    <Panel title="States over time">
      <ol className="timeline">
        {parts.map((part, index) => (
          <li key={index} className={part.state} style={{flexGrow: Math.max(0.02, (part.toMs - part.fromMs) / whole)}}
            title={`${part.state}${part.attempt > 1 ? `, attempt ${part.attempt}` : ''}: ${
              duration(part.toMs - part.fromMs)}, from ${worldTime(list[index]!.at, now)}`}>
            <StateMark state={part.state} />
            <small>{isOver(part.state) ? worldTime(list[index]!.at, now) : duration(part.toMs - part.fromMs)}</small>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Facts({job}: {job: JobFull}) {
  const now = useNow();
  const at = (time: string | null) => (time ? <time dateTime={time} title={ago(time, now)}>{worldTime(time, now)}</time> : '–');
  return (
    <dl className="facts panel">
      <Fact name="Command"><code dir="auto" className="long" tabIndex={0}>{job.command.join(' ')}</code></Fact>
      <Fact name="GPUs">{number(job.gpus)}{job.tasks > 1 && ` in ${count(job.tasks, 'task')}`}</Fact>
      <Fact name="Each task asks for">
        {job.requests.map((request) => [
          request.gpus > 0 && `${number((request.gpus * request.gpu_milli_each) / 1000)} × ${
            request.gpu_models.join(' or ') || 'any GPU'}`,
          request.gpu_memory_mib > 0 && `${memory(request.gpu_memory_mib)} each`,
          request.cpu_milli > 0 && `${number(request.cpu_milli / 1000)} CPU`,
          request.memory_mib > 0 && memory(request.memory_mib),
        ].filter(Boolean).join(', ') || 'nothing').join('; ')}
      </Fact>
      <Fact name="On">
        {job.placement.length === 0 ? '–' : job.placement.slice(0, 8).map((task) => (
          <div key={task.rank}>
            <NodeLink name={task.node} />
            {task.devices.length > 0 && ` GPU ${task.devices.join(', ')}${task.virtual_gpus ? ' (virtual)' : ''}`}
            {task.gpu_milli_each > 0 && task.gpu_milli_each < 1000 && ` (${task.gpu_milli_each / 10} %)`}
          </div>
        ))}
        {job.placement.length > 8 && `and ${count(job.placement.length - 8, 'more task')}`}
      </Fact>
      {job.ports.length > 0 && (
        <Fact name="Ports">
          {job.ports.slice(0, 8).map((port) => (
            <div key={`${port.rank} ${port.name}`}>
              {port.name}: <code>{hostPort(port.address ?? port.node, port.port)}</code>{job.tasks > 1 && ` (task ${port.rank})`}
            </div>
          ))}
          {job.ports.length > 8 && `and ${count(job.ports.length - 8, 'more port')}`}
        </Fact>
      )}
      <Fact name="Queue, priority"><Name>{job.queue}</Name>, {job.priority} of 10{job.preemptible && ', preemptible'}</Fact>
      {job.topology && <Fact name="Topology">all nodes in one {job.topology.split(':')[1]}, {job.topology.split(':')[0]}</Fact>}
      <Fact name="Attempts">{job.attempt} ({count(job.retries, 'retry').replace('retrys', 'retries')},{' '}
        {count(job.preemptions, 'preemption')})</Fact>
      <Fact name="Submitted">{at(job.submitted_at)}</Fact>
      <Fact name="Started">{at(job.started_at)}</Fact>
      <Fact name="Ended">{at(job.ended_at)}</Fact>
      {job.cost && <Cost id={job.id} over={isOver(job.state)} cost={job.cost} />}
      <Fact name="Exit code">{job.exit_code ?? '–'}</Fact>
    </dl>
  );
}

/** A shell, or any other command, in one of its running tasks. It ends with the tab. */
function ShellPanel({job, first}: {job: JobFull; first: number}) {
  const [text, setText] = useState('sh');
  const [rank, setRank] = useState(String(first));
  const [open, setOpen] = useState<{command: string[]; rank: number; turn: number} | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const leave = useCallback(() => button.current?.focus(), []);
  const running = job.state === 'running';
  const command = wordsOf(text);
  const fine = command.length > 0 && /^\d+$/.test(rank) && Number(rank) < job.tasks;
  return (
    <>
      <form className="bar" onSubmit={(event) => {
        event.preventDefault();
        if (fine && running) setOpen((old) => ({command, rank: Number(rank), turn: (old?.turn ?? 0) + 1}));
      }}>
        <input value={text} aria-label="Command to run in the task" spellCheck={false} autoComplete="off" dir="auto"
          onChange={(event) => setText(event.target.value)} />
        {job.tasks > 1 && (
          <label>task <input className="id" inputMode="numeric" value={rank} aria-invalid={!fine}
            onChange={(event) => setRank(event.target.value)} /> of {number(job.tasks)}, from 0</label>
        )}
        <button ref={button} className="primary" disabled={!running || !fine}>{open ? 'Open anew' : 'Open a terminal'}</button>
        {open && <button type="button" onClick={() => setOpen(null)}>Close</button>}
      </form>
      {!running && !open && <Empty>It has no running task: a terminal opens while it runs.</Empty>}
      {open && (
        <Suspense fallback={<Loading what="the terminal" />}>
          <Shell key={open.turn} job={job.id} rank={open.rank} command={open.command} leave={leave} />
        </Suspense>
      )}
    </>
  );
}

/** What the devices that it holds have done since it has them; those of one task where one is chosen. */
function Gpus({job, rank, attempt}: {job: JobFull; rank: number | null; attempt: number}) {
  const events = useJobEventsQuery(job.id);
  if (attempt !== 0 && attempt !== job.attempt) {
    return <Empty>Which GPUs an earlier attempt had is not kept. What each GPU did stands on its node’s page.</Empty>;
  }
  const began = attemptsOf(job, events.currentData?.events ?? [])[0]?.began ?? job.started_at;
  const holding = job.placement.filter((task) => task.devices.length > 0 && (rank === null || task.rank === rank));
  if (holding.length === 0) {
    return <Empty>{rank === null ? 'It' : `Task ${rank}`} holds no GPU now. What each GPU did stands on its node’s page.</Empty>;
  }
  return (
    <>
      {holding.slice(0, GPU_TASKS_SHOWN).map((task) => (
        <GpusOverTime key={task.rank} title={`${job.tasks > 1 ? `Task ${task.rank} on` : 'On'} ${task.node}, GPU ${task.devices.join(', ')}`} node={task.node}
          devices={task.devices} since={began} />
      ))}
      {holding.length > GPU_TASKS_SHOWN && (
        <p className="foot">The first {GPU_TASKS_SHOWN} of {count(holding.length, 'task')} are shown; choose a task above for its own.</p>
      )}
    </>
  );
}

/** Read anew while it grows. */
function Cost({id, over, cost}: {id: number; over: boolean; cost: NonNullable<JobFull['cost']>}) {
  useGetJobQuery(id, {pollingInterval: cost.hour_micro_usd > 0 ? COST_EVERY_MS : 0});
  return (
    <Fact name={over ? 'Cost' : 'Cost to date'}>
      {money(cost.micro_usd)} for {gpuHours(cost.gpu_seconds)} GPU-hours
      {cost.hour_micro_usd > 0 && <>, {money(cost.hour_micro_usd)} an hour</>}
    </Fact>
  );
}

function Events({id}: {id: number}) {
  const events = useJobEventsQuery(id);
  return (
    <Shown query={{...events, data: events.currentData}} what="events">
      {({events: list}) => list.length === 0
        ? <Empty>None of its changes is kept: of all jobs the latest 10,000 are.</Empty>
        : <EventTable caption="How the job changed state" events={list} heading="Was"
            cell={(event) => event.from ? <StateMark state={event.from} /> : <span className="quiet">new</span>} />}
    </Shown>
  );
}

function Decisions({id}: {id: number}) {
  const decisions = useListDecisionsQuery({job: id, limit: 100});
  return (
    <Shown query={{...decisions, data: decisions.currentData}} what="decisions">
      {({decisions: list}) => list.length === 0 ? <Empty>Gyre has decided nothing about it <SinceStart />.</Empty>
        : <ul className="decisions">{list.map((one) => <DecisionLine key={one.id} decision={one} />)}</ul>}
    </Shown>
  );
}

/** The latest job before this one with the same name, among those that are not long gone. */
function useForerunner({id, name}: JobFull): number | undefined {
  const {currentData} = useListJobsQuery({search: name, sort: 'id', limit: NAMESAKES_MAX}, {skip: name === ''});
  return currentData?.jobs.find((one) => one.id < id && one.name === name)?.id;
}

function Spec({job}: {job: JobFull}) {
  const {id} = job;
  const spec = useReadSpecQuery(id);
  return (
    <Shown query={{...spec, data: spec.currentData}} what="the spec">
      {(text) => (
        <>
          <pre tabIndex={0} aria-label="Job spec"><code dir="auto">{text}</code></pre>
          <p className="foot">
            <Link to={`/submit?from=${id}`}>Change it and submit again</Link>, or save it and <code>gyre submit job.yaml</code>
          </p>
          <Compared job={job} text={text} />
        </>
      )}
    </Shown>
  );
}

/** What differs from another job's spec: the one it was made from, a forerunner by name, or any other. */
function Compared({job, text}: {job: JobFull; text: string}) {
  const [params, change] = useAddress();
  const origin = originOf(params) || undefined;
  const namesake = useForerunner(job);
  const asked = params.get('compare') ?? '';
  const other = Number(asked) || (asked === '' ? origin ?? namesake : undefined);
  const valid = other !== undefined && Number.isSafeInteger(other) && other > 0 && other !== job.id;
  const spec = useReadSpecQuery(other ?? 0, {skip: !valid});
  const why = other === origin ? 'it was made from that one' : other === namesake ? 'the one before it with its name' : '';
  return (
    <section aria-label="Difference">
      <div className="bar">
        <h2>Difference from job</h2>
        <input className="id" inputMode="numeric" aria-label="Compare with the spec of the job with this id" value={asked || (other ?? '')}
          placeholder="id" onChange={(event) => change({compare: event.target.value.replace(/\D/g, '')})} />
        {valid && <><JobLink id={other} /> <span className="quiet">{why}</span></>}
      </div>
      {!valid ? <Empty>{other === job.id ? 'That is this job.' : 'No job before it has its name. The id of any other job compares it with that one.'}</Empty> : (
        <Shown query={{...spec, data: spec.currentData}} what={`the spec of job ${other}`}>
          {(before) => <SpecDiff before={before} after={text} label={`From job ${other} to job ${job.id}`}
            alike={`Nothing: job ${other} has the same spec.`} />}
        </Shown>
      )}
    </section>
  );
}
