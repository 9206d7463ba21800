import {useEffect, useRef, useState} from 'react';
import {Link, useNavigate, useSearchParams} from 'react-router';

import {
  errorText, problemOf, useListQueuesQuery, usePlanJobQuery, useReadSpecQuery, useSubmitJobMutation,
  type Plan, type Problem,
} from '../api/api';
import {JobLink, NodeLink, Panel} from '../components/Bits';
import {SpecDiff} from '../components/SpecDiff';
import {WaitingReason} from '../components/Waiting';
import {Failed, Loading} from '../components/States';
import {count, duration, memory, moneyRange, number} from '../lib/format';
import {EMPTY, fieldAt, formOf, withField, type Form} from '../lib/spec';
import {useTitle} from '../lib/title';

const SETTLE_MS = 400;

export default function SubmitPage() {
  useTitle('Submit');
  const [params] = useSearchParams();
  const from = Number(params.get('from') ?? 0);
  const source = useReadSpecQuery(from, {skip: from < 1});
  if (from >= 1 && source.currentData === undefined) {
    return source.error
      ? <Failed what={`the spec of job ${from}`} error={source.error} retry={() => void source.refetch()} />
      : <Loading what={`the spec of job ${from}`} />;
  }
  return <Editor key={from} first={source.currentData ?? ''} from={from} />;
}

/** The text as it is once nobody has typed for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

function Editor({first, from}: {first: string; from: number}) {
  const [text, setText] = useState(first);
  const [asText, setAsText] = useState(formOf(first) === null);
  const settled = useSettled(text);
  const empty = text.trim() === '';
  const plan = usePlanJobQuery(settled, {skip: settled.trim() === ''});
  const current = !empty && settled === text && !plan.isFetching;
  const problem = current ? problemOf(plan.error) : null;
  const form = formOf(text);
  return (
    <>
      <div className="bar">
        <h1>Submit a job</h1>
        {from > 0 && <span className="quiet">from <JobLink id={from} /></span>}
        <div className="chips" role="group" aria-label="How to write it">
          <button aria-pressed={!asText} disabled={form === null} onClick={() => setAsText(false)}>form</button>
          <button aria-pressed={asText} onClick={() => setAsText(true)}>YAML</button>
        </div>
        {form === null && !asText && <span className="quiet">the form cannot show this text</span>}
      </div>
      <div className="columns">
        <Panel title={asText || !form ? 'Job spec' : 'Job'}>
          {asText || !form
            ? <TextEditor text={text} setText={setText} problem={problem} />
            : <FormEditor form={form} problem={problem}
                set={(field, value) => setText((old) => withField(old, field, value) ?? old)} />}
        </Panel>
        <Panel title="What submitting it now would lead to">
          {empty ? <p className="quiet">Fill in a command, and the plan stands here before anything happens.</p>
            : !current ? <Loading what="the plan" />
              : plan.error
                ? problem ? <Problems problem={problem} /> : <Failed what="the plan" error={plan.error} retry={() => void plan.refetch()} />
                : plan.data && <PlanView plan={plan.data} />}
          <Confirm text={text} ready={current && !plan.error && plan.data !== undefined} from={from} />
        </Panel>
      </div>
      {from > 0 && (
        <Panel title={`What you changed of job ${from}`}>
          <SpecDiff before={first} after={settled} label={`Changes of the spec of job ${from}`} alike="Nothing yet: it would be the same job again." />
        </Panel>
      )}
    </>
  );
}

/** Submits once: a repeated click, or an answer that was lost, makes no second job. */
function Confirm({text, ready, from}: {text: string; ready: boolean; from: number}) {
  const [submit, result] = useSubmitJobMutation();
  const navigate = useNavigate();
  const key = useRef({text: '', key: ''});
  const go = async () => {
    if (key.current.text !== text) key.current = {text, key: crypto.randomUUID()};
    const answer = await submit({text, key: key.current.key});
    if (answer.data) navigate(`/jobs/${answer.data.id}${from > 0 ? `?from=${from}` : ''}`);
  };
  return (
    <div className="bar confirm">
      <button className="primary" disabled={!ready || result.isLoading} onClick={() => void go()}>
        {result.isLoading ? 'Submitting…' : 'Submit'}
      </button>
      {result.error && <span role="alert" className="bad">Not submitted: {errorText(result.error)}</span>}
    </div>
  );
}

