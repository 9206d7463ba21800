import {useVirtualizer} from '@tanstack/react-virtual';
import {useCallback, useDeferredValue, useMemo, useRef, useState} from 'react';

import {useListNodesQuery, useReadHistoryQuery, useReadOverviewQuery, type History, type Node, type Overview} from '../api/api';
import {Chips, Choice, Name, NodeLink, Panel, StateMark} from '../components/Bits';
import {Chart} from '../components/Chart';
import {HeatMap} from '../components/HeatMap';
import {CARDS_MAX, NodeCards} from '../components/NodeCards';
import {Empty, Shown} from '../components/States';
import {agentOf} from '../lib/agents';
import {useChaos} from '../lib/chaos';
import {openFaults} from '../lib/faults';
import {count, memory, number, percent} from '../lib/format';
import {trimmed} from '../lib/history';
import {orderKey} from '../lib/names';
import {useRowKeys} from '../lib/rows';
import {useTitle} from '../lib/title';

const ROW_PX = 40;
type Key = 'name' | 'state' | 'gpu_model' | 'gpus' | 'gpus_free' | 'cpu_milli_free' | 'memory_mib_free' | 'agent';
const COLUMNS: {key: Key; label: string; number?: boolean}[] = [
  {key: 'name', label: 'Name'},
  {key: 'state', label: 'State'},
  {key: 'gpu_model', label: 'GPU'},
  {key: 'gpus', label: 'GPUs', number: true},
  {key: 'gpus_free', label: 'Free', number: true},
  {key: 'cpu_milli_free', label: 'CPU free', number: true},
  {key: 'memory_mib_free', label: 'Memory free', number: true},
  {key: 'agent', label: 'Agent'},
];
const sortedBy = (node: Node, key: Key) => (key === 'agent' ? node.machine?.agent_version ?? '' : node[key]);

export default function NodesPage() {
  useTitle('Nodes');
  const overview = useReadOverviewQuery();
  const fleet = (overview.data?.nodes_up ?? 0) + (overview.data?.nodes_down ?? 0);
  const nodes = useListNodesQuery({devices: fleet <= CARDS_MAX}, {skip: overview.isLoading});
  return (
    <>
      <h1>Nodes & GPUs</h1>
      <Shown query={nodes} what="nodes">
        {(list) => list.length === 0
          ? <Empty>No node has joined yet.</Empty>
          : <Fleet nodes={list} />}
      </Shown>
      {(nodes.data?.length ?? 0) > 0 && overview.data && <Fragmentation overview={overview.data} />}
    </>
  );
}

const WINDOWS = ['1h', '24h', '30d'] as const;

/** How much of what is free is of no use to a typical task, now and over time. */
function Fragmentation({overview}: {overview: Overview}) {
  const [window, setWindow] = useState<(typeof WINDOWS)[number]>('1h');
  const history = useReadHistoryQuery({window});
  const {gpus_free: free, gpus_fragmented: lost, fragmentation_ratio: ratio} = overview;
  return (
    <Panel title="Fragmentation" aside={<Choice label="How far back" options={WINDOWS} chosen={window} choose={setWindow} />}>
      <p>
        {free === 0 ? 'No GPU is free.' : ratio === null ? `${count(free, 'GPU')} free; no job has asked for any yet.` : (
          <>
            <strong>{number(lost)} of {count(free, 'free GPU')}</strong> ({percent(ratio, 1)}) cannot be used by a typical task of the latest
            jobs: on nodes that lack its model, its CPU or its number of GPUs, or the rest of a device that is too small.
          </>
        )}
      </p>
      <Shown query={{...history, data: history.currentData}} what="the history">
        {(data) => <FragmentationChart history={trimmed(data)} />}
      </Shown>
    </Panel>
  );
}

function FragmentationChart({history}: {history: History}) {
  return (
    <Chart label="Free GPUs over time, and those of no use to a typical task" unit={`GPUs, mean of ${history.step_s} s`}
      beginsMs={Date.parse(history.begins_at)} stepMs={history.step_s * 1000}
      lines={[
        {label: 'free', colour: 'var(--blue)', values: history.gpus_free},
        {label: 'of no use to a typical task', colour: 'var(--red)', values: history.gpus_fragmented, filled: true},
      ]} />
  );
}

