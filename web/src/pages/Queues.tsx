import {useState} from 'react';
import {Link} from 'react-router';

import {useListQueuesQuery, useReadHistoryQuery, type History} from '../api/api';
import {Name, Panel} from '../components/Bits';
import {Chart} from '../components/Chart';
import {Empty, Shown} from '../components/States';
import {number} from '../lib/format';
import {trimmed} from '../lib/history';
import {useTitle} from '../lib/title';

const WINDOWS = ['1h', '24h', '30d'] as const;
const COLOURS = ['var(--blue)', 'var(--green)', 'var(--amber)', 'var(--violet)', 'var(--red)', 'var(--quiet)'];

export default function QueuesPage() {
  useTitle('Queues');
  const queues = useListQueuesQuery();
  return (
    <>
      <h1>Queues</h1>
      <Shown query={queues} what="queues">
        {(list) => list.length === 0 ? <Empty>There is no queue yet.</Empty> : (
          <div className="panel">
            <table>
              <caption className="hidden">Queues and their jobs</caption>
              <thead><tr><th scope="col">Queue</th><th scope="col">Nodes of</th><th scope="col" className="number">Jobs on nodes</th>
                <th scope="col" className="number">Jobs waiting</th></tr></thead>
              <tbody>{list.map((queue) => (
                <tr key={queue.name}>
                  <th scope="row"><Link to={`/jobs?queue=${encodeURIComponent(queue.name)}`}><Name>{queue.name}</Name></Link></th>
                  <td>{queue.partition ? <Name>{queue.partition}</Name> : 'all of the default partition'}</td>
                  <td className="number">{number(queue.jobs_placed)}</td>
                  <td className="number">
                    <Link to={`/jobs?state=queued&queue=${encodeURIComponent(queue.name)}`}>{number(queue.jobs_queued)}</Link>
                  </td>
                </tr>
              ))}</tbody>
            </table>
          </div>
        )}
      </Shown>
      <Shares />
    </>
  );
}

function Shares() {
  const [window, setWindow] = useState<(typeof WINDOWS)[number]>('1h');
  const history = useReadHistoryQuery({window});
  return (
    <Panel title="Over time" aside={
      <div className="chips" role="group" aria-label="How far back">
        {WINDOWS.map((one) => (
          <button key={one} aria-pressed={one === window} onClick={() => setWindow(one)}>{one}</button>
        ))}
      </div>
    }>
      <Shown query={{...history, data: history.currentData}} what="the history">
        {(data) => data.queues.length === 0 ? <Empty>No queue has had a job yet.</Empty> : <Charts history={trimmed(data)} />}
      </Shown>
    </Panel>
  );
}

function Charts({history}: {history: History}) {
  const shared = {beginsMs: Date.parse(history.begins_at), stepMs: history.step_s * 1000};
  const shown = history.queues.slice(0, COLOURS.length);
  const lines = (pick: (one: History['queues'][number]) => readonly (number | null)[]) =>
    shown.map((one, index) => ({label: one.name, colour: COLOURS[index]!, values: pick(one), filled: shown.length === 1}));
  return (
    <>
      <div className="columns">
        <Chart {...shared} label="GPUs given out to each queue" unit={`GPUs, mean of ${history.step_s} s`}
          lines={lines((one) => one.gpus_used)} />
        <Chart {...shared} label="Jobs waiting in each queue" unit={`jobs waiting, mean of ${history.step_s} s`}
          lines={lines((one) => one.jobs_queued)} />
      </div>
      {history.queues.length > shown.length && (
        <p className="quiet">The first {shown.length} of {history.queues.length} queues are drawn.</p>
      )}
    </>
  );
}
