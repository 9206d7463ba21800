import {useEffect, useState} from 'react';
import {useSearchParams} from 'react-router';

import {errorText, useLazyListDecisionsQuery, useListDecisionsQuery, type Decision} from '../api/api';
import {comparePositions} from '../api/position';
import {Chips, Panel} from '../components/Bits';
import {DecisionLine, KINDS} from '../components/DecisionLine';
import {Empty, Shown} from '../components/States';
import {count} from '../lib/format';
import {useTitle} from '../lib/title';

const PAGE = 100;

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
          options={Object.entries(KINDS).map(([value, {label}]) => ({value, label}))} />
      </div>
      <Panel title="Every act that nobody asked for, newest first">
        <List key={kind} kind={kind} />
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

function List({kind}: {kind: string}) {
  const newest = useListDecisionsQuery({kind, limit: PAGE});
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
    <Shown query={{...newest, data: newest.currentData}} what="decisions">
      {({decisions}) => {
        const list = joined(decisions, older);
        if (list.length === 0) {
          return <Empty>{kind ? 'Nothing of this kind yet.' : 'Nothing yet: no job has been decided on since the server started.'}</Empty>;
        }
        return (
          <>
            <ul className="decisions">{list.map((one) => <DecisionLine key={one.id} decision={one} />)}</ul>
            <p className="foot">
              {count(list.length, 'decision')} shown.{' '}
              {cursor && <button disabled={reading.isFetching} onClick={() => void more()}>
                {reading.isFetching ? 'Reading…' : 'Show earlier ones'}
              </button>}
              {reading.error !== undefined && <span role="alert" className="bad"> {errorText(reading.error)}</span>}
            </p>
          </>
        );
      }}
    </Shown>
  );
}
