import type {GpuHistory, History} from '../api/api';

const STEPS_MIN = 60; // so that the first minutes are no bare edge

/** Where the part of a history begins that says something; the last STEPS_MIN at least. */
export function knownFrom(gpus: readonly (number | null)[]): number {
  const first = gpus.findIndex((value) => value !== null);
  const last = Math.max(0, gpus.length - STEPS_MIN);
  return first < 0 ? last : Math.min(first, last);
}

/** Where lines of equal length end: without the newest step while it has just begun and no line knows anything of it. */
export function endOfKnown(lines: readonly (readonly (number | null)[])[]): number {
  const steps = lines[0]?.length ?? 0;
  return lines.every((line) => line.at(-1) == null) ? Math.max(0, steps - 1) : steps;
}

/** Colours of lines in one chart; beyond them, the way of drawing tells lines apart. */
export const COLOURS = ['var(--blue)', 'var(--green)', 'var(--amber)', 'var(--violet)', 'var(--red)', 'var(--quiet)'];

/** The history without the time before the server knew anything. */
export function trimmed(history: History): History {
  const from = knownFrom(history.gpus);
  const cut = <T extends History['fleet']>(lines: T): T => ({
    ...lines,
    gpus_used: lines.gpus_used.slice(from),
    jobs_queued: lines.jobs_queued.slice(from),
    jobs_placed: lines.jobs_placed.slice(from),
  });
  return {
    ...history,
    begins_at: new Date(Date.parse(history.begins_at) + from * history.step_s * 1000).toISOString(),
    gpus: history.gpus.slice(from),
    gpus_free: history.gpus_free.slice(from),
    gpus_fragmented: history.gpus_fragmented.slice(from),
    gpus_read: history.gpus_read.slice(from),
    gpus_active: history.gpus_active.slice(from),
    fleet: cut(history.fleet),
    queues: history.queues.map(cut),
  };
}

/** The history of some devices, without what they did before a time: that was not theirs who ask. */
export function partOf(history: GpuHistory, devices?: readonly number[], since?: string | null): GpuHistory {
  const gpus = history.gpus?.filter(({device}) => !devices || devices.includes(device));
  if (!gpus || !since || !history.begins_at || !history.step_s) return {...history, gpus};
  const first = (Date.parse(since) - Date.parse(history.begins_at)) / (history.step_s * 1000);
  const later = <T>(values: readonly T[]) => values.map((value, index) => (index + 1 > first ? value : null));
  return {...history, gpus: gpus.map((gpu) => Object.fromEntries(Object.entries(gpu).map(([name, value]) =>
    [name, Array.isArray(value) ? later(value) : value])) as typeof gpu)};
}