function Fleet({nodes: latest}: {nodes: readonly Node[]}) {
  const [searched, setSearch] = useState('');
  const [chosen, setOnly] = useState<readonly string[]>([]);
  const [sorted, setSort] = useState<{key: Key; up: boolean}>({key: 'name', up: true});
  // Ten thousand nodes take a while: what was pressed or typed shows at once, the list a moment later.
  const nodes = useDeferredValue(latest);
  const search = useDeferredValue(searched);
  const only = useDeferredValue(chosen);
  const sort = useDeferredValue(sorted);
  const shown = useMemo(() => {
    const wanted = search.toLowerCase();
    const models = only.filter((one) => !['down', 'closed', 'free'].includes(one));
    const list = nodes.filter((node) =>
      (!wanted || node.name.toLowerCase().includes(wanted)) &&
      (!only.includes('down') || node.state === 'down') &&
      (!only.includes('closed') || (node.state !== 'up' && node.state !== 'down')) &&
      (!only.includes('free') || (node.state === 'up' && node.gpus_free >= 1)) &&
      (models.length === 0 || models.includes(node.gpu_model)));
    const way = sort.up ? 1 : -1;
    const keyed = list.map((node) => {
      const value = sortedBy(node, sort.key);
      return {node, key: typeof value === 'number' ? value : orderKey(value)};
    });
    keyed.sort((a, b) => (a.key < b.key ? -way : a.key > b.key ? way : a.node.id - b.node.id));
    return keyed.map(({node}) => node);
  }, [nodes, search, only, sort]);
  const {models, gpus, used} = useMemo(() => {
    const up = nodes.filter((node) => node.state !== 'down');
    const all = up.reduce((sum, node) => sum + node.gpus, 0);
    return {
      models: [...new Set(nodes.map((node) => node.gpu_model).filter(Boolean))].sort(),
      gpus: all,
      used: all - up.reduce((sum, node) => sum + node.gpus_free, 0),
    };
  }, [nodes]);
  return (
    <>
      <div className="bar">
        <input type="search" placeholder="node" aria-label="Search nodes" value={searched}
          onChange={(event) => setSearch(event.target.value)} />
        <Chips label="Which nodes" chosen={chosen}
          options={[{value: 'down', label: 'down'}, {value: 'closed', label: 'out of service'}, {value: 'free', label: 'with a free GPU'},
            ...models.map((model) => ({value: model, label: model}))]}
          toggle={(value) => setOnly((old) => (old.includes(value) ? old.filter((one) => one !== value) : [...old, value]))} />
        <span className="grow" />
        <span className="quiet">
          {count(nodes.length, 'node')}, {number(used)} of {count(gpus, 'GPU')} given out ({percent(used, gpus)})
          {nodes.some((node) => node.virtual_gpus) && ', virtual GPUs'}
        </span>
      </div>
      <Panel title="Map of the fleet">
        {shown.length === 0 ? <Empty>No node is like that.</Empty>
          : nodes.length <= CARDS_MAX ? <NodeCards nodes={shown} /> : <HeatMap nodes={shown} />}
      </Panel>
      {shown.length > 0 && <Table nodes={shown} sort={sorted} setSort={setSort} />}
    </>
  );
}

function Table({nodes, sort, setSort}: {
  nodes: readonly Node[];
  sort: {key: Key; up: boolean};
  setSort: (sort: {key: Key; up: boolean}) => void;
}) {
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: nodes.length, getScrollElement: () => scroll.current, estimateSize: () => ROW_PX, overscan: 10,
  });
  const scrollTo = useCallback((index: number) => virtual.scrollToIndex(index), [virtual]);
  const box = useRowKeys(scrollTo, nodes.length);
  const {data: chaos} = useChaos();
  const takers = useMemo(() => new Set(chaos?.nodes), [chaos]);
  const faults = useMemo(() => openFaults(chaos), [chaos]);
  return (
    <div className="grid-table nodes" role="table" aria-label="Nodes" aria-rowcount={nodes.length + 1} ref={box}>
      <div role="rowgroup">
        <div role="row" className="row head" aria-rowindex={1}>
          {COLUMNS.map(({key, label, number: isNumber}) => (
            <span key={key} role="columnheader" className={isNumber ? 'number' : undefined}
              aria-sort={sort.key === key ? (sort.up ? 'ascending' : 'descending') : undefined}>
              <button onClick={() => setSort({key, up: sort.key === key ? !sort.up : true})}>
                {label} <span aria-hidden="true">{sort.key === key ? (sort.up ? '▲' : '▼') : ''}</span>
              </button>
            </span>
          ))}
        </div>
      </div>
      <div className="scroll" ref={scroll} role="rowgroup" style={{height: Math.min(440, nodes.length * ROW_PX + 2)}}>
        <div style={{height: virtual.getTotalSize(), position: 'relative'}} role="presentation">
          {virtual.getVirtualItems().map((item) => {
            const node = nodes[item.index]!;
            return (
              <div key={node.id} role="row" className="row" aria-rowindex={item.index + 2}
                style={{transform: `translateY(${item.start}px)`, height: ROW_PX}}>
                <span role="cell"><span data-row={item.index} tabIndex={-1}><NodeLink name={node.name} /></span></span>
                <span role="cell"><StateMark state={node.state} /></span>
                <span role="cell"><Name>{node.gpu_model || '–'}</Name>
                  {node.gpu_memory_mib > 0 && ` ${memory(node.gpu_memory_mib)}`}</span>
                <span role="cell" className="number">{node.gpus}</span>
                <span role="cell" className="number">{number(node.gpus_free)}</span>
                <span role="cell" className="number">{number(node.cpu_milli_free / 1000)} of {number(node.cpu_milli / 1000)}</span>
                <span role="cell" className="number">{memory(node.memory_mib_free)} of {memory(node.memory_mib)}</span>
                <span role="cell"><Agent node={node} chaos={faults.has(node.name) ? 'broken on purpose' : takers.has(node.name) ? 'takes faults' : ''} /></span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** Its version while it is heard; else that it is not. */
function Agent({node, chaos}: {node: Node; chaos: string}) {
  const agent = agentOf(node);
  return (
    <>
      {node.machine && <>{node.machine.agent_version} </>}
      {agent === 'silent' && <span className="quiet">not heard </span>}
      {!node.machine && agent === 'away' && '– '}
      {chaos && <span className="badge" title={chaos === 'takes faults' ? 'it was started with --chaos' : undefined}>{chaos}</span>}
    </>
  );
}
