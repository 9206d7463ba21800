import type {Chaos, Fault} from '../api/api';
import {useNow, worldTime} from '../lib/clock';
import {ago, count, duration, number} from '../lib/format';
import {useChaos} from '../lib/chaos';
import {faultText} from '../lib/faults';
import {Fact, JobLink, Name, NodeLink, Panel, StateMark} from './Bits';
import {ChaosSwitch} from './Drill';
import {Empty, Shown} from './States';

const SHOWN_MAX = 10;
const LIKE: Record<Fault['state'], string> = {lasts: 'open', ended: 'open', recovered: 'good', lost: 'failed', refused: 'noted'};

/** Faults on purpose: whether they are allowed, who takes them, and the latest of them. Not in a simulated world. */
export function FaultsPanel() {
  const chaos = useChaos();
  if (chaos.isUninitialized || chaos.data === null) return null;
  return (
    <Panel title="Faults on purpose">
      <Shown query={chaos} what="faults on purpose">{(data) => data && <Content chaos={data} />}</Shown>
    </Panel>
  );
}

function Content({chaos}: {chaos: Chaos}) {
  const now = useNow();
  const takers = chaos.nodes.length;
  return (
    <>
      <div className="bar">
        <StateMark state={chaos.on ? 'allowed' : 'off'} like={chaos.on ? 'queued' : 'noted'} />
        <span className="grow quiet">
          {chaos.turned_at !== null && <>since {worldTime(chaos.turned_at, now)}, by <Name>{chaos.turned_by ?? ''}</Name>. </>}
          {takers > 0 ? `${count(takers, 'agent')} take${takers === 1 ? 's' : ''} them.` : 'No agent takes any: one that is started with --chaos does.'}
        </span>
        <ChaosSwitch key={String(chaos.on)} on={chaos.on} lasting={chaos.nodes_broken > 0} />
      </div>
      <dl className="facts">
        <Fact name="Since midnight, UTC">{number(chaos.faults_today)}</Fact>
        <Fact name="Nodes broken just now">{number(chaos.nodes_broken)}</Fact>
        <Fact name="The fleet is">{chaos.calm ? 'calm' : `not calm: ${chaos.unrest}`}</Fact>
      </dl>
      {chaos.faults.length === 0 ? <Empty>Nothing has been broken on purpose.</Empty> : <Faults faults={chaos.faults} />}
    </>
  );
}

function Faults({faults}: {faults: readonly Fault[]}) {
  const now = useNow();
  return (
    <>
      <div className="wide-table" tabIndex={0} role="region" aria-label="Table of faults on purpose">
        <table>
          <caption className="hidden">The latest faults on purpose</caption>
          <thead><tr><th scope="col">When</th><th scope="col">Node</th><th scope="col">What</th><th scope="col">For</th>
            <th scope="col">State</th><th scope="col">Recovered in</th><th scope="col">By</th></tr></thead>
          <tbody>{faults.slice(0, SHOWN_MAX).map((one) => (
            <tr key={one.id} data-fault={one.id}>
              <td><time dateTime={one.at} title={ago(one.at, now)}>{worldTime(one.at, now)}</time></td>
              <th scope="row"><NodeLink name={one.node} /></th>
              <td>{faultText(one)}{one.job !== null && <>, of <JobLink id={one.job} /></>}</td>
              <td>{duration(one.for_ms)}</td>
              <td><StateMark state={one.state} like={LIKE[one.state]} />{one.detail && <div><small><Name>{one.detail}</Name></small></div>}</td>
              <td>{one.recovery_ms === null ? '–' : duration(one.recovery_ms)}</td>
              <td><Name>{one.by}</Name></td>
            </tr>
          ))}</tbody>
        </table>
      </div>
      {faults.length > SHOWN_MAX && <p className="foot">The latest {SHOWN_MAX} are shown; <code>gyre chaos status</code> has more.</p>}
    </>
  );
}
