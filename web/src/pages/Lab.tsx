import {useState} from 'react';
import {useSearchParams} from 'react-router';

import {
  errorText, problemOf, useDeleteLabRunMutation, useListLabRunsQuery, useListPoliciesQuery, useShowLabRunQuery, useShowPolicyQuery,
  useStartLabRunMutation, type LabRun, type Policies,
} from '../api/api';
import {Name, Panel, StateMark} from '../components/Bits';
import {Confirm} from '../components/Confirm';
import {LabResultView} from '../components/LabResult';
import {MakeLive} from '../components/MakeLive';
import {Empty, Shown} from '../components/States';
import {TraceChoice} from '../components/TraceChoice';
import {serverNow, useNow, worldTime} from '../lib/clock';
import {ago} from '../lib/format';
import {
  builtIn, missingOf, NO_SPAN, NO_TRACE, ownPolicy, sinceOf, traceName, traceOf, windowOfSpan, WINDOWS, wrongWith, type Span, type Window,
} from '../lib/lab';
import {useTitle} from '../lib/title';
import {useAppSelector} from '../store';

const POLL_MS = 1000;
const CHOSEN_MAX = 8;

const isOpen = (run: LabRun) => run.state === 'queued' || run.state === 'running';
const namesOf = (run: LabRun) => run.policies.map(({name}) => name).join(', ');

export default function LabPage() {
  useTitle('Policy lab');
  const [waits, setWaits] = useState(false);
  const runs = useListLabRunsQuery(undefined, {pollingInterval: waits ? POLL_MS : 0});
  const policies = useListPoliciesQuery();
  const played = useAppSelector(({link}) => link.simulation !== null);
  const open = runs.data?.some(isOpen) ?? false;
  if (open !== waits) setWaits(open);
  return (
    <>
      <div className="bar">
        <h1>Policy lab</h1>
        <span className="quiet">
          what would have happened under other policies, {played ? 'on the trace that is played here or on another' : 'in this server’s own past or on a trace'}
        </span>
      </div>
      <div className="columns">
        <Panel title="Try policies">
          <Shown query={policies} what="the policies">{(known) => <Choice known={known} played={played} />}</Shown>
        </Panel>
        <Panel title="Runs">
          <Shown query={runs} what="the runs">{(all) => <Runs runs={all} />}</Shown>
        </Panel>
      </div>
      {runs.data && <Results runs={runs.data} played={played} />}
    </>
  );
}

function Choice({known, played}: {known: Policies; played: boolean}) {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [own, setOwn] = useState<string | null>(null);
  const [window, setWindow] = useState<Window>('all');
  const [trace, setTrace] = useState(NO_TRACE);
  const [span, setSpan] = useState(NO_SPAN);
  const [start, started] = useStartLabRunMutation();
  const [, setParams] = useSearchParams();
  const toggle = (name: string) => setChosen((old) =>
    old.includes(name) ? old.filter((one) => one !== name) : [...old, name]);
  const policies = own === null ? chosen : [...chosen, own];
  const wrongOwn = own !== null
    && (problemOf(started.error)?.errors ?? []).some(({pointer}) => pointer === `/policies/${chosen.length}`);
  const missing = policies.length === 0 ? 'Choose a policy first.'
    : policies.length > CHOSEN_MAX ? `At most ${CHOSEN_MAX} at once.`
    : window === 'trace' ? missingOf(trace)
    : window === 'span' ? wrongWith(span) : '';
  const go = async () => {
    const answer = await start(window === 'trace' ? {policies: [...policies], trace: traceOf(trace)}
      : {policies: [...policies], ...(window === 'span' ? windowOfSpan(span) : {since: sinceOf(window, serverNow())})});
    if (answer.data) setParams({run: String(answer.data.id)}, {replace: true});
  };
  return (
    <form className="form" onSubmit={(event) => { event.preventDefault(); void go(); }}>
      <fieldset className="lab-policies">
        <legend className="quiet">{window === 'trace' ? 'Policies to compare with the first one' : 'Policies to compare with what was live'}</legend>
        {known.policies.map(({name, description}) => (
          <label className="check" key={name}>
            <input type="checkbox" checked={chosen.includes(name)} onChange={() => toggle(name)} />
            <span><strong>{name}</strong>{name === known.live && ' (live now)'} <small>{description}</small></span>
          </label>
        ))}
        <label className="check">
          <input type="checkbox" checked={own !== null} onChange={() => setOwn(own !== null ? null
            : ownPolicy((known.policies.find(({name}) => name === known.live) ?? known.policies[0]!).text))} />
          <span><strong>one of your own</strong> <small>a policy file, which begins as the live one</small></span>
        </label>
      </fieldset>
      {own !== null && (
        <textarea className="editor" rows={12} spellCheck={false} dir="auto" aria-label="Your policy as YAML" value={own}
          aria-invalid={wrongOwn} aria-describedby={wrongOwn ? 'lab-problem' : undefined}
          onChange={(event) => setOwn(event.target.value)} />
      )}
      <div className="bar">
        <span className="quiet" id="lab-window">Played over</span>
        <div className="chips" role="group" aria-labelledby="lab-window">
          {WINDOWS.filter(({onPlayed}) => !played || onPlayed !== null).map(({value, label, onPlayed}) => (
            <button key={value} type="button" aria-pressed={value === window} onClick={() => setWindow(value)}>
              {played ? onPlayed : label}
            </button>
          ))}
        </div>
      </div>
      {window === 'trace' && <TraceChoice draft={trace} change={setTrace} />}
      {window === 'span' && <SpanChoice span={span} change={setSpan} />}
      <div className="bar confirm">
        <button className="primary" disabled={missing !== '' || started.isLoading}>
          {started.isLoading ? 'Starting…' : 'Start'}
        </button>
        {missing && <span className="quiet">{missing}</span>}
      </div>
      {started.error && <p role="alert" id="lab-problem" className="bad">Not started: {errorText(started.error)}</p>}
    </form>
  );
}

