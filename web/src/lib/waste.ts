import type {JobUsage} from '../api/api';

/** Who wastes what, the most first, with the part of the whole that it and those before it make. */
export interface Waste {
  name: string;
  job: number | null; // null: of several
  gpuSeconds: number;
  upTo: number; // 0 to 1
}

/** Of jobs, or of queues; beyond `max` in one sum, which stands last. Nobody who wastes nothing. */
export function pareto(jobs: readonly Pick<JobUsage, 'job' | 'name' | 'queue' | 'gpu_seconds_wasted'>[], by: 'job' | 'queue',
  max: number): Waste[] {
  const parts = new Map<string, Waste>();
  for (const one of jobs) {
    if (one.gpu_seconds_wasted <= 0) continue;
    const name = by === 'job' ? one.name || `job ${one.job}` : one.queue;
    const key = by === 'job' ? String(one.job) : one.queue;
    const known = parts.get(key) ?? {name, job: by === 'job' ? one.job : null, gpuSeconds: 0, upTo: 0};
    known.gpuSeconds += one.gpu_seconds_wasted;
    parts.set(key, known);
  }
  const sorted = [...parts.values()].sort((a, b) => b.gpuSeconds - a.gpuSeconds || (a.job ?? 0) - (b.job ?? 0) ||
    (a.name < b.name ? -1 : 1));
  const rest = sorted.splice(max);
  if (rest.length > 0) {
    sorted.push({name: `${rest.length} more`, job: null, gpuSeconds: rest.reduce((sum, one) => sum + one.gpuSeconds, 0), upTo: 0});
  }
  const whole = sorted.reduce((sum, one) => sum + one.gpuSeconds, 0);
  let sum = 0;
  for (const one of sorted) one.upTo = (sum += one.gpuSeconds) / whole;
  return sorted;
}
