import type {Node} from '../api/api';
import {agentOf, HEARD} from '../lib/agents';
import {count, number} from '../lib/format';
import {Fact, Name, Panel, StateMark} from './Bits';

const LABELS_MAX = 50;

/** What runs the node's tasks: whether it is heard, its version, and what it tells of its machine. */
export function AgentPanel({node, takesFaults}: {node: Node; takesFaults: boolean | undefined}) {
  const agent = agentOf(node);
  const {machine} = node;
  const labels = Object.entries(machine?.labels ?? {});
  return (
    <Panel title="Agent">
      <dl className="facts">
        <Fact name="Agent"><StateMark state={agent} like={agent === 'connected' ? 'good' : agent === 'away' ? 'failed' : 'queued'} /></Fact>
        <Fact name="Last heard">{HEARD[agent]}</Fact>
        {machine && <Fact name="Version"><Name>{machine.agent_version}</Name></Fact>}
        {takesFaults !== undefined && (
          <Fact name="Faults on purpose">{takesFaults ? 'it takes them: started with --chaos' : 'it refuses them'}</Fact>
        )}
        {machine && (
          <>
            <Fact name="Address"><code>{machine.address}</code></Fact>
            <Fact name="Kernel"><Name>{machine.kernel || 'not told'}</Name></Fact>
            {node.gpus > 0 && !node.virtual_gpus && <Fact name="GPU driver"><Name>{machine.gpu_driver || 'not told'}</Name></Fact>}
            <Fact name="NUMA nodes">{number(machine.numa_nodes)}</Fact>
            {labels.length > 0 && (
              <Fact name="Labels">
                {labels.slice(0, LABELS_MAX).map(([name, value]) => <div key={name}><code dir="auto">{name}={value}</code></div>)}
                {labels.length > LABELS_MAX && `and ${count(labels.length - LABELS_MAX, 'more')}`}
              </Fact>
            )}
          </>
        )}
      </dl>
    </Panel>
  );
}
