import {useState} from 'react';
import {Link} from 'react-router';

import {
  useListDecisionsQuery, useListJobsQuery, useReadHistoryQuery, useReadOverviewQuery, type History, type Overview,
} from '../api/api';
import {Alerts} from '../components/Alerts';
import {Choice, JobLink, Panel, StateMark, Tile} from '../components/Bits';
import {Chart} from '../components/Chart';
import {DecisionLine, KINDS} from '../components/DecisionLine';
import {Drill} from '../components/Drill';
import {SinceStart} from '../components/SinceStart';
import {Empty, Shown} from '../components/States';
import {useNow} from '../lib/clock';
import {ago, money, number, percent, words} from '../lib/format';
import {trimmed} from '../lib/history';
import {useTitle} from '../lib/title';
import {useIsSimulated} from '../lib/world';

const WINDOWS = ['1h', '24h', '30d'] as const;

export function OverviewPage() {
  useTitle('');
  const overview = useReadOverviewQuery();
  return (
    <>
      <h1 className="hidden">Overview</h1>
      <Drill />
      <Shown query={overview} what="the overview">{(data) => <Tiles overview={data} />}</Shown>
      <Alerts />
      <OverTime />
      <div className="columns">
        <LatestDecisions lastHour={overview.data?.decisions_last_hour} />
        <LatestFailures />
      </div>
    </>
  );
}

function Tiles({overview}: {overview: Overview}) {
  const {jobs} = overview;
  const placed = jobs.starting + jobs.running + jobs.preempting + jobs.stopping;
  return (
    <div className="tiles">
      <Tile value={number(overview.gpus_used)} unit={`of ${number(overview.gpus)} GPUs`} label="given out">
        <meter min={0} max={overview.gpus || 1} value={overview.gpus_used} aria-label="GPUs given out" />
        <small>{percent(overview.gpus_used, overview.gpus)}
          {overview.gpus_virtual > 0 && `, ${number(overview.gpus_virtual)} of the GPUs are virtual`}
          {overview.gpus_down > 0 && `, ${number(overview.gpus_down)} more on nodes that are down`}</small>
      </Tile>
      <Activity overview={overview} />
      {overview.hour_micro_usd !== null && (
        <Tile value={money(overview.hour_micro_usd)} label="spent just now">
          <small>an hour; <Link to="/costs">who spends it</Link></small>
        </Tile>
      )}
      <Tile value={number(placed)} label="jobs on nodes">
        <small><Link to="/jobs?state=starting,running,preempting,stopping">{number(jobs.running)} running</Link></small>
      </Tile>
      <Tile value={number(jobs.queued)} label="jobs waiting">
        <small><Link to="/jobs?state=queued">each with its reason</Link></small>
      </Tile>
      <Tile value={number(overview.nodes_up)} unit={`of ${number(overview.nodes_up + overview.nodes_down)}`}
        label="nodes up">
        <small>{overview.nodes_down > 0 ? `${number(overview.nodes_down)} down` : 'none down'}
          {overview.nodes_closed > 0 && `, ${number(overview.nodes_closed)} take nothing new`}</small>
      </Tile>
      <Tile value={number(jobs.succeeded)} label="jobs succeeded">
        <small><Link to="/jobs?state=failed">{number(jobs.failed)} failed</Link>, {number(jobs.cancelled)} cancelled</small>
      </Tile>
    </div>
  );
}

/** How many GPUs do something, of those that tell. */
function Activity({overview}: {overview: Overview}) {
  const simulated = useIsSimulated();
  const {gpus, gpus_read: read, gpus_active: active} = overview;
  if (read === 0) {
    return (
      <Tile value="unknown" label="GPUs active">
        <small>{simulated ? 'simulated GPUs do nothing that could be read' : 'no GPU tells how busy it is'}</small>
      </Tile>
    );
  }
  return (
    <Tile value={number(active)} unit={`of ${number(read)} that tell`} label="GPUs active">
      <meter min={0} max={read} value={active} aria-label="GPUs active" />
      <small>busier than 1 % in the last minute{read < gpus && `; of ${number(gpus - read)} more nothing is known`};{' '}
        <Link to="/efficiency">who wastes</Link></small>
    </Tile>
  );
}

