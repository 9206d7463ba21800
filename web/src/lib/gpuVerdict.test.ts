import {describe, expect, test} from 'vitest';

import type {Gpu, JobUsage} from '../api/api';
import {openStates} from '../components/Bulk';
import {gpuVerdict} from './gpuVerdict';

describe('what is made of a GPU', () => {
  const gpu = (jobs: number[], lastMinute: unknown = {}, health = 'ok') =>
    ({health, last_minute: lastMinute, tasks: jobs.map((job) => ({job}))}) as unknown as Gpu;
  const usage = new Map<number, Pick<JobUsage, 'verdict' | 'gpu_idle_s'>>([
    [1, {verdict: 'idle', gpu_idle_s: 720}], [2, {verdict: 'idle', gpu_idle_s: 60}], [3, {verdict: 'good', gpu_idle_s: 0}],
    [4, {verdict: 'unknown', gpu_idle_s: null}], [5, {verdict: 'idle', gpu_idle_s: null}],
  ]);
  const verdict = (...of: Parameters<typeof gpu>) => {
    const {state, why} = gpuVerdict(gpu(...of), usage);
    return `${state} ${why}`.trim();
  };

  test('it is idle where all who hold it are, for as long as the latest of them', () => {
    expect(verdict([1])).toBe('held but idle for 12 min 0 s');
    expect(verdict([1, 2])).toBe('held but idle for 1 min 0 s');
    expect(verdict([5])).toBe('held but idle');
  });

  test('else what it did in the last minute counts, by its SMs where they tell', () => {
    const busy = {mean: 90, max: 100};
    const still = {mean: 0, max: 0};
    expect(verdict([3], {utilisation_percent: busy, sm_active_ppm: null})).toBe('in use');
    expect(verdict([3], {utilisation_percent: busy, sm_active_ppm: still})).toBe('idle held, and idle for the last minute');
    expect(verdict([1, 3], {utilisation_percent: still})).toBe('idle held, and idle for the last minute');
  });

  test('what nobody tells is unknown', () => {
    expect(verdict([4])).toBe('unknown it does not tell');
    expect(verdict([99], {utilisation_percent: {mean: 9, max: 9}}, 'lost')).toBe('unknown it does not tell');
    expect(verdict([])).toBe('free');
  });
});

test('of the jobs that a view shows only those that are not over can be stopped', () => {
  expect(openStates({})).toBe('queued,starting,running,preempting,stopping');
  expect(openStates({state: 'failed,running'})).toBe('running');
  expect(openStates({state: 'failed'})).toBe('');
});
