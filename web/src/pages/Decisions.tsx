import {useEffect, useState} from 'react';
import {Link, useSearchParams} from 'react-router';

import {
  errorText, useLazyListDecisionsQuery, useListDecisionsQuery, useListIncidentsQuery, useStopJobMutation, type Decision, type Incident,
} from '../api/api';
import {comparePositions} from '../api/position';
import {Chips, Panel} from '../components/Bits';
import {Confirm} from '../components/Confirm';
import {DecisionLine, KINDS} from '../components/DecisionLine';
import {IncidentLine} from '../components/IncidentLine';
import {Empty, Shown} from '../components/States';
import {count} from '../lib/format';
import {isAct} from '../lib/healing';
import {useTitle} from '../lib/title';
import {undoOf} from '../lib/undo';

const PAGE = 100;
const HEAL = 'heal'; // acts on nodes, which the server lists as incidents
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
          options={[...Object.entries(KINDS).map(([value, {label}]) => ({value, label})), {value: HEAL, label: HEAL}]} />
      </div>
      <Panel title="Every act that nobody asked for, newest first">
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

/** Decisions and acts of healing by their times, the newest first; of the latter only what is as new as the oldest decision,
 *  while there are older ones. */
function byTime(decisions: readonly Decision[], acts: readonly Incident[], more: boolean): readonly (Decision | Incident)[] {
  const oldest = more ? decisions.at(-1)?.at ?? '' : '';
  const list: {at: number; one: Decision | Incident}[] = [
    ...decisions.map((one) => ({at: Date.parse(one.at), one})),
    ...acts.filter((one) => one.detected_at >= oldest).map((one) => ({at: Date.parse(one.detected_at), one})),
  ];
  return list.sort((a, b) => b.at - a.at).map(({one}) => one); // stable: what has one time stays as it came
}

/** What can be done about a decision; or why nothing can. */
function UndoDecision({decision}: {decision: Decision}) {
  const [stop, result] = useStopJobMutation();
  const undo = undoOf(decision);
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
  const kind = kinds.filter((one) => one !== HEAL).join(',');
  const heals = kinds.length === 0 || kinds.includes(HEAL);
  const skip = kinds.length > 0 && kind === '';
  const newest = useListDecisionsQuery({kind, limit: PAGE}, {skip});
  const incidents = useListIncidentsQuery({limit: INCIDENTS_MAX}, {skip: !heals});
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
        <Shown query={heals ? incidents : {...incidents, data: []}} what="acts of healing">
          {(found) => {
            const list = byTime(joined(decisions, older), found.filter(isAct), cursor !== null && !skip);
            if (list.length === 0) {
              return <Empty>{kinds.length > 0 ? 'Nothing of this kind yet.'
                : 'Nothing yet: no job has been decided on since the server started.'}</Empty>;
            }
            return (
              <>
                <ul className="decisions">{list.map((one) => 'symptom' in one
                  ? <IncidentLine key={`incident ${one.id}`} incident={one} />
                  : <DecisionLine key={one.id} decision={one} undo={<UndoDecision decision={one} />} />)}</ul>
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
