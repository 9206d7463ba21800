/** Which trace the policy lab plays, and on which nodes. */
import {useState} from 'react';

import {useListLabTracesQuery, type LabTraces} from '../api/api';
import {bytes} from '../lib/format';
import type {TraceDraft} from '../lib/lab';
import {readText, type TextFile} from '../lib/upload';
import {Shown} from './States';

interface Draft {
  draft: TraceDraft;
  change: (draft: TraceDraft) => void;
}

export function TraceChoice(props: Draft) {
  const traces = useListLabTracesQuery();
  return <Shown query={traces} what="the traces">{(known) => <Known {...props} known={known} />}</Shown>;
}

function Known({draft, change, known}: Draft & {known: LabTraces}) {
  const bundled = known.traces.find(({name}) => name === draft.bundled);
  const choose = (name: string) => change({...draft, bundled: name || null,
    nodes: known.traces.find((one) => one.name === name)?.nodes ?? ''});
  return (
    <div className="lab-trace">
      <label>Trace
        <select value={draft.bundled ?? ''} onChange={(event) => choose(event.target.value)}>
          <option value="">a file of yours</option>
          {known.traces.map(({name}) => <option key={name} value={name}>{name}</option>)}
        </select>
      </label>
      {bundled
        ? <span className="quiet">{bundled.description}.</span>
        : <FileField label="Trace file" bytesMax={known.limits.trace_bytes} file={draft.file}
          take={(file) => change({...draft, file})} />}
      <label>Nodes
        <input value={draft.nodes} placeholder="32x8:V100" spellCheck={false} maxLength={1000}
          disabled={draft.list !== null} onChange={(event) => change({...draft, nodes: event.target.value})} />
      </label>
      <FileField label="or a node list" bytesMax={known.limits.nodes_bytes} file={draft.list}
        take={(list) => change({...draft, list})} />
    </div>
  );
}

function FileField({label, bytesMax, file, take}: {
  label: string;
  bytesMax: number;
  file: TextFile | null;
  take: (file: TextFile | null) => void;
}) {
  const [wrong, setWrong] = useState('');
  const read = async (chosen: File | undefined) => {
    setWrong('');
    take(null);
    if (!chosen) return;
    try {
      take(await readText(chosen, bytesMax));
    } catch (error) {
      setWrong((error as Error).message);
    }
  };
  return (
    <label>{label}
      <input type="file" accept=".csv,.gz,text/csv" onChange={(event) => void read(event.target.files?.[0])} />
      <small className="quiet">CSV, plain or .gz, up to {bytes(bytesMax)}{file && `; ${file.name} is read`}</small>
      {wrong && <span role="alert" className="bad">{wrong}.</span>}
    </label>
  );
}
