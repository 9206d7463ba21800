import {useState} from 'react';
import {Link} from 'react-router';

import {useListIncidentsQuery, useListNodesQuery, useReadOverviewQuery, type Incident} from '../api/api';
import {Chips, Choice, Name, NodeLink, Panel, Tile} from '../components/Bits';
import {FaultsPanel} from '../components/FaultsPanel';
import {IncidentLine} from '../components/IncidentLine';
import {IncidentTimeline} from '../components/IncidentTimeline';
import {Release} from '../components/Release';
import {Empty, Shown} from '../components/States';
import {useAddress} from '../lib/address';
import {useNow, worldTime} from '../lib/clock';
import {count, duration, number, percent, sentence} from '../lib/format';
import {isAbout, isOpen, repairTimes} from '../lib/healing';
import {useTitle} from '../lib/title';
import {useIsSimulated} from '../lib/world';

const KEPT_MAX = 1000; // incidents that a server keeps
const PAGE = 50;
const SPAN_MIN_MS = 600_000; // of the time line, so that the first seconds are no bare edge
const WINDOWS = {'1h': 3_600_000, '24h': 86_400_000, '7d': 7 * 86_400_000, all: Infinity};
type Span = keyof typeof WINDOWS;
const OUTCOMES = ['open', 'held', 'failed', 'recovered', 'undone', 'ended', 'noted'] as const;

/** The filters live in the address, so that a view can be linked to. */
function useFilters() {
  const [params, change] = useAddress();
  const asked = params.get('window');
  const outcomes = params.get('outcome')?.split(',') ?? [];
  return {
    window: (asked !== null && asked in WINDOWS ? asked : '24h') as Span,
    outcomes,
    search: params.get('search') ?? '',
    change,
    toggle: (one: string) =>
      change({outcome: (outcomes.includes(one) ? outcomes.filter((other) => other !== one) : [...outcomes, one]).join(',')}),
    clear: () => change({window: 'all', outcome: '', search: ''}),
  };
}

export default function HealingPage() {
  useTitle('Healing');
  const filters = useFilters();
  const incidents = useListIncidentsQuery({limit: KEPT_MAX});
  if (useIsSimulated()) return <Simulated />;
  return (
    <>
      <div className="bar">
        <h1>Healing</h1>
        <Choice label="How far back" options={Object.keys(WINDOWS) as Span[]} chosen={filters.window} choose={(window) => filters.change({window})} />
        <input type="search" placeholder="node or job id" aria-label="Search by node or job id" value={filters.search}
          maxLength={256} onChange={(event) => filters.change({search: event.target.value})} />
        <Chips label="Outcomes" options={OUTCOMES.map((one) => ({value: one, label: one}))} chosen={filters.outcomes}
          toggle={filters.toggle} />
      </div>
      <Shown query={incidents} what="incidents">{(list) => <Content all={list} filters={filters} />}</Shown>
      <FaultsPanel />
    </>
  );
}

function Simulated() {
  return (
    <>
      <h1>Healing</h1>
      <Panel title="Incidents">
        <Empty>
          A simulation records no incidents, whatever goes wrong in it. Nodes that went away stand
          in <Link to="/nodes">the fleet</Link>, the jobs that they took along among <Link to="/decisions?kind=requeue,give-up">the decisions</Link>.
        </Empty>
      </Panel>
    </>
  );
}

function Content({all, filters}: {all: readonly Incident[]; filters: ReturnType<typeof useFilters>}) {
  const now = useNow();
  const oldest = all.length > 0 ? Date.parse(all.at(-1)!.detected_at) : now;
  const fromMs = Math.min(now - SPAN_MIN_MS, Math.max(oldest, now - WINDOWS[filters.window]));
  const inSight = all.filter((one) => isAbout(one, filters.search) &&
    (isOpen(one) || Date.parse(one.closed_at ?? one.detected_at) >= now - WINDOWS[filters.window]));
  const shown = filters.outcomes.length === 0 ? inSight : inSight.filter((one) => filters.outcomes.includes(one.outcome));
  return (
    <>
      <Tiles incidents={inSight} window={filters.window} />
      <Quarantined incidents={all} />
      {all.length === 0 ? (
        <Panel title="Incidents">
          <Empty>
            Nothing has gone wrong yet. When a GPU reports an error, a node goes away or a task cannot start, Gyre acts
            by its playbook and tells of it here.
          </Empty>
        </Panel>
      ) : shown.length === 0 ? (
        <Panel title="Incidents">
          <Empty>No incident is like that. <button onClick={filters.clear}>Show all</button></Empty>
        </Panel>
      ) : (
        <>
          <Panel title="Over time"><IncidentTimeline incidents={shown} fromMs={fromMs} toMs={now} /></Panel>
          <List incidents={shown} />
        </>
      )}
    </>
  );
}

