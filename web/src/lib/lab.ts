/** What runs of the policy lab say, side by side. All pure. */
import type {LabOrder, LabReport, LabResult, LabRun} from '../api/api';
import {count, duration, number} from './format';
import type {TextFile} from './upload';

/** What happened; all other columns are simulated. */
export const RECORDED = 'recorded';

export interface Figure {
  label: string;
  note: string;
  value: (result: LabResult) => number | null;
  show: (value: number) => string;
  better: 'less' | 'more';
}

const seconds = (s: number) => duration(s * 1000);
const part = (ratio: number) => `${number(Math.round(ratio * 1000) / 10)} %`;
const rounded = (value: number) => number(Math.round(value * 100) / 100);

export const FIGURES: readonly Figure[] = [
  {label: 'Wait, mean', note: 'from submission to the first start', value: ({wait_s}) => wait_s.mean, show: seconds, better: 'less'},
  {label: 'Wait, 9 of 10 jobs', note: 'wait no longer than this', value: ({wait_s}) => wait_s.p90, show: seconds, better: 'less'},
  {label: 'Completion, mean', note: 'from submission to a good end', value: ({jct_s}) => jct_s.mean, show: seconds, better: 'less'},
  {label: 'Completion, 9 of 10 jobs', note: 'end well within this', value: ({jct_s}) => jct_s.p90, show: seconds, better: 'less'},
  {label: 'Slowdown, mean', note: 'completion over run time alone', value: ({bounded_slowdown}) => bounded_slowdown.mean, show: rounded, better: 'less'},
  {label: 'Time until all is done', note: 'since the window began', value: ({makespan_s}) => makespan_s, show: seconds, better: 'less'},
  {label: 'GPUs given out', note: 'of all, on average until then', value: ({gpu_allocation_ratio}) => gpu_allocation_ratio.mean, show: part, better: 'more'},
  {label: 'Free GPUs that no job fits', note: 'fragmentation, on average', value: ({fragmentation_ratio}) => fragmentation_ratio.mean, show: part, better: 'less'},
  {label: 'Fairness among queues', note: 'Jain’s index, 100 % is even', value: ({fairness}) => fairness?.jain ?? null, show: part, better: 'more'},
  {label: 'Preemptions', note: 'jobs stopped for others', value: ({preemptions}) => preemptions, show: number, better: 'less'},
  {label: 'GPU hours done again', note: 'after preemptions and failures', value: ({lost_gpu_hours}) => lost_gpu_hours, show: rounded, better: 'less'},
];

/** The figures that say something of a report. */
export function figuresOf(report: LabReport): Figure[] {
  return FIGURES.filter(({value}) => report.results.some((result) => (value(result) ?? 0) > 0));
}

/** The live policy in simulation, with which the others are compared. */
export function baselineOf(report: LabReport): LabResult | null {
  return report.results.find(({policy}) => policy !== RECORDED) ?? null;
}

export interface Difference {
  kind: 'same' | 'better' | 'worse';
  text: string;
}

/** How a figure stands to the baseline's: half a percent is none. */
export function difference(figure: Figure, result: LabResult, baseline: LabResult): Difference | null {
  const [is, base] = [figure.value(result), figure.value(baseline)];
  if (is === null || base === null) return null;
  const change = base === 0 ? (is === 0 ? 0 : Infinity) : is / base - 1;
  if (Math.abs(change) < 0.005) return {kind: 'same', text: '= as the baseline'};
  const kind = (change < 0) === (figure.better === 'less') ? 'better' : 'worse';
  const by = Number.isFinite(change) && Math.abs(change) < 10 ? `${number(Math.round(Math.abs(change) * 1000) / 10)} % ` : '';
  return {kind, text: `${change > 0 ? '▲' : '▼'} ${by}${change > 0 ? 'more' : 'less'}: ${kind}`};
}