function OverTime() {
  const [window, setWindow] = useState<(typeof WINDOWS)[number]>('1h');
  const history = useReadHistoryQuery({window});
  const choice = <Choice label="How far back" options={WINDOWS} chosen={window} choose={setWindow} />;
  return (
    <Panel title="Over time" aside={choice}>
      <Shown query={{...history, data: history.currentData}} what="the history">
        {(data) => <HistoryCharts history={trimmed(data)} />}
      </Shown>
    </Panel>
  );
}

function HistoryCharts({history}: {history: History}) {
  const told = history.gpus_active.some((value) => value !== null);
  const shared = {beginsMs: Date.parse(history.begins_at), stepMs: history.step_s * 1000};
  const most = Math.max(0, ...history.gpus.map((value) => value ?? 0));
  return (
    <div className="columns">
      <div>
        <Chart {...shared} label="GPUs given out over time" unit={`GPUs, mean of ${history.step_s} s`} max={most}
          lines={[
            {label: 'given out', colour: 'var(--blue)', values: history.fleet.gpus_used, filled: true},
            {label: 'up', colour: 'var(--quiet)', values: history.gpus},
            ...(told ? [{label: 'active', colour: 'var(--green)', values: history.gpus_active}] : []),
          ]} />
        {!told && <p className="foot">How many were active is unknown: no GPU has told.</p>}
      </div>
      <Chart {...shared} label="Jobs over time" unit={`jobs, mean of ${history.step_s} s`}
        lines={[
          {label: 'on nodes', colour: 'var(--green)', values: history.fleet.jobs_placed, filled: true},
          {label: 'waiting', colour: 'var(--amber)', values: history.fleet.jobs_queued},
        ]} />
    </div>
  );
}

function LatestDecisions({lastHour}: {lastHour?: Record<string, number>}) {
  const decisions = useListDecisionsQuery({limit: 8});
  const sum = Object.entries(lastHour ?? {}).filter(([, n]) => n > 0)
    .map(([kind, n]) => `${number(n)} ${KINDS[kind]?.[n === 1 ? 'one' : 'plural'] ?? kind}`).join(', ');
  return (
    <Panel title="What Gyre did, and why" aside={<Link to="/decisions">all decisions</Link>}>
      {sum && <p className="quiet">In the last hour: {sum}.</p>}
      <Shown query={decisions} what="decisions">
        {({decisions: list}) =>
          list.length === 0 ? (
            <Empty>Nothing <SinceStart />. Run a job: <code>gyre run -- echo hello</code></Empty>
          ) : (
            <ul className="decisions">{list.map((one) => <DecisionLine key={one.id} decision={one} />)}</ul>
          )}
      </Shown>
    </Panel>
  );
}

function LatestFailures() {
  const now = useNow();
  const failed = useListJobsQuery({state: 'failed', sort: 'ended', limit: 6});
  return (
    <Panel title="Jobs that failed last" aside={<Link to="/jobs?state=failed&sort=ended">all failed jobs</Link>}>
      <Shown query={failed} what="failed jobs">
        {({jobs}) => jobs.length === 0 ? <Empty>Of the jobs that are still known none has failed.</Empty> : (
          <ul className="attention">
            {jobs.map((job) => (
              <li key={job.id}>
                <StateMark state={job.state} /> <JobLink id={job.id} name={job.name} />
                <small>
                  {job.reason && words(job.reason)}{job.reason_detail && `: ${job.reason_detail}`}
                  {job.ended_at && `, ${ago(job.ended_at, now)}`}
                </small>
              </li>
            ))}
          </ul>
        )}
      </Shown>
    </Panel>
  );
}
