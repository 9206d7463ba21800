import type {JobEvent, JobFull} from '../api/api';
import {changesState, isOver} from './jobs';

/** How one attempt of a job went, as far as is known. */
export interface Attempt {
  number: number;
  began: string | null; // when it was given its place; null: not known
  ended: string | null; // null: it goes on, or that is not known
  reason: string | null; // why it ended
  goesOn: boolean;
}

/**
 * All attempts, the latest first, of a job's changes in order; of those whose events are gone only the number is known.
 * More than one goes on where a task was started anew by itself.
 */
export function attemptsOf({attempt: latest, state, placement = []}: Pick<JobFull, 'attempt' | 'state'> & Partial<Pick<JobFull, 'placement'>>,
  events: readonly JobEvent[]): Attempt[] {
  const going = new Set([latest, ...placement.map((task) => task.attempt)]);
  const known = new Map<number, Attempt>();
  for (const event of events) {
    if (!changesState(event) || event.attempt < 1) continue;
    const one = known.get(event.attempt) ?? {number: event.attempt, began: null, ended: null, reason: null, goesOn: false};
    known.set(event.attempt, one);
    if (event.to === 'starting') one.began = event.at;
    else if (event.from !== null && event.from !== 'queued' && (event.to === 'queued' || isOver(event.to))) {
      one.ended = event.at;
      one.reason = event.reason;
    }
  }
  return Array.from({length: latest}, (_, index) => {
    const number = latest - index;
    const one = known.get(number) ?? {number, began: null, ended: null, reason: null, goesOn: false};
    return {...one, goesOn: going.has(number) && !isOver(state) && state !== 'queued'};
  });
}

/** What an address asks for: a task of the job, and an attempt, 0 for the latest; what there is not counts as none. */
export function chosenTask(params: URLSearchParams, job: Pick<JobFull, 'tasks' | 'attempt'>): {rank: number; attempt: number} {
  const whole = (name: string, low: number, high: number) => {
    const text = params.get(name) ?? '';
    const value = Number(text);
    return /^\d{1,9}$/.test(text) && value >= low && value <= high ? value : null;
  };
  return {rank: whole('rank', 0, job.tasks - 1) ?? 0, attempt: whole('attempt', 1, job.attempt) ?? 0};
}

/** Each exit code with the tasks that have it, `0-2, 5`, and the first of them; by their first ones. */
export function codesByTask(codes: readonly (number | null)[]): {code: string; tasks: string; first: number}[] {
  const groups = new Map<string, {tasks: string[]; first: number}>();
  for (let first = 0; first < codes.length;) {
    let next = first + 1;
    while (next < codes.length && codes[next] === codes[first]) next++;
    const code = codes[first] === null ? 'none' : String(codes[first]);
    const group = groups.get(code) ?? {tasks: [], first};
    group.tasks.push(next - first === 1 ? String(first) : `${first}-${next - 1}`);
    groups.set(code, group);
    first = next;
  }
  return [...groups].map(([code, {tasks, first}]) => ({code, tasks: tasks.join(', '), first}));
}
