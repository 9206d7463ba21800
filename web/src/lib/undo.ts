import type {Decision, ServiceEvent} from '../api/api';
import {isOver} from './jobs';

/** What a person can do about an act of Gyre's, and what it does not bring back; or why nothing can be done. */
export type Undo =
  | {by: 'stop'; label: string; note: string}
  | {by: 'again'; note: string}
  | {by: 'nothing'; note: string};

const LOST = 'what it has done since its last checkpoint is lost';

function ofStart(state: string | undefined): Undo {
  if (state === undefined || state === 'starting' || state === 'running') {
    return {by: 'stop', label: 'Stop the job', note: `A start is not taken back. The job can be stopped for good; ${LOST}.`};
  }
  if (state === 'stopping' || state === 'preempting') return {by: 'nothing', note: 'The job is being stopped already.'};
  if (state === 'queued') return {by: 'nothing', note: 'The job is back in the line already.'};
  return {by: 'nothing', note: 'Cannot be undone: the job is over.'};
}

/** Decisions are about jobs: none brings back the moment before it. */
export function undoOf({kind, outcome}: Pick<Decision, 'kind' | 'outcome'>): Undo {
  switch (kind) {
    case 'start':
    case 'backfill': return ofStart(outcome?.state);
    case 'preempt': return {by: 'nothing', note: 'Cannot be undone: its room is given away. It goes back into the line by itself and starts when its turn comes.'};
    case 'requeue':
      if (outcome !== null && isOver(outcome.state)) return {by: 'nothing', note: 'Cannot be undone: the job is over.'};
      return {by: 'stop', label: 'End it instead', note: 'It will be tried again by itself. It can be stopped for good.'};
    case 'replace':
      if (outcome !== null && isOver(outcome.state)) return {by: 'nothing', note: 'Cannot be undone: the job is over.'};
      return {by: 'stop', label: 'Stop the job', note: `The node that was lost is not waited for. The job can be stopped for good; ${LOST}.`};
    case 'stop':
    case 'give-up': return {by: 'again', note: 'The job has ended for good; the same spec can be submitted as a new job.'};
    case 'warn':
      if (outcome !== null && isOver(outcome.state)) return {by: 'nothing', note: 'Cannot be undone: the job is over.'};
      return {by: 'nothing', note: 'The warning ends by itself once the job uses its GPUs.'};
  }
}

/** Why what a service did by itself is not taken back by hand, and what changes it. */
export function undoOfService(event: ServiceEvent['event']): string {
  switch (event) {
    case 'scaled': return 'Cannot be undone by hand: it follows its load, within the bounds of its spec.';
    case 'undone': return 'Cannot be undone: the revision did not become ready. Apply a spec that does.';
    default: return 'Cannot be undone: the replica is started anew.';
  }
}
