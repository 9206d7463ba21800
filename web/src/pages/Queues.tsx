import {useMemo, useState} from 'react';

import {useListQueuesQuery, useReadHistoryQuery, type History, type Queue} from '../api/api';
import {Choice, Panel, SearchBar} from '../components/Bits';
import {Chart} from '../components/Chart';
import {QueueTree} from '../components/QueueTree';
import {SinceStart} from '../components/SinceStart';
import {Empty, Shown} from '../components/States';
import {number} from '../lib/format';
import {COLOURS, trimmed} from '../lib/history';
import {hasQuota, pruned, summedUp, treeOf} from '../lib/queues';
import {useTitle} from '../lib/title';

const WINDOWS = ['1h', '24h', '30d'] as const;

const SHOWN_MAX = 300;
const SEARCHED_FROM = 8; // fewer are seen at once

export default function QueuesPage() {
  useTitle('Queues');
  const queues = useListQueuesQuery();
  return (
    <>
      <h1>Queues</h1>
      <Shown query={queues} what="queues">
        {(list) => (
          <Panel title="Who holds what, and what the rest waits for">
            {list.length === 0 ? <Empty>There is no queue yet.</Empty> : <Tree queues={list} />}
            {!list.some(hasQuota) && (
              <p className="foot">
                No queue has a guarantee, a limit or a weight, so the policy alone says who is next. A file of queues changes
                that: <code>gyre up --queues queues.yaml</code>
              </p>
            )}
          </Panel>
        )}
      </Shown>
      <Shares queues={queues.data ?? []} />
    </>
  );
}

function Tree({queues}: {queues: readonly Queue[]}) {
  const [search, setSearch] = useState('');
  const {branches, shown, matching} = useMemo(() => pruned(treeOf(queues), search, SHOWN_MAX), [queues, search]);
  return (
    <>
      {queues.length > SEARCHED_FROM && <SearchBar thing="queue" value={search} change={setSearch} />}
      {branches.length === 0 ? <Empty>No queue has a name like that.</Empty> : <QueueTree branches={branches} />}
      {matching > shown && <p className="foot">The first {number(shown)} of {number(matching)} queues are shown.</p>}
    </>
  );
}

function Shares({queues}: {queues: readonly Queue[]}) {
  const [window, setWindow] = useState<(typeof WINDOWS)[number]>('1h');
  const history = useReadHistoryQuery({window});
  return (
    <Panel title="Over time" aside={
      <Choice label="How far back" options={WINDOWS} chosen={window} choose={setWindow} />
    }>
      <Shown query={{...history, data: history.currentData}} what="the history">
        {(data) => data.queues.length === 0 ? <Empty>No queue has had a job <SinceStart />.</Empty> : <Charts history={trimmed(data)} queues={queues} />}
      </Shown>
    </Panel>
  );
}

function Charts({history, queues}: {history: History; queues: readonly Queue[]}) {
  const shared = {beginsMs: Date.parse(history.begins_at), stepMs: history.step_s * 1000};
  const shown = summedUp(history.queues, queues).slice(0, COLOURS.length);
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
