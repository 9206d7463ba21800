/** Which task of a job, and in which of its attempts; the address says it, too. */
import {useJobEventsQuery, type JobFull} from '../api/api';
import {useAddress} from '../lib/address';
import {attemptsOf, chosenTask, codesByTask, type Attempt} from '../lib/attempts';
import {useNow, worldTime} from '../lib/clock';
import {duration, number, words} from '../lib/format';

const ATTEMPTS_LISTED = 200;

export function TaskChoice({job}: {job: JobFull}) {
  const [params, change] = useAddress();
  const events = useJobEventsQuery(job.id);
  const now = useNow();
  if (job.tasks < 2 && job.attempt < 2) return null;
  const {rank, attempt} = chosenTask(params, job);
  const attempts = attemptsOf(job, events.currentData?.events ?? []);
  const latest = job.placement.find((task) => task.rank === rank)?.attempt ?? job.attempt;
  const chosen = attempts[job.attempt - (attempt || latest)];
  const listed = attempts.filter((one, index) => index < ATTEMPTS_LISTED || one === chosen);
  const go = (to: number) => {
    if (Number.isSafeInteger(to) && to >= 0 && to < job.tasks) change({rank: String(to), at: ''});
  };
  return (
    <div className="panel bar" role="group" aria-label="Which task and attempt">
      {job.tasks > 1 && (
        <span className="bar">
          <label>Task <input className="id" type="number" min={0} max={job.tasks - 1} value={rank}
            onChange={(event) => go(event.target.valueAsNumber)} /></label>
          <span className="quiet">of {number(job.tasks)}, from 0</span>
          <button onClick={() => go(rank - 1)} disabled={rank === 0} aria-label="The task before">‹</button>
          <button onClick={() => go(rank + 1)} disabled={rank === job.tasks - 1} aria-label="The next task">›</button>
        </span>
      )}
      {job.attempt > 0 && (
        <label>Attempt{' '}
          <select value={attempt} onChange={(event) => change({attempt: event.target.value === '0' ? '' : event.target.value, at: ''})}>
            <option value={0}>the latest ({number(latest)})</option>
            {listed.map((one) => <option key={one.number} value={one.number}>{one.number}: {outcome(one)}</option>)}
          </select>
        </label>
      )}
      {chosen && <span role="status">{howItWent(chosen, job, now)}</span>}
      {chosen?.number === latest && <ExitCodes codes={job.exit_codes} go={go} />}
      {attempts.length > listed.length && (
        <small>The latest {number(ATTEMPTS_LISTED)} of {number(attempts.length)} are listed; the address takes any: attempt=N.</small>
      )}
    </div>
  );
}

/** Each code with its tasks; the first of them is gone to. */
function ExitCodes({codes, go}: {codes: JobFull['exit_codes']; go: (rank: number) => void}) {
  if (codes.length < 2 || codes.every((code) => code === null)) return null;
  return (
    <span className="bar" role="group" aria-label="Exit codes by task">
      Exit codes:
      {codesByTask(codes).map(({code, tasks, first}) => (
        <button key={code} onClick={() => go(first)} className={code === '0' ? undefined : 'bad'}
          title={`Go to task ${first}`}>{code} of {tasks}</button>
      ))}
    </span>
  );
}

function outcome({goesOn, reason, ended}: Attempt): string {
  if (goesOn) return 'goes on';
  if (reason !== null) return words(reason);
  return ended !== null ? 'ended' : 'how it ended is no longer known';
}

/** In words, with the exit state where that is known. */
function howItWent(one: Attempt, job: JobFull, now: number): string {
  const ran = one.began && one.ended ? ` after ${duration(Date.parse(one.ended) - Date.parse(one.began))}` : '';
  if (one.goesOn) return `Attempt ${one.number} goes on${one.began ? `, since ${worldTime(one.began, now)}` : ''}.`;
  const when = one.ended ? ` at ${worldTime(one.ended, now)}${ran}` : '';
  return `Attempt ${one.number}: ${outcome(one)}${when}${one.number === job.attempt ? exitText(job) : ''}.`;
}

/** Of the attempt that ended last, the one exit that a job keeps: of a gang it names the task. */
function exitText({exit}: JobFull): string {
  if (exit === null) return '';
  const what = {
    exited: `exit code ${exit.code}`, signaled: `ended by signal ${exit.code}`, start_failed: 'a task could not start', lost: 'a task was lost',
  }[exit.kind];
  return `; ${exit.message.endsWith(what) ? exit.message : `${what}${exit.message && `: ${exit.message}`}`}`;
}