function TextEditor({text, setText, problem}: {
  text: string;
  setText: (text: string) => void;
  problem: Problem | null;
}) {
  return (
    <textarea className="editor" spellCheck={false} aria-label="Job spec as YAML" aria-invalid={problem !== null}
      aria-describedby={problem ? 'problems' : undefined} rows={22} value={text} dir="auto"
      placeholder={'name: train\ncommand: python3 train.py\nresources: {gpu: "H100:80GB:8", cpu: 16, memory: 200GB}\npriority: 5'}
      onChange={(event) => setText(event.target.value)} />
  );
}

const FIELDS: {field: Exclude<keyof Form, 'preemptible' | 'queue' | 'command'>; label: string; hint: string}[] = [
  {field: 'gpu', label: 'GPUs of each task', hint: '2, 0.5, A100, H100:80GB:8'},
  {field: 'nodes', label: 'Nodes', hint: '1; tasks start together'},
  {field: 'cpu', label: 'CPU cores of each task', hint: '16, 0.5'},
  {field: 'memory', label: 'Memory of each task', hint: '64GB'},
  {field: 'priority', label: 'Priority, 0 to 10', hint: '5; higher first'},
  {field: 'deadline', label: 'Stop it after', hint: '12h'},
  {field: 'expected_duration', label: 'Expected to run for', hint: '2h; helps planning'},
];

const LEVELS = ['node', 'nvlink', 'rack', 'zone', 'region'];
const SHARED: {field: 'max_per_node' | 'apart' | 'near'; label: string; hint: string}[] = [
  {field: 'max_per_node', label: 'Tasks of its group on a node, at most', hint: 'any number'},
  {field: 'apart', label: 'On no node that runs', hint: 'a group: a job’s or service’s name'},
  {field: 'near', label: 'Rather near to', hint: 'a group'},
];
const BALANCES: {field: 'spread' | 'pack'; label: string}[] = [
  {field: 'spread', label: 'Rather spread over'},
  {field: 'pack', label: 'Rather packed into one'},
];