function Tiles({incidents, window}: {incidents: readonly Incident[]; window: Span}) {
  const overview = useReadOverviewQuery();
  const quarantined = useListNodesQuery({state: 'quarantined', devices: false}).data?.length;
  const repair = repairTimes(incidents);
  const open = incidents.filter(isOpen).length;
  const held = incidents.filter((one) => one.outcome === 'held').length;
  const over = incidents.length - open;
  const nodes = (overview.data?.nodes_up ?? 0) + (overview.data?.nodes_down ?? 0);
  const span = window === 'all' ? 'of all that are kept' : `in the last ${window}`;
  return (
    <div className="tiles">
      <Tile value={number(open)} label="incidents open now">
        <small>{held > 0 ? `${number(held)} of them held` : 'none held'}</small>
      </Tile>
      <Tile value={repair.repairs > 0 ? duration(repair.meanMs) : '–'} label={`mean time to repair, ${span}`}>
        <small>{repair.repairs > 0 ? `median ${duration(repair.medianMs)}, longest ${duration(repair.longestMs)}`
          : 'nothing was repaired'}</small>
      </Tile>
      <Tile value={number(repair.repairs)} unit={`of ${number(over)}`} label={`over and recovered, ${span}`}>
        <small>{percent(repair.repairs, over)}, the rest noted, undone, ended or given up</small>
      </Tile>
      <Tile value={quarantined === undefined ? '–' : number(quarantined)} unit={`of ${count(nodes, 'node')}`}
        label="in quarantine">
        <small><Link to="/nodes">all nodes</Link></small>
      </Tile>
    </div>
  );
}

/** Nodes that are out of service to be healed, why, and the way out. */
function Quarantined({incidents}: {incidents: readonly Incident[]}) {
  const now = useNow();
  const nodes = useListNodesQuery({state: 'quarantined', devices: false});
  return (
    <Panel title="Nodes in quarantine">
      <Shown query={nodes} what="nodes in quarantine">
        {(list) => list.length === 0 ? <Empty>No node is in quarantine.</Empty> : (
          <ul className="quarantined">
            {list.map((node) => {
              const why = incidents.find((one) => one.node === node.name && (one.outcome === 'open' || one.outcome === 'failed'));
              return (
                <li key={node.id} data-node={node.name}>
                  <NodeLink name={node.name} />
                  <small>{count(node.gpus, 'GPU')}, {number(node.gpus - node.gpus_free)} still given out</small>
                  <span className="grow">
                    {why && <>{sentence(why.symptom)}: <Name>{why.evidence}</Name>{' '}
                      <small>since {worldTime(why.detected_at, now)}</small></>}
                  </span>
                  <Release name={node.name} />
                </li>
              );
            })}
          </ul>
        )}
      </Shown>
    </Panel>
  );
}

function List({incidents}: {incidents: readonly Incident[]}) {
  const [pages, setPages] = useState(1);
  const shown = incidents.slice(0, pages * PAGE);
  return (
    <Panel title="Incidents, newest first">
      <ul className="decisions">{shown.map((one) => <IncidentLine key={one.id} incident={one} />)}</ul>
      <p className="foot">
        {number(shown.length)} of {count(incidents.length, 'incident')} shown.{' '}
        {shown.length < incidents.length && <button onClick={() => setPages(pages + 1)}>Show earlier ones</button>}
      </p>
    </Panel>
  );
}
