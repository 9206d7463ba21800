import type {Gpu, JobUsage} from '../api/api';
import {duration} from './format';

/** What is made of one GPU: a word, the state whose colour it has, and how that is known. */
export interface GpuVerdict {
  state: string;
  like: string;
  why: string;
}

const IDLE_PPM = 10_000; // busier than that is not idle: 1 %

type Readings = Record<string, {mean: number; max: number} | null | undefined>;

/** The most that it did in the last minute, in millionths; null: it does not tell. */
function mostInTheLastMinute(gpu: Pick<Gpu, 'health' | 'last_minute'>): number | null {
  if (gpu.health !== 'ok') return null;
  const {sm_active_ppm: sm, utilisation_percent: percent} = gpu.last_minute as Readings;
  return sm?.max ?? (percent ? percent.max * 10_000 : null);
}

/** By the judgement on the jobs that hold it, else by what it did in the last minute. */
export function gpuVerdict(gpu: Pick<Gpu, 'health' | 'last_minute' | 'tasks'>, usage: ReadonlyMap<number, Pick<JobUsage, 'verdict' | 'gpu_idle_s'>>): GpuVerdict {
  if (gpu.tasks.length === 0) return {state: 'free', like: 'noted', why: ''};
  const judged = gpu.tasks.map(({job}) => usage.get(job));
  if (judged.every((one) => one?.verdict === 'idle')) {
    const idle = judged.map((one) => one!.gpu_idle_s).filter((seconds) => seconds !== null);
    return {state: 'held but idle', like: 'failed', why: idle.length > 0 ? `for ${duration(1000 * Math.min(...idle))}` : ''};
  }
  const most = mostInTheLastMinute(gpu);
  if (most === null) return {state: 'unknown', like: 'noted', why: 'it does not tell'};
  if (most > IDLE_PPM) return {state: 'in use', like: 'good', why: ''};
  return {state: 'idle', like: 'queued', why: 'held, and idle for the last minute'};
}
