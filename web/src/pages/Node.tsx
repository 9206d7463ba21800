import {Link, useParams} from 'react-router';

import {
  errorText, useActOnNodeMutation, useListIncidentsQuery, useListJobsQuery, useListNodesQuery, type Node,
} from '../api/api';
import {AgentPanel} from '../components/AgentPanel';
import {JobLink, Meter, Name, Panel, StateMark} from '../components/Bits';
import {Confirm} from '../components/Confirm';
import {Drill} from '../components/Drill';
import {GpuPanels} from '../components/GpuPanels';
import {ImagesPanel} from '../components/ImagesPanel';
import {IncidentLine} from '../components/IncidentLine';
import {Release} from '../components/Release';
import {Empty, Shown} from '../components/States';
import {useNow} from '../lib/clock';
import {count, duration, memory, number} from '../lib/format';
import {useChaos} from '../lib/chaos';
import {timing} from '../lib/jobs';
import {useTitle} from '../lib/title';
import {PLAYED, useIsSimulated} from '../lib/world';

export default function NodePage() {
  const {name = ''} = useParams();
  useTitle(name);
  const nodes = useListNodesQuery({name});
  return (
    <Shown query={nodes} what="the node">
      {(list) => {
        const node = list[0];
        return node ? <Detail node={node} /> : (
          <Empty>
            <h1>There is no node <Name>{name}</Name></h1>
            <p><Link to="/nodes">All nodes</Link></p>
          </Empty>
        );
      }}
    </Shown>
  );
}

function Detail({node}: {node: Node}) {
  const chaos = useChaos();
  const simulated = chaos.isUninitialized || chaos.data === null;
  return (
    <>
      <div className="bar">
        <h1><Name>{node.name}</Name></h1>
        <StateMark state={node.state} />
        {node.virtual_gpus && <span className="badge" title="declared, with no device behind them">virtual GPUs</span>}
        <span className="quiet">
          {node.gpus > 0 ? `${count(node.gpus, 'GPU')}, ${node.gpu_model}${
            node.gpu_memory_mib ? ` ${memory(node.gpu_memory_mib)}` : ''}` : 'no GPUs'}
          {node.partition && `, partition ${node.partition}`}
          {Object.entries(node.location).map(([level, name]) => `, ${level} ${name}`)}
        </span>
        <span className="grow" />
        <Duty node={node} />
      </div>
      <Drill node={node.name} />
      {node.state !== 'up' && <Incidents node={node.name} />}
      <Panel title="In use">
        <div className="meters">
          <Meter label="CPU" used={(node.cpu_milli - node.cpu_milli_free) / 1000} all={node.cpu_milli / 1000} show={number} />
          <Meter label="Memory" used={node.memory_mib - node.memory_mib_free} all={node.memory_mib} show={memory} />
          {(node.devices ?? []).map((device) => (
            <Meter key={device.index} label={`GPU ${device.index}`} used={(1000 - device.gpu_milli_free) / 10} all={100}
              show={(value) => `${number(value)}`} />
          ))}
        </div>
        {node.gpus > 0 && <p className="quiet">What is given out to jobs, in percent of each GPU; not how busy it is.</p>}
      </Panel>
      {node.gpus > 0 && <GpuPanels node={node} />}
      <JobsHere node={node} />
      {!simulated && !chaos.isLoading && (
        <div className="columns">
          <AgentPanel node={node} takesFaults={chaos.data?.nodes.includes(node.name)} />
          <ImagesPanel node={node} />
        </div>
      )}
    </>
  );
}

/** Takes the node out of service, or back into it. */
function Duty({node}: {node: Node}) {
  const [act, result] = useActOnNodeMutation();
  const simulated = useIsSimulated();
  const out = node.state === 'cordoned' || node.state === 'draining';
  const go = (action: 'cordon' | 'drain' | 'uncordon') => void act({name: node.name, action});
  if (simulated) return <span className="quiet">{PLAYED}</span>;
  return (
    <>
      {result.error && <span role="alert" className="bad">{errorText(result.error)}</span>}
      {node.state === 'quarantined' && <Release name={node.name} />}
      {out && <button onClick={() => go('uncordon')}>Back into service</button>}
      {node.state === 'up' && <button onClick={() => go('cordon')} title="nothing new is put there; what runs goes on">Cordon</button>}
      {node.state !== 'draining' && node.state !== 'down' && (
        <Confirm label="Drain" yes="Yes, move its preemptible jobs away" act={() => go('drain')} />
      )}
    </>
  );
}

/** Why it is out of service, of what Gyre did by itself. */
function Incidents({node}: {node: string}) {
  const incidents = useListIncidentsQuery({open: true, limit: 1000});
  const here = incidents.data?.filter((one) => one.node === node) ?? [];
  if (here.length === 0) return null;
  return (
    <Panel title="What is being healed here">
      <ul className="decisions">{here.map((one) => <IncidentLine key={one.id} incident={one} />)}</ul>
    </Panel>
  );
}

function JobsHere({node}: {node: Node}) {
  const jobs = useListJobsQuery({node: node.name, limit: 200, offset: 0});
  const now = useNow();
  return (
    <Panel title="Jobs here">
      <Shown query={{...jobs, data: jobs.currentData}} what="its jobs">
        {({jobs: list, total}) => list.length === 0 ? <Empty>No job holds anything of this node.</Empty> : (
          <>
            <table>
              <caption className="hidden">Jobs on this node</caption>
              <thead><tr><th scope="col" className="number">ID</th><th scope="col">Name</th><th scope="col">State</th>
                <th scope="col" className="number">GPUs</th><th scope="col">Time</th></tr></thead>
              <tbody>{list.map((job) => (
                <tr key={job.id}>
                  <td className="number">{job.id}</td>
                  <td><JobLink id={job.id} name={job.name} /></td>
                  <td><StateMark state={job.state} /></td>
                  <td className="number">{number(job.gpus)}{job.tasks > 1 && ` on ${count(job.tasks, 'node')}`}</td>
                  <td>{timing(job, now, duration)}</td>
                </tr>
              ))}</tbody>
            </table>
            {(total ?? 0) > list.length && <p className="foot">and {number((total ?? 0) - list.length)} more</p>}
          </>
        )}
      </Shown>
    </Panel>
  );
}