/** In words how far the simulation is to be trusted. */
export function calibration(report: LabReport): {good: boolean; text: string} {
  const told = report.calibration;
  if (!told) {
    return {good: false, text: 'What happened cannot be replayed by this version of Gyre, so nothing says how near the model comes.'};
  }
  if (told.jobs === 0) return {good: false, text: 'No job started both then and in the model, so nothing says how near it comes.'};
  const share = told.on_time / told.jobs;
  const judged = share >= 0.9 ? 'The model is close' : share >= 0.5 ? 'The model is roughly right' : 'The model is off';
  const advice = share >= 0.9 ? '' : ` Differences that are not much larger than ${seconds(told.difference_mean_s)} say little.`;
  return {
    good: share >= 0.5,
    text: `${judged}: under the policy that was live it starts ${number(told.on_time)} of ${count(told.jobs, 'job')} within a second `
      + `of when they did, ${seconds(told.difference_mean_s)} off on average.${advice}`,
  };
}

/** What there is to play over; of a server that plays a trace itself, what has a name there. */
export const WINDOWS = [
  {value: 'all', label: 'everything', ms: null, onPlayed: 'the trace played here'},
  {value: 'week', label: 'last week', ms: 7 * 86_400_000, onPlayed: null},
  {value: 'day', label: 'last day', ms: 86_400_000, onPlayed: null},
  {value: 'span', label: 'from … to', ms: null, onPlayed: null},
  {value: 'trace', label: 'a trace', ms: null, onPlayed: 'another trace'},
] as const;
export type Window = (typeof WINDOWS)[number]['value'];

/** When a window begins, as the server wants it. */
export function sinceOf(window: Window, nowMs: number): string | null {
  const ms = WINDOWS.find(({value}) => value === window)?.ms ?? null;
  return ms === null ? null : new Date(Math.max(0, nowMs - ms)).toISOString();
}

/** A window with an end of its own, as two fields of local time write it; '' is open. */
export interface Span {
  from: string;
  to: string;
}
export const NO_SPAN: Span = {from: '', to: ''};

/** What is wrong with it; '' when nothing is. */
export function wrongWith({from, to}: Span): string {
  if (from === '' && to === '') return 'Say from when, until when, or both.';
  return from !== '' && to !== '' && from >= to ? 'It must end after it begins.' : '';
}

/** As the server wants it. */
export function windowOfSpan({from, to}: Span): Pick<LabOrder, 'since' | 'until'> {
  const utc = (local: string) => (local === '' ? null : new Date(local).toISOString());
  return {since: utc(from), until: utc(to)};
}

/** A trace as it is being chosen. */
export interface TraceDraft {
  bundled: string | null;
  file: TextFile | null;
  nodes: string;
  list: TextFile | null;
}
export const NO_TRACE: TraceDraft = {bundled: null, file: null, nodes: '', list: null};

/** What is still to be chosen; '' when nothing is. */
export function missingOf({bundled, file, nodes, list}: TraceDraft): string {
  if (bundled === null && file === null) return 'Choose a trace first.';
  return nodes.trim() === '' && list === null ? 'Say on which nodes.' : '';
}

/** As the server wants it. Requires: nothing is missing. */
export function traceOf({bundled, file, nodes, list}: TraceDraft): NonNullable<LabOrder['trace']> {
  const where = list?.text ?? nodes.trim();
  return bundled !== null ? {bundled, nodes: where} : {name: file!.name, text: file!.text, nodes: where};
}

/** What a run was played over, unless that is a window of the past. */
export function traceName({trace}: LabRun): string | null {
  return trace && `${trace.name} on ${trace.nodes ?? 'a node list'}`;
}

/** A policy file to begin one's own with. */
export function ownPolicy(text: string): string {
  return text.replace(/^name: .*$/m, 'name: mine');
}

/** A built-in policy as a policy file. */
export function builtIn(name: string): string {
  return `version: 1\nname: ${name}\nbase: ${name}\n`;
}
