import type {Incident} from '../api/api';
import {sentence} from './format';

/** What is not over: being healed, or waiting for its remedy. */
export function isOpen(incident: Pick<Incident, 'outcome'>): boolean {
  return incident.outcome === 'open' || incident.outcome === 'held';
}

/** It is about a node, and something was done or is to be. */
export function isAct(incident: Pick<Incident, 'node' | 'job' | 'remedy'>): boolean {
  return incident.node !== null && incident.job === null && incident.remedy !== 'note';
}

/** How long repairs took, of those that were. */
export interface RepairTimes {
  repairs: number;
  meanMs: number; // the mean time to repair; 0 where there is none, as the others
  medianMs: number;
  longestMs: number;
}

export function repairTimes(incidents: readonly Pick<Incident, 'recovery_ms'>[]): RepairTimes {
  const times = incidents.flatMap(({recovery_ms}) => (recovery_ms === null ? [] : [recovery_ms])).sort((a, b) => a - b);
  const middle = times.length / 2;
  return {
    repairs: times.length,
    meanMs: times.reduce((sum, ms) => sum + ms, 0) / Math.max(1, times.length),
    medianMs: ((times[Math.ceil(middle) - 1] ?? 0) + (times[Math.floor(middle)] ?? times.at(-1) ?? 0)) / 2,
    longestMs: times.at(-1) ?? 0,
  };
}

/** By what the work of a job that was moved is kept. */
export const KEPT: Record<Incident['moved'][number]['kept_by'], string> = {
  checkpoint_signal: 'asked to save by its checkpoint signal',
  last_checkpoint: 'goes on from its last checkpoint',
  nothing: 'begins anew',
};

/** What a remedy does, for a person. */
export const REMEDIES: Record<Incident['remedy'], string> = {
  note: 'noted only: nothing has to be done by now',
  quarantine: 'quarantine: nothing new is put on the node, what runs goes on',
  evacuate: 'quarantine, and what may be preempted leaves the node',
  cordon: 'out of service until a person puts it back; what runs goes on',
  drain: 'out of service until a person puts it back, and what may be preempted leaves the node',
  retry: 'the job is tried again',
};

type Step = Incident['steps'][number];

/** A step for the node's hardware: "Reset of GPU 3". */
export function stepName({step, gpu}: Pick<Step, 'step' | 'gpu'>): string {
  return gpu === null ? sentence(step) : `${sentence(step)} of GPU ${gpu}`;
}

export function stepOutcome({good, detail}: Pick<Step, 'good' | 'detail'>): string {
  const outcome = good === null ? 'underway' : good ? 'done' : 'failed';
  return detail === '' ? outcome : `${outcome}: ${detail}`;
}

/** The node or job that an incident is about holds this text in its name. */
export function isAbout(incident: Pick<Incident, 'node' | 'job'>, wanted: string): boolean {
  const text = wanted.trim().toLowerCase();
  return text === '' || (incident.node?.toLowerCase().includes(text) ?? false) ||
    (incident.job !== null && String(incident.job) === text);
}