function FormEditor({form, problem, set}: {
  form: Form;
  problem: Problem | null;
  set: (field: keyof Form, value: string | boolean) => void;
}) {
  const queues = useListQueuesQuery();
  const wrong = new Map((problem?.errors ?? []).map((one) => [fieldAt(one.pointer), one.detail]));
  const names = queues.data?.map(({name}) => name) ?? [];
  const field = (name: Exclude<keyof Form, 'preemptible'>, label: string, hint: string, input?: React.ReactNode) => (
    <label className="field" key={name}>
      <span>{label}</span>
      {input ?? <input value={form[name]} placeholder={hint} spellCheck={false} autoComplete="off" dir="auto"
        aria-invalid={wrong.has(name)} onChange={(event) => set(name, event.target.value)} />}
      {wrong.has(name) && <small className="bad">{wrong.get(name)}</small>}
    </label>
  );
  return (
    <form className="form" onSubmit={(event) => event.preventDefault()}>
      {field('name', 'Name', 'train')}
      {field('command', 'Command, run by /bin/sh', '', (
        <textarea rows={3} value={form.command} spellCheck={false} dir="auto" placeholder="python3 train.py"
          aria-invalid={wrong.has('command')} onChange={(event) => set('command', event.target.value)} />
      ))}
      <div className="fields">
        {FIELDS.map(({field: name, label, hint}) => field(name, label, hint))}
        {field('queue', 'Queue', '', (
          <select value={form.queue} onChange={(event) => set('queue', event.target.value)}>
            <option value="">default</option>
            {[...new Set([...names, form.queue])].filter((name) => name && name !== 'default')
              .map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
        ))}
      </div>
      <fieldset className="shared">
        <legend>With whom it shares nodes</legend>
        <div className="fields">
          {SHARED.map(({field: name, label, hint}) => field(name, label, hint))}
          {BALANCES.map(({field: name, label}) => field(name, label, '', (
            <select value={form[name]} aria-invalid={wrong.has(name)} onChange={(event) => set(name, event.target.value)}>
              <option value="">as it comes</option>
              {[...new Set([...LEVELS, form[name]])].filter(Boolean).map((level) => <option key={level} value={level}>{level}</option>)}
            </select>
          )))}
        </div>
      </fieldset>
      <label className="check">
        <input type="checkbox" checked={form.preemptible}
          onChange={(event) => set('preemptible', event.target.checked)} />
        May be stopped for a job of higher priority, and queued again
      </label>
      <p className="quiet">Environment, checkpoints and retries are set in YAML; both ways write the same text.
        {JSON.stringify(form) !== JSON.stringify(EMPTY) &&
          <> <button type="button" onClick={() => Object.keys(EMPTY).forEach((name) =>
            set(name as keyof Form, EMPTY[name as keyof Form]))}>Clear</button></>}
      </p>
    </form>
  );
}

function Problems({problem}: {problem: Problem}) {
  const errors = problem.errors ?? [];
  return (
    <div className="reason bad" role="alert" id="problems">
      <strong>{problem.title}</strong>
      {errors.length === 0 ? <p>{problem.detail}</p> : (
        <ul>{errors.map((one, index) => (
          <li key={index}>
            {one.pointer && <code>{one.pointer.slice(1).replaceAll('/', '.')}</code>} {one.detail}
            {one.suggestion && <> Did you mean <code>{one.suggestion}</code>?</>}
          </li>
        ))}</ul>
      )}
      {errors.length > 0 && <p className="quiet">{problem.detail}</p>}
    </div>
  );
}

function Price({price}: {price: NonNullable<Plan['price']>}) {
  const {total_micro_usd: total, duration_s: seconds} = price;
  return (
    <p className="price">
      <strong>{moneyRange(price.hour_micro_usd)}</strong> an hour
      {total !== null && seconds !== null
        ? <>; <strong>{moneyRange(total)}</strong> in {duration(seconds * 1000)}, {
          price.duration_by === 'submitter' ? 'as it is expected to run' : 'the median of jobs like it'}</>
        : <span className="quiet">; how long it runs is not known</span>}
    </p>
  );
}

function PlanView({plan}: {plan: Plan}) {
  const {waiting} = plan;
  return (
    <>
      {plan.starts_now
        ? <div className="reason good" role="status"><strong>Starts at once</strong></div>
        : waiting && <WaitingReason waiting={waiting} />}
      {plan.price && <Price price={plan.price} />}
      {plan.preempts.length > 0 && (
        <div className="reason wait">
          <strong>{count(plan.preempts.length, 'job')} would be stopped for it: </strong>
          {plan.preempts.slice(0, 20).map((id) => <span key={id}><JobLink id={id} />{' '}</span>)}
        </div>
      )}
      {plan.placement.length > 0 && (
        <table>
          <caption className="hidden">Where its tasks would go</caption>
          <thead><tr><th scope="col" className="number">Task</th><th scope="col">Node</th><th scope="col">GPUs</th>
            <th scope="col" className="number">CPU</th><th scope="col" className="number">Memory</th></tr></thead>
          <tbody>{plan.placement.slice(0, 50).map((task) => (
            <tr key={task.rank}>
              <td className="number">{task.rank}</td>
              <td><NodeLink name={task.node} /></td>
              <td>{task.devices.length === 0 ? '–' : task.devices.join(', ') + (task.virtual_gpus ? ' (virtual)' : '')}
                {task.gpu_milli_each > 0 && task.gpu_milli_each < 1000 && ` (${task.gpu_milli_each / 10} % of it)`}</td>
              <td className="number">{number(task.cpu_milli / 1000)}</td>
              <td className="number">{task.memory_mib ? memory(task.memory_mib) : '–'}</td>
            </tr>
          ))}</tbody>
        </table>
      )}
      {plan.placement.length > 50 && <p className="foot">and {count(plan.placement.length - 50, 'more task')}</p>}
      <p className="quiet">A plan is not a promise: others may submit before you do. <Link to="/queues">The line</Link></p>
    </>
  );
}
