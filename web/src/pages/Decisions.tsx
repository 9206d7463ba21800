import {useEffect, useState, type ReactNode} from 'react';
import {Link, useSearchParams} from 'react-router';

import {
  errorText, useLazyListDecisionsQuery, useListDecisionsQuery, useListIncidentsQuery, useListServiceActsQuery,
  useShowPolicyQuery, useStopJobMutation, type Decision, type Incident, type Policy,
} from '../api/api';
import {comparePositions} from '../api/position';
import {Chips, Panel} from '../components/Bits';
import {Confirm} from '../components/Confirm';
import {DecisionLine, KINDS} from '../components/DecisionLine';
import {IncidentLine} from '../components/IncidentLine';
import {PolicyActLine} from '../components/PolicyActLine';
import {ServiceActLine} from '../components/ServiceActLine';
import {SinceStart} from '../components/SinceStart';
import {Empty, Loading, Shown} from '../components/States';
import {count} from '../lib/format';
import {isAct} from '../lib/healing';
import type {ServiceAct} from '../lib/services';
import {useTitle} from '../lib/title';
import {undoOf} from '../lib/undo';
import {PLAYED, useIsSimulated} from '../lib/world';

const PAGE = 100;
const HEAL = 'heal'; // acts on nodes, which the server lists as incidents
const SERVICE = 'service'; // what services did by themselves, which stands among their events
const POLICY = 'policy'; // changes of the policy in force, which a person made
const OTHERS = [HEAL, SERVICE, POLICY];
const SERVICES_EVERY_MS = 10_000;
const INCIDENTS_MAX = 1000; // that a server keeps

export default function DecisionsPage() {
  useTitle('Decisions');
  const [params, setParams] = useSearchParams();
  const kind = params.get('kind') ?? '';
  const kinds = kind ? kind.split(',') : [];
  const toggle = (value: string) => {
    const next = kinds.includes(value) ? kinds.filter((one) => one !== value) : [...kinds, value];
    setParams(next.length > 0 ? {kind: next.join(',')} : {}, {replace: true});
  };
  return (
    <>
      <div className="bar">
        <h1>Decisions</h1>
        <Chips label="Kinds" chosen={kinds} toggle={toggle}
          options={[...Object.entries(KINDS).map(([value, {label}]) => ({value, label})), ...OTHERS.map((value) => ({value, label: value}))]} />
      </div>
      <Panel title="Every act that nobody asked for, and each change of the policy, newest first">
        <List key={kind} kinds={kinds} />
      </Panel>
    </>
  );
}

/** The newest page, and what follows it of the older ones; without these where something is missing between. */
function joined(newest: readonly Decision[], older: readonly Decision[]): readonly Decision[] {
  const end = newest.at(-1);
  if (!end || !older[0] || comparePositions(end.id, older[0].id) > 0) return newest;
  return [...newest, ...older.filter((one) => comparePositions(one.id, end.id) < 0)];
}

/** One line of the list, whatever it is about. */
interface Act {
  at: number;
  line: ReactNode;
}

/** All by their times, the newest first; of what is no decision only what is as new as the oldest decision, while there are
 *  older ones. */
function byTime(decisions: readonly Decision[], others: readonly Act[], more: boolean): readonly Act[] {
  const oldest = more ? Date.parse(decisions.at(-1)?.at ?? '') : 0;
  return [
    ...decisions.map((one) => ({at: Date.parse(one.at),
      line: <DecisionLine key={one.id} decision={one} undo={<UndoDecision decision={one} />} />})),
    ...others.filter(({at}) => at >= oldest),
  ].sort((a, b) => b.at - a.at); // stable: what has one time stays as it came
}

function actsOfHealing(incidents: readonly Incident[]): Act[] {
  return incidents.filter(isAct).map((one) => ({at: Date.parse(one.detected_at),
    line: <IncidentLine key={`incident ${one.id}`} incident={one} />}));
}

function actsOfServices(acts: readonly ServiceAct[]): Act[] {
  return acts.map((one) => ({at: Date.parse(one.at), line: <ServiceActLine key={`service ${one.service} ${one.id}`} act={one} />}));
}

/** Changes, of those that are kept; the policy that the server began with is none. */
function actsOfPolicy(policy: Policy, fixed: boolean): Act[] {
  return policy.history.slice(0, -1).map((entry, index) => ({at: Date.parse(entry.since ?? ''),
    line: <PolicyActLine key={`policy ${entry.event}`} policy={policy} entry={entry} before={policy.history[index + 1]!}
      after={policy.history[index - 1]} fixed={fixed} />}));
}

