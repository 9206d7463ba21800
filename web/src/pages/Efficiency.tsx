import {useState} from 'react';

import {useShowUsageQuery, type JobUsage, type UsageReport} from '../api/api';
import {Choice, JobLink, Name, Panel, StateMark, Tile} from '../components/Bits';
import {Pareto} from '../components/Pareto';
import {Empty, Shown} from '../components/States';
import {duration, gpuHours, memory, number, percent} from '../lib/format';
import {pareto} from '../lib/waste';
import {useTitle} from '../lib/title';
import {useAppSelector} from '../store';

const SETTLE = ['1m', '10m', '1h', '6h'] as const;
const SHOWN_MAX = 200;

export default function EfficiencyPage() {
  useTitle('Efficiency');
  const [settle, setSettle] = useState<(typeof SETTLE)[number]>('10m');
  const simulated = useAppSelector((state) => state.link.simulation !== null);
  const usage = useShowUsageQuery({settle}, {skip: simulated});
  return (
    <>
      <div className="bar">
        <h1>Efficiency</h1>
        <span className="quiet">what running jobs make of what they hold; judged after</span>
        <Choice label="Judged after" options={SETTLE} chosen={settle} choose={setSettle} />
      </div>
      {simulated ? <Empty>A simulated job uses nothing that could be measured.</Empty> : (
        <Shown query={usage} what="what jobs use">
          {(report) => report.jobs.length === 0 ? <Empty>No job runs.</Empty> : <Report report={report} />}
        </Shown>
      )}
    </>
  );
}

function Report({report}: {report: UsageReport}) {
  const jobs = [...report.jobs].sort((a, b) => b.gpu_seconds_wasted - a.gpu_seconds_wasted || a.job - b.job);
  const unknown = report.jobs.filter((job) => job.gpus > 0 && job.verdict === 'unknown').length;
  return (
    <>
      <div className="tiles">
        <Tile value={number(report.gpus_held)} unit="GPUs" label="held by running jobs">
          <small>{unknown > 0 ? `${number(unknown)} jobs not judged yet` : 'all their jobs judged'}</small>
        </Tile>
        <Tile value={number(report.gpus_idle)} unit="GPUs" label="held by idle jobs">
          <small>{percent(report.gpus_idle, report.gpus_held)} of what is held</small>
        </Tile>
        <Tile value={gpuHours(report.gpu_seconds_wasted)} unit="GPU-hours" label="held and not used">
          <small>by idle and low jobs since they run</small>
        </Tile>
      </div>
      <Wasters jobs={report.jobs} />
      <Panel title="Jobs, those that waste most first">
        <div className="wide-table" tabIndex={0} role="region" aria-label="Table of jobs">
          <table>
            <caption className="hidden">Running jobs and what they use</caption>
            <thead><tr>
              <th scope="col">Job</th><th scope="col">Verdict</th><th scope="col" className="number">GPUs</th>
              <th scope="col" className="number">Wasted</th>
              <th scope="col" className="number">Active</th><th scope="col" className="number">Idle for</th>
              <th scope="col" className="number">Held</th><th scope="col" className="number">CPU</th>
              <th scope="col" className="number">Memory</th><th scope="col">What would do</th>
            </tr></thead>
            <tbody>{jobs.slice(0, SHOWN_MAX).map((job) => <Row key={job.job} job={job} />)}</tbody>
          </table>
        </div>
        {jobs.length > SHOWN_MAX && <p className="quiet">The first {SHOWN_MAX} of {number(jobs.length)} jobs.</p>}
      </Panel>
    </>
  );
}

const WASTERS_MAX = 8;

/** The few that make most of the waste. */
function Wasters({jobs}: {jobs: readonly JobUsage[]}) {
  const [by, setBy] = useState<'job' | 'queue'>('job');
  const parts = pareto(jobs, by, WASTERS_MAX);
  return (
    <Panel title="Who wastes what" aside={
      <Choice label="Summed by" options={['job', 'queue'] as const} chosen={by} choose={setBy} show={(one) => `by ${one}`} />
    }>
      {parts.length === 0
        ? <Empty>Nobody, as far as is known: no job that has been judged is idle, or uses little of what it holds.</Empty>
        : <Pareto parts={parts} />}
    </Panel>
  );
}

function Row({job}: {job: JobUsage}) {
  return (
    <tr>
      <th scope="row"><JobLink id={job.job} name={job.name} /> <small className="quiet"><Name>{job.queue}</Name></small></th>
      <td><StateMark state={job.verdict} /></td>
      <td className="number">{number(job.gpus)}</td>
      <td className="number">{job.gpu_seconds_wasted > 0 ? `${gpuHours(job.gpu_seconds_wasted)} GPU h` : '–'}</td>
      <td className="number" title={job.shared ? 'of all who share the devices' : undefined}>
        {job.gpu_activity === null ? '–' : `${number(Math.round(job.gpu_activity * 1000) / 10)} %`}
        {job.gpu_activity_by === 'utilisation' && <small> by the driver</small>}
      </td>
      <td className="number">{job.gpu_idle_s === null ? '–' : duration(job.gpu_idle_s * 1000)}</td>
      <td className="number">{duration(job.held_s * 1000)}</td>
      <td className="number">{used(job.cpu_milli_used, job.cpu_milli_asked, (milli) => number(milli / 1000))}</td>
      <td className="number">{used(job.memory_mib_peak, job.memory_mib_asked, memory)}</td>
      <td>{advice(job)}</td>
    </tr>
  );
}

function used(amount: number | null, asked: number, show: (value: number) => string): string {
  const left = amount === null ? '–' : show(amount);
  return asked > 0 ? `${left} of ${show(asked)}` : left;
}

function advice(job: JobUsage): string {
  const parts = [];
  if (job.verdict === 'idle') parts.push('does nothing with its GPUs');
  if (job.verdict === 'low') parts.push('a smaller share of a GPU');
  if (job.cpu_milli_better !== null) parts.push(`${number(job.cpu_milli_better / 1000)} CPU`);
  if (job.memory_mib_better !== null) parts.push(memory(job.memory_mib_better));
  return parts.length > 0 ? parts.join(', ') : '–';
}
