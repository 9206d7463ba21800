/** Queues in their trees: what each is guaranteed, holds, borrows and may hold at most, drawn on one scale a partition. */
import {Link} from 'react-router';

import {count, gpuHours, money, number, sentence} from '../lib/format';
import type {Branch} from '../lib/queues';
import {JobLink, Name, StateMark} from './Bits';

/** The length of each partition's bars: all its GPUs, or more where somebody holds or is guaranteed more. */
function scales(branches: readonly Branch[], known = new Map<string, number>()): Map<string, number> {
  for (const {queue, below} of branches) {
    known.set(queue.partition, Math.max(known.get(queue.partition) ?? 1, queue.gpu_milli_up, queue.gpu_milli_used,
      queue.gpu_milli_guaranteed));
    scales(below, known);
  }
  return known;
}

const LEGEND = [['held', 'held, within the guarantee'], ['borrowed', 'borrowed'], ['guaranteed', 'guaranteed'],
  ['fair', 'fair share, were all queues to ask'], ['limit', 'limit']] as const;

export function QueueTree({branches}: {branches: readonly Branch[]}) {
  const scale = scales(branches);
  const partitions = scale.size > 1;
  return (
    <>
      <ul className="queue-tree">
        {branches.map((branch) => <Row key={branch.queue.name} branch={branch} scale={scale} partitions={partitions} />)}
      </ul>
      <div className="legend">
        {LEGEND.map(([kind, text]) => <span key={kind}><i className={kind} /> {text}</span>)}
      </div>
    </>
  );
}

function Row({branch, scale, partitions, depth = 0}: {
  branch: Branch;
  scale: Map<string, number>;
  partitions: boolean;
  depth?: number;
}) {
  const {queue, below, starved} = branch;
  const jobs = (state: string, text: string) => (below.length > 0 ? text
    : <Link to={`/jobs?state=${state}&queue=${encodeURIComponent(queue.name)}`}>{text}</Link>);
  return (
    <li data-queue={queue.name}>
      <div className="queue">
        <h3 style={{paddingLeft: `${depth * 1.2}rem`}}>
          <span>{depth > 0 && <span aria-hidden="true">↳ </span>}<Name>{queue.name}</Name></span>
          {queue.weight !== 1 && <small>weight {number(queue.weight)}</small>}
          {partitions && <small>{queue.partition ? <>nodes of <Name>{queue.partition}</Name></> : 'nodes of no partition'}</small>}
          <small>
            {jobs(ON_NODES, `${number(queue.jobs_placed)}${queue.jobs_max === null ? '' : ` of ${number(queue.jobs_max)}`} on nodes`)},{' '}
            {jobs('queued', `${number(queue.jobs_queued)} waiting`)}
          </small>
        </h3>
        {starved && (
          <p>
            <StateMark state="starved" like={starved.of === 'guarantee' ? 'failed' : 'queued'} /> it lacks {gpus(starved.lackMilli)} of{' '}
            {count(hundredths(starved.dueMilli), 'GPU')} {starved.of === 'guarantee' ? 'that it is guaranteed'
              : 'of its fair share, while others hold more than theirs'};{' '}
            {count(queue.jobs_queued, 'job')} waiting
          </p>
        )}
        <Bar branch={branch} scale={scale.get(queue.partition)!} />
        <p className="quiet">{terms(branch)}</p>
        {queue.first_waiting && (
          <p className="held-back">
            <strong>{sentence(queue.first_waiting.why.reason)}</strong>{' '}
            <JobLink id={queue.first_waiting.job} name={queue.first_waiting.name} />: {queue.first_waiting.why.detail}
          </p>
        )}
      </div>
      {below.length > 0 && (
        <ul>
          {below.map((one) => <Row key={one.queue.name} branch={one} scale={scale} partitions={partitions} depth={depth + 1} />)}
        </ul>
      )}
    </li>
  );
}

const ON_NODES = 'starting,running,preempting,stopping';
const hundredths = (milli: number) => Math.round(milli / 10) / 100;
const gpus = (milli: number) => number(hundredths(milli));

/** The bar in words. */
function terms({queue, fairMilli, borrowedMilli}: Branch): string {
  return [
    `${gpus(queue.gpu_milli_used)} of ${count(queue.gpu_milli_up / 1000, 'GPU')} held`,
    borrowedMilli > 0 && `${gpus(borrowedMilli)} of them borrowed`,
    queue.gpu_milli_guaranteed > 0 ? `${gpus(queue.gpu_milli_guaranteed)} guaranteed` : 'nothing guaranteed',
    `fair share ${gpus(fairMilli)}`,
    queue.gpu_milli_max === null ? 'no limit' : `limit ${gpus(queue.gpu_milli_max)}`,
    queue.hour_micro_usd !== null && `${money(queue.hour_micro_usd)} an hour`,
    queue.gpu_seconds_max !== null && `${gpuHours(queue.gpu_seconds_used)} of ${gpuHours(queue.gpu_seconds_max)} GPU hours used in this window`,
  ].filter(Boolean).join(', ');
}

function Bar({branch, scale}: {branch: Branch; scale: number}) {
  const {queue, fairMilli, borrowedMilli} = branch;
  const part = (milli: number) => `${Math.min(100, (100 * milli) / scale)}%`;
  const within = queue.gpu_milli_used - borrowedMilli;
  return (
    <div className="queue-bar" role="img" aria-label={terms(branch)} title={terms(branch)}>
      <i className="guaranteed" style={{width: part(queue.gpu_milli_guaranteed)}} />
      <i className="held" style={{width: part(within)}} />
      <i className="borrowed" style={{left: part(within), width: part(borrowedMilli)}} />
      <i className="fair" style={{left: part(fairMilli)}} />
      {queue.gpu_milli_max !== null && queue.gpu_milli_max <= scale && <i className="limit" style={{left: part(queue.gpu_milli_max)}} />}
    </div>
  );
}