/** What can be done about a decision; or why nothing can. */
function UndoDecision({decision}: {decision: Decision}) {
  const [stop, result] = useStopJobMutation();
  const undo = undoOf(decision);
  const simulated = useIsSimulated();
  if (simulated && undo.by !== 'nothing') return <p className="undo"><small>{PLAYED}</small></p>;
  return (
    <p className="undo">
      {result.error && <span role="alert" className="bad">{errorText(result.error)}</span>}
      {undo.by === 'stop' && <Confirm label={undo.label} yes="Yes, stop it" disabled={result.isLoading || result.isSuccess}
        note={undo.note} title={undo.note} act={() => void stop(decision.job)} />}
      {undo.by === 'again' && <Link className="button" to={`/submit?from=${decision.job}`} title={undo.note}>Submit again</Link>}
      {undo.by === 'nothing' && <small>{undo.note}</small>}
    </p>
  );
}

function List({kinds}: {kinds: readonly string[]}) {
  const kind = kinds.filter((one) => !OTHERS.includes(one)).join(',');
  const wants = (other: string) => kinds.length === 0 || kinds.includes(other);
  const skip = kinds.length > 0 && kind === '';
  const newest = useListDecisionsQuery({kind, limit: PAGE}, {skip});
  const incidents = useListIncidentsQuery({limit: INCIDENTS_MAX}, {skip: !wants(HEAL)});
  const services = useListServiceActsQuery(undefined, {skip: !wants(SERVICE), pollingInterval: SERVICES_EVERY_MS, skipPollingIfUnfocused: true});
  const policy = useShowPolicyQuery(undefined, {skip: !wants(POLICY)});
  const fixed = useIsSimulated();
  const [older, setOlder] = useState<readonly Decision[]>([]);
  const [cursor, setCursor] = useState<string | null>(null); // of what follows `older`
  const [read, reading] = useLazyListDecisionsQuery();
  useEffect(() => {
    if (older.length === 0) setCursor(newest.currentData?.next_cursor ?? null);
  }, [newest.currentData, older.length]);
  const more = async () => {
    if (!cursor) return;
    const answer = await read({kind, limit: PAGE, cursor});
    if (!answer.data) return;
    // The newest page goes on growing at its top, so what fell off its end is taken along here.
    setOlder((old) => [...(old.length === 0 ? newest.currentData?.decisions ?? [] : old), ...answer.data!.decisions]);
    setCursor(answer.data.next_cursor);
  };
  return (
    <Shown query={skip ? {...newest, data: []} : {...newest, data: newest.currentData?.decisions}} what="decisions">
      {(decisions) => (
        <Shown query={wants(HEAL) ? incidents : {...incidents, data: []}} what="acts of healing">
          {(healed) => {
            const others = [...actsOfHealing(wants(HEAL) ? healed : []), ...actsOfServices((wants(SERVICE) && services.data) || []),
              ...(wants(POLICY) && policy.data ? actsOfPolicy(policy.data, fixed) : [])];
            const list = byTime(joined(decisions, older), others, cursor !== null && !skip);
            if (list.length === 0) {
              return services.isLoading || policy.isLoading ? <Loading what="the rest" /> : <Empty>
                {kinds.length > 0 ? 'Nothing of this kind' : 'Nothing: no job has been decided on'} <SinceStart />.</Empty>;
            }
            return (
              <>
                <ul className="decisions">{list.map(({line}) => line)}</ul>
                {policy.error !== undefined && <p role="alert" className="bad">Changes of the policy are missing: {errorText(policy.error)}</p>}
                {services.error !== undefined && <p role="alert" className="bad">Acts of services are missing: {errorText(services.error)}</p>}
                <p className="foot">
                  {count(list.length, 'decision')} shown.{' '}
                  {cursor && !skip && <button disabled={reading.isFetching} onClick={() => void more()}>
                    {reading.isFetching ? 'Reading…' : 'Show earlier ones'}
                  </button>}
                  {reading.error !== undefined && <span role="alert" className="bad"> {errorText(reading.error)}</span>}
                </p>
              </>
            );
          }}
        </Shown>
      )}
    </Shown>
  );
}
