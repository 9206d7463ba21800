import type {Job, JobEvent, JobState} from '../api/api';

export function isOver(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

/** How long a job has waited or run, in words. */
export function timing(
  job: Pick<Job, 'state' | 'submitted_at' | 'started_at' | 'ended_at'>,
  nowMs: number,
  duration: (ms: number) => string,
): string {
  const at = (text: string | null) => (text ? Date.parse(text) : nowMs);
  if (job.ended_at) {
    return job.started_at
      ? `ran ${duration(at(job.ended_at) - at(job.started_at))}`
      : `waited ${duration(at(job.ended_at) - at(job.submitted_at))}`;
  }
  if (job.started_at && job.state !== 'queued') return `runs ${duration(nowMs - at(job.started_at))}`;
  return `waits ${duration(nowMs - at(job.submitted_at))}`;
}

/** Whether the job became something else, and was not only warned. */
export function changesState(event: Pick<JobEvent, 'detail'>): boolean {
  return event.detail === '';
}

export interface Span {
  state: JobState;
  attempt: number;
  fromMs: number;
  toMs: number; // of the last one: now, or its beginning where the job is over
}

/** How long a job was in each state, from its changes in order. */
export function spans(events: readonly JobEvent[], nowMs: number): Span[] {
  return events.map((event, index) => {
    const fromMs = Date.parse(event.at);
    const next = events[index + 1];
    const toMs = next ? Date.parse(next.at) : isOver(event.to) ? fromMs : Math.max(nowMs, fromMs);
    return {state: event.to, attempt: event.attempt, fromMs, toMs};
  });
}