function SpanChoice({span, change}: {span: Span; change: (span: Span) => void}) {
  const field = (label: string, name: keyof Span) => (
    <label>{label}
      <input type="datetime-local" step={1} value={span[name]} onChange={(event) => change({...span, [name]: event.target.value})} />
    </label>
  );
  return <div className="lab-trace">{field('From', 'from')}{field('Until', 'to')}<span className="quiet">In this browser’s time; empty is open.</span></div>;
}

function Runs({runs}: {runs: readonly LabRun[]}) {
  const now = useNow();
  const [remove, removed] = useDeleteLabRunMutation();
  const [params, setParams] = useSearchParams();
  const shown = shownRun(runs, params.get('run'));
  if (runs.length === 0) return <Empty>No run yet. Choose policies and start one; what comes out is kept here.</Empty>;
  return (
    <>
      {removed.error && <p role="alert" className="bad">Not removed: {errorText(removed.error)}</p>}
      <ul className="lab-runs">
        {runs.map((run) => (
          <li key={run.id} data-run={run.id}>
            <button aria-pressed={run === shown} onClick={() => setParams({run: String(run.id)}, {replace: true})}>
              Run {run.id}
            </button>
            <StateMark state={run.state} />
            <span className="grow"><Name>{namesOf(run)}</Name> <small>{windowOf(run, now)}, asked {ago(run.asked_at, now)}</small></span>
            <Confirm label={isOpen(run) ? 'Cancel' : 'Remove'} yes={`Yes, ${isOpen(run) ? 'cancel' : 'remove'} run ${run.id}`}
              act={() => void remove(run.id)} />
          </li>
        ))}
      </ul>
    </>
  );
}

function windowOf(run: LabRun, now: number): string {
  const trace = traceName(run);
  if (trace !== null) return `on ${trace}`;
  const parts = [run.since && `since ${worldTime(run.since, now)}`, run.until && `until ${worldTime(run.until, now)}`];
  return parts.filter(Boolean).join(' ') || 'over everything';
}

/** The one that was asked for, else the newest. */
function shownRun(runs: readonly LabRun[], asked: string | null): LabRun | undefined {
  return runs.find(({id}) => String(id) === asked) ?? runs[0];
}

function Results({runs, played}: {runs: readonly LabRun[]; played: boolean}) {
  const [params, setParams] = useSearchParams();
  const shown = shownRun(runs, params.get('run'));
  if (!shown) return null;
  const others = runs.filter((run) => run !== shown && run.state === 'succeeded');
  const beside = others.find(({id}) => String(id) === params.get('with'));
  return (
    <>
      <Result run={shown} played={played} aside={others.length > 0 && (
        <label className="bar">
          <span className="quiet">Compare with</span>
          <select value={beside?.id ?? ''} onChange={(event) =>
            setParams({run: String(shown.id), ...(event.target.value ? {with: event.target.value} : {})}, {replace: true})}>
            <option value="">no other run</option>
            {others.map((run) => <option key={run.id} value={run.id}>run {run.id}: {namesOf(run)}</option>)}
          </select>
        </label>
      )} />
      {beside && <Result run={beside} played={played} />}
    </>
  );
}

function Result({run, played, aside}: {run: LabRun; played: boolean; aside?: React.ReactNode}) {
  const now = useNow();
  const known = useListPoliciesQuery().data?.policies;
  const live = useShowPolicyQuery().data?.text;
  const result = useShowLabRunQuery(run.id, {skip: run.state !== 'succeeded'});
  return (
    <Panel title={`Run ${run.id}: ${namesOf(run)}, ${windowOf(run, now)}`} aside={aside}>
      {run.state === 'queued' && <p role="status">It waits for the run before it.</p>}
      {run.state === 'running' && <Running run={run} />}
      {run.state === 'failed' && (
        <div className="reason bad"><strong>It did not come to an end: </strong>{run.error}</div>
      )}
      {run.state === 'succeeded' && (
        <Shown query={result} what={`the result of run ${run.id}`}>
          {({report}) => (report ? <LabResultView report={report} onTrace={run.trace !== null} /> : <Empty>It has no report.</Empty>)}
        </Shown>
      )}
      {run.state === 'succeeded' && !played && (
        <div className="bar">
          {run.policies.map(({name, text}) => (
            <MakeLive key={name} name={name} label={`Make ${name} the live policy`} live={live}
              text={text ?? known?.find((one) => one.name === name)?.text ?? builtIn(name)} />
          ))}
        </div>
      )}
      {run.policies.filter(({text}) => text !== null).map(({name, text}) => (
        <details key={name} className="lab-notes">
          <summary>The policy file <Name>{name}</Name></summary>
          <pre tabIndex={0}>{text}</pre>
        </details>
      ))}
    </Panel>
  );
}

function Running({run}: {run: LabRun}) {
  const {doing, part} = run.progress ?? {doing: '', part: 0};
  return (
    <>
      <progress max={1} value={part} aria-label={`Run ${run.id}`} />
      <p className="quiet">{Math.floor(100 * part)} %: {doing || 'it begins'}. It runs at the lowest priority, beside the server’s work.</p>
    </>
  );
}
