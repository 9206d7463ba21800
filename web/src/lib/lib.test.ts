import {describe, expect, it} from 'vitest';

import {comparePositions} from '../api/position';
import {EventParser} from '../api/stream';
import type {GpuHistory, JobEvent, LabReport, LabResult, Queue, Service, ServiceEvent} from '../api/api';
import {serverNow, setServerTime} from './clock';
import {ago, bytes, count, duration, gpuHours, hostPort, memory, money, moneyRange, percent, sentence, sinceBeginning, words} from './format';
import {isAbout, repairTimes, stepName, stepOutcome} from './healing';
import {endOfKnown, trimmed, partOf} from './history';
import {spans, timing} from './jobs';
import {calibration, difference, figuresOf, FIGURES, missingOf, NO_SPAN, NO_TRACE, ownPolicy, sinceOf, traceOf, windowOfSpan, wrongWith} from './lab';
import {orderKey} from './names';
import {LogLines, printable} from './log';
import {fairShares, pruned, summedUp, treeOf} from './queues';
import {actsOf, healthOf, revisions, stateOf} from './services';
import {endOfObject, parseElements} from './slices';
import {pareto} from './waste';
import {fieldAt, formOf, withField} from './spec';

describe('numbers for people', () => {
  it('says where a port is', () => {
    expect(hostPort('10.0.0.7', 80)).toBe('10.0.0.7:80');
    expect(hostPort('fe80::1', 80)).toBe('[fe80::1]:80');
  });
  it('have a unit and the right grain', () => {
    expect(duration(4200)).toBe('4.2 s');
    expect(duration(59_999)).toBe('59 s');
    expect(duration(200_000)).toBe('3 min 20 s');
    expect(duration(7_500_000)).toBe('2 h 5 min');
    expect(duration(3 * 86_400_000)).toBe('3 d 0 h');
    expect(duration(-5)).toBe('0 s');
    expect(gpuHours(5_400)).toBe('1.5');
    expect(gpuHours(36_000_036)).toBe('10,000.01');
    expect(money(0)).toBe('$0');
    expect(money(49)).toBe('$0.0000');
    expect(money(123_456)).toBe('$0.1235');
    expect(money(1_234_567_000)).toBe('$1,234.57');
    expect(moneyRange({low: 2_000_000, high: 2_000_000})).toBe('$2.00');
    expect(moneyRange({low: 2_000_000, high: 3_500_000})).toBe('$2.00 to $3.50');
    expect(memory(81_920)).toBe('80 GiB');
    expect(sinceBeginning('1970-01-03T03:04:05.600Z')).toBe('2 d 03:04:05');
    expect(sinceBeginning('1970-01-01T00:00:07Z')).toBe('00:00:07');
    expect(bytes(0)).toBe('0 B');
    expect(bytes(10 * 1024 ** 3)).toBe('10 GiB');
    expect(percent(1, 0)).toBe('–');
    expect(count(1, 'job')).toBe('1 job');
    expect(count(1000, 'job')).toBe('1,000 jobs');
    expect(ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:03:00Z'))).toBe('3 min ago');
  });
  it('and terms as words', () => {
    expect(words('WaitingForTurn')).toBe('waiting for turn');
    expect(sentence('task_failed')).toBe('Task failed');
  });
});

describe('names', () => {
  it('with numbers are ordered as people count', () => {
    const names = ['node-10', 'Node-2', 'node-1', 'b', 'node-02b', 'gpu100-9', 'gpu20-10'];
    const sorted = [...names].sort((a, b) => (orderKey(a) < orderKey(b) ? -1 : 1));
    expect(sorted).toEqual(['b', 'gpu20-10', 'gpu100-9', 'node-1', 'Node-2', 'node-02b', 'node-10']);
  });
});

describe('positions in a stream', () => {
  it('are ordered by event, then by change, at any length', () => {
    expect(comparePositions('9.0', '10.0')).toBeLessThan(0);
    expect(comparePositions('10.2', '10.11')).toBeLessThan(0);
    expect(comparePositions('7.1', '7.1')).toBe(0);
    expect(comparePositions('9007199254740993.0', '9007199254740992.0')).toBeGreaterThan(0);
    expect(comparePositions('', '0.0')).toBeLessThan(0);
  });
});

describe('the clock', () => {
  it('goes by the server, whatever the browser says', () => {
    setServerTime('2020-01-01T00:00:00.000Z', 1000, 1200);
    expect(serverNow(1100)).toBe(Date.parse('2020-01-01T00:00:00Z'));
    expect(serverNow(3100)).toBe(Date.parse('2020-01-01T00:00:02Z'));
  });
  it('may go faster, or stand still', () => {
    setServerTime('2020-01-01T00:00:00.000Z', 0, 0, 100);
    expect(serverNow(1000)).toBe(Date.parse('2020-01-01T00:01:40Z'));
    setServerTime('2020-01-01T00:00:00.000Z', 0, 0, 0);
    expect(serverNow(1000)).toBe(Date.parse('2020-01-01T00:00:00Z'));
  });
});

const event = (at: string, to: JobEvent['to']): JobEvent =>
  ({id: '1.0', at, job: 1, name: 'x', attempt: 1, from: null, to, reason: null, detail: ''});

describe('a job’s time', () => {
  it('is how long it was in each state', () => {
    const list = [event('2026-01-01T00:00:00Z', 'queued'), event('2026-01-01T00:00:05Z', 'running')];
    const now = Date.parse('2026-01-01T00:00:15Z');
    expect(spans(list, now).map((one) => one.toMs - one.fromMs)).toEqual([5000, 10_000]);
    const over = [...list, event('2026-01-01T00:00:09Z', 'succeeded')];
    expect(spans(over, now).map((one) => one.toMs - one.fromMs)).toEqual([5000, 4000, 0]);
  });
  it('is what it waits, runs or ran', () => {
    const job = {state: 'queued', submitted_at: '2026-01-01T00:00:00Z', started_at: null, ended_at: null} as const;
    const now = Date.parse('2026-01-01T00:01:00Z');
    expect(timing(job, now, duration)).toBe('waits 1 min 0 s');
    expect(timing({...job, state: 'running', started_at: '2026-01-01T00:00:30Z'}, now, duration)).toBe('runs 30 s');
    expect(timing({...job, state: 'cancelled', ended_at: '2026-01-01T00:00:05Z'}, now, duration)).toBe('waited 5 s');
  });
});

describe('a log', () => {
  const text = (log: LogLines) => log.shown().join('\n');
  it('joins pieces to lines', () => {
    const log = new LogLines(100);
    log.add({attempt: 1, offset: 0, text: 'one\ntw'});
    log.add({attempt: 1, offset: 6, text: 'o\nthree'});
    expect(log.shown()).toEqual(['one', 'two', 'three']);
    expect(log.offset).toBe(13);
  });
  it('shows nothing twice', () => {
    const log = new LogLines(100);
    log.add({attempt: 1, offset: 0, text: 'one\ntwo\n'});
    expect(log.add({attempt: 1, offset: 0, text: 'one\ntwo\n'})).toBe(false);
    log.add({attempt: 1, offset: 4, text: 'two\nthree\n'});
    expect(log.shown()).toEqual(['one', 'two', 'three']);
  });
  it('says what is missing', () => {
    const log = new LogLines(100);
    log.add({attempt: 1, offset: 0, text: 'one\n'});
    log.add({attempt: 1, offset: 10, text: 'three\n'});
    expect(text(log)).toContain('6 bytes are not shown');
    expect(log.whole).toBe(false);
    log.add({attempt: 2, offset: 0, text: 'again\n'});
    expect(text(log)).toContain('attempt 2');
    expect(log.add({attempt: 1, offset: 0, text: 'late\n'})).toBe(false);
  });
  it('joins a character that was cut in two', () => {
    const log = new LogLines(100);
    log.add({attempt: 1, offset: 0, base64: btoa('\xc3')});
    log.add({attempt: 1, offset: 1, base64: btoa('\xa9\n')});
    expect(log.shown()).toEqual(['é']);
  });
  it('keeps a bound, and counts what it drops', () => {
    const log = new LogLines(100);
    for (let i = 0; i < 1000; ++i) log.add({attempt: 1, offset: i * 2, text: `${i % 10}\n`});
    expect(log.lines.length).toBeLessThanOrEqual(100);
    expect(log.lines.length + log.dropped).toBe(1000);
    const long = new LogLines(100);
    long.add({attempt: 1, offset: 0, text: 'x'.repeat(2_000_000)});
    expect(Math.max(...long.shown().map((line) => line.length))).toBeLessThanOrEqual(10_000);
    expect(long.shown().length).toBeLessThanOrEqual(101);
  });
  it('takes terminal codes out', () => {
    expect(printable('\u001b[31mred\u001b[0m\u001b]0;title\u0007')).toBe('red');
    expect(printable('10 %\r20 %\r')).toBe('20 %');
    expect(printable('a\u0000b')).toBe('a\ufffdb');
    expect(printable('<b>שלום</b>')).toBe('<b>שלום</b>');
  });
});

describe('a spec', () => {
  it('is written field by field, and the rest stays', () => {
    const text = '# mine\nname: a\nenv: {X: "1"}\n';
    const next = withField(text, 'gpu', 'H100:2')!;
    expect(next).toContain('# mine');
    expect(next).toContain('X: "1"');
    expect(formOf(next)).toMatchObject({name: 'a', gpu: 'H100:2'});
    expect(withField(next, 'gpu', '')).not.toContain('resources');
  });
  it('begins empty and may become empty again', () => {
    const text = withField('', 'command', 'python3 train.py: "x" #1')!;
    expect(formOf(text)?.command).toBe('python3 train.py: "x" #1');
    expect(withField(text, 'command', '')).toBe('');
    expect(withField('', 'priority', '7')).toBe('priority: 7\n');
  });
  it('says with whom it shares nodes', () => {
    const text = withField('placement: {group: web}\n', 'max_per_node', '2')!;
    expect(formOf(withField(text, 'spread', 'rack')!)).toMatchObject({max_per_node: '2', spread: 'rack', apart: ''});
    expect(text).toContain('group: web');
    expect(withField(withField('', 'apart', 'batch')!, 'apart', '')).toBe('');
    expect(fieldAt('/placement/near')).toBe('near');
  });
  it('that the form cannot show is left alone', () => {
    expect(formOf('command: [a, b]')).toBeNull();
    expect(formOf('a: [')).toBeNull();
    expect(formOf('- a')).toBeNull();
    expect(withField('a: [', 'name', 'x')).toBeNull();
  });
  it('has problems at its fields', () => {
    expect(fieldAt('/resources/gpu')).toBe('gpu');
    expect(fieldAt('/priority')).toBe('priority');
    expect(fieldAt('/env/X')).toBeUndefined();
  });
});

describe('what a service did by itself', () => {
  it('is what nobody asked for', () => {
    const event = (event: string, at: string) => ({id: at, at, event, revision: 1, replica: null, detail: ''}) as ServiceEvent;
    const acts = actsOf('chat', [event('applied', '1'), event('scaled', '1'), event('replica_ready', '2'), event('scaled', '3'),
      event('undone', '4'), event('replica_unhealthy', '5'), event('deleted', '6')]);
    expect(acts.map(({event, at, service}) => `${service} ${event} ${at}`)).toEqual(
      ['chat scaled 3', 'chat undone 4', 'chat replica_unhealthy 5']);
  });
});

describe('a history', () => {
  it('begins where something is known, an hour at the most', () => {
    const values = [...Array<null>(350).fill(null), ...Array<number>(10).fill(1)];
    const lines = {gpus_used: values, jobs_queued: values, jobs_placed: values};
    const cut = trimmed({begins_at: '2026-01-01T00:00:00.000Z', step_s: 10, gpus: values, gpus_free: values, gpus_fragmented: values,
      gpus_read: values, gpus_active: values, fleet: lines,
      queues: [{name: 'q', ...lines}]});
    expect(cut.gpus.length).toBe(60);
    expect(cut.gpus_fragmented.length).toBe(60);
    expect(cut.gpus_active.length).toBe(60);
    expect(cut.queues[0]?.jobs_queued.length).toBe(60);
    expect(cut.begins_at).toBe('2026-01-01T00:50:00.000Z');
  });
});

describe('healing', () => {
  it('has a mean, a median and a longest time to repair', () => {
    const of = (...times: (number | null)[]) => repairTimes(times.map((recovery_ms) => ({recovery_ms})));
    expect(of()).toEqual({repairs: 0, meanMs: 0, medianMs: 0, longestMs: 0});
    expect(of(null, 7000)).toEqual({repairs: 1, meanMs: 7000, medianMs: 7000, longestMs: 7000});
    expect(of(9000, 1000, null, 2000)).toEqual({repairs: 3, meanMs: 4000, medianMs: 2000, longestMs: 9000});
    expect(of(4000, 1000, 2000, 9000).medianMs).toBe(3000);
  });
  it('names the steps for the hardware and what came of them', () => {
    expect(stepName({step: 'reset', gpu: 3})).toBe('Reset of GPU 3');
    expect(stepName({step: 'burn-in', gpu: null})).toBe('Burn in');
    expect(stepOutcome({good: null, detail: ''})).toBe('underway');
    expect(stepOutcome({good: false, detail: 'exit code 3'})).toBe('failed: exit code 3');
    expect(stepOutcome({good: true, detail: 'passed'})).toBe('done: passed');
  });
  it('finds an incident by its node or its job', () => {
    expect(isAbout({node: 'GPU-7', job: null}, ' gpu ')).toBe(true);
    expect(isAbout({node: null, job: 17}, '17')).toBe(true);
    expect(isAbout({node: null, job: 17}, '1')).toBe(false);
    expect(isAbout({node: null, job: null}, 'null')).toBe(false);
  });
});

describe('lines over time', () => {
  it('end where the newest step says something', () => {
    expect(endOfKnown([[1, null], [2, null]])).toBe(1);
    expect(endOfKnown([[1, null], [2, 3]])).toBe(2);
    expect(endOfKnown([[1, null, null]])).toBe(2); // what is unknown for longer is a gap to be seen
    expect(endOfKnown([])).toBe(0);
  });
});

describe('the history of a job’s GPUs', () => {
  const gpu = (device: number) => ({device, utilisation_percent: [1, 2, 3], sm_active_ppm: [null, null, null],
    memory_used_mib: [1, 2, 3], power_mw: [1, 2, 3], temperature_celsius: [1, 2, 3]});
  const history = {node: 'n', probed: true, begins_at: '2026-01-01T00:00:00Z', step_s: 10, gpus: [gpu(0), gpu(1)]} as unknown as GpuHistory;
  it('is of its devices, and of the time in which it had them', () => {
    expect(partOf(history).gpus).toHaveLength(2);
    const own = partOf(history, [1], '2026-01-01T00:00:15Z').gpus!;
    expect(own.map(({device}) => device)).toEqual([1]);
    expect(own[0]!.utilisation_percent).toEqual([null, 2, 3]);
    expect(partOf({...history, gpus: undefined}, [1], '2026-01-01T00:00:15Z').gpus).toBeUndefined();
  });
});

describe('queues', () => {
  it('have over time what those below them have', () => {
    const line = (name: string, values: (number | null)[]) => ({name, gpus_used: values, jobs_queued: values, jobs_placed: values});
    const lines = [line('top', [null, 0, 1]), line('middle', [null, 1, 0]), line('low', [null, 2, 5]), line('other', [null, 7, null])];
    const queues = [{name: 'top', parent: ''}, {name: 'middle', parent: 'top'}, {name: 'low', parent: 'middle'}, {name: 'other', parent: 'gone'}];
    expect(summedUp(lines, queues).map(({gpus_used: gpus}) => gpus)).toEqual([[null, 3, 6], [null, 3, 5], [null, 2, 5], [null, 7, null]]);
    expect(summedUp(lines, [])).toEqual(lines);
  });

  const queue = (name: string, more: Partial<Queue> = {}): Queue => ({
    name, partition: '', parent: '', weight: 1, jobs_queued: 0, jobs_placed: 0, gpu_milli_used: 0, gpu_milli_guaranteed: 0,
    gpu_milli_max: null, jobs_max: null, governed: true, gpu_seconds_used: 0, gpu_seconds_max: null, share: 0, gpu_milli_past: 0,
    gpu_milli_up: 12_000, hour_micro_usd: null, first_waiting: null, ...more,
  });
  const rounded = (parts: number[]) => parts.map(Math.round);

  it('share by weight, guarantees and limits kept', () => {
    expect(rounded(fairShares([queue('a', {weight: 2}), queue('b')], 12_000))).toEqual([8000, 4000]);
    expect(rounded(fairShares([queue('a', {gpu_milli_guaranteed: 9000}), queue('b'), queue('c', {weight: 2})], 12_000)))
      .toEqual([9000, 1000, 2000]);
    expect(rounded(fairShares([queue('a', {gpu_milli_max: 2000}), queue('b')], 12_000))).toEqual([2000, 10_000]);
    expect(rounded(fairShares([queue('a', {gpu_milli_max: 2000}), queue('b', {gpu_milli_max: 3000})], 12_000))).toEqual([2000, 3000]);
    expect(fairShares([queue('a', {gpu_milli_guaranteed: 9000})], 0)).toEqual([9000]);
    expect(fairShares([], 5)).toEqual([]);
  });
  it('stand in trees, each within its parent', () => {
    const tree = treeOf([queue('vision', {parent: 'research', gpu_milli_used: 3000}), queue('other', {partition: 'x', gpu_milli_used: 1000}),
      queue('research', {weight: 3, gpu_milli_guaranteed: 2000, gpu_milli_used: 3000}), queue('product'), queue('lost', {parent: 'nobody'})]);
    expect(tree.map((one) => one.queue.name)).toEqual(['research', 'product', 'lost', 'other']);
    expect(tree[0]!.below.map((one) => one.queue.name)).toEqual(['vision']);
    expect(rounded(tree.map((one) => one.fairMilli))).toEqual([7200, 2400, 2400, 12_000]);
    expect(Math.round(tree[0]!.below[0]!.fairMilli)).toBe(7200);
    expect(tree.map((one) => one.borrowedMilli)).toEqual([1000, 0, 0, 0]);
  });
  it('are starved where jobs wait for want of what the queue is due', () => {
    const waits = (reason: string) => ({job: 1, name: '', why: {reason}}) as Queue['first_waiting'];
    const starved = (...queues: Queue[]) => treeOf(queues).map((one) => one.starved && [one.starved.of, one.starved.dueMilli, one.starved.lackMilli]);
    const due = {gpu_milli_guaranteed: 4000, gpu_milli_used: 1000};
    expect(starved(queue('a', {...due, first_waiting: waits('WaitingForTurn')}))).toEqual([['guarantee', 4000, 3000]]);
    expect(starved(queue('a', due))).toEqual([null]);
    for (const reason of ['NeverFits', 'OnHold', 'ExceedsMaxQuota', 'Misconfigured', 'PendingEvaluation']) {
      expect(starved(queue('a', {...due, first_waiting: waits(reason)}))).toEqual([null]);
    }
    expect(starved(queue('a', {...due, gpu_milli_used: 4000, first_waiting: waits('WaitingForTurn')}))).toEqual([null]);
    // One that waits below counts for those above it.
    expect(starved(queue('a', due), queue('b', {parent: 'a', first_waiting: waits('WaitingForTurn')}))).toEqual([['guarantee', 4000, 3000]]);
    // Less than a fair share is starved only while another holds more than its own.
    const small = queue('a', {gpu_milli_used: 1000, first_waiting: waits('WaitingForTurn')});
    expect(starved(small, queue('b', {gpu_milli_used: 6000}))).toEqual([null, null]);
    expect(starved(small, queue('b', {gpu_milli_used: 11_000}))).toEqual([['fair share', 6000, 5000], null]);
    expect(starved(queue('alone', {first_waiting: waits('WaitingForTurn')}))).toEqual([null]);
  });
  it('are found by name, with what leads to them', () => {
    const tree = treeOf([queue('a'), queue('b', {parent: 'a'}), queue('c', {parent: 'a'}), queue('b2', {parent: 'b'}), queue('d')]);
    const names = (text: string, max = 9) => {
      const {branches, ...counts} = pruned(tree, text, max);
      const list = (some: typeof tree): string[] => some.flatMap((one) => [one.queue.name, ...list(one.below)]);
      return [...list(branches), counts.shown, counts.matching];
    };
    expect(names('')).toEqual(['a', 'b', 'b2', 'c', 'd', 5, 5]);
    expect(names('B')).toEqual(['a', 'b', 'b2', 3, 2]);
    expect(names('c')).toEqual(['a', 'c', 2, 1]);
    expect(names('', 2)).toEqual(['a', 'b', 2, 5]);
    expect(names('x')).toEqual([0, 0]);
  });
});

describe('a stream of events', () => {
  it('is read out of any pieces', () => {
    const text = ': hello\n\nid: 1.0\nevent: job\ndata: {"job":1}\n\ndata:a\ndata: b\n\nevent: none\n\nid: 2.0\nevent: missed\ndata\n\nid: 3';
    const events = (pieces: string[]) => {
      const parser = new EventParser();
      return pieces.flatMap((piece) => {
        parser.add(piece);
        const found = [];
        for (let event = parser.next(); event; event = parser.next()) found.push(event);
        return found;
      });
    };
    const whole = events([text]);
    expect(whole).toEqual([{id: '1.0', type: 'job', data: '{"job":1}'}, {id: '', type: 'message', data: 'a\nb'},
      {id: '2.0', type: 'missed', data: ''}]);
    expect(events([...text])).toEqual(whole);
  });
});

describe('long lists', () => {
  it('are read an element at a time, and come out frozen', async () => {
    const nodes = [{name: '}{"],[\\', machine: {links: [{a: 1}, {b: '\\"}'}]}}, {name: '', machine: null}];
    const read = await parseElements<(typeof nodes)[number]>(JSON.stringify({nodes}), 'nodes');
    expect(read).toEqual(nodes);
    expect(Object.isFrozen(read) && Object.isFrozen(read[0]) && Object.isFrozen(read[0]!.machine)).toBe(true);
    expect(await parseElements('{"nodes":[]}', 'nodes')).toEqual([]);
    expect(await parseElements('{ "nodes" : [{"a":1}] }', 'nodes')).toEqual([{a: 1}]);
    await expect(parseElements('{"nodes":[{"a":1', 'nodes')).rejects.toThrow(SyntaxError);
    await expect(parseElements('{"nodes":[{"a":1}', 'nodes')).rejects.toThrow(SyntaxError);
    await expect(parseElements('{"nodes":[{"a"}]}', 'nodes')).rejects.toThrow(SyntaxError);
    expect(endOfObject('x{"a":{"b":1}},', 1)).toBe(14);
  });
});

describe('waste', () => {
  const jobs = [[1, 'a', 'x', 60], [2, '', 'y', 30], [3, 'c', 'x', 10], [4, 'd', 'y', 0]].map(([job, name, queue, wasted]) =>
    ({job: Number(job), name: String(name), queue: String(queue), gpu_seconds_wasted: Number(wasted)}));
  it('is summed, the most first, up to the whole', () => {
    expect(pareto(jobs, 'job', 9).map((one) => [one.name, one.gpuSeconds, one.upTo])).toEqual([['a', 60, 0.6], ['job 2', 30, 0.9], ['c', 10, 1]]);
    expect(pareto(jobs, 'job', 1).map((one) => [one.name, one.job, one.upTo])).toEqual([['a', 1, 0.6], ['2 more', null, 1]]);
    expect(pareto(jobs, 'queue', 9).map((one) => [one.name, one.gpuSeconds])).toEqual([['x', 70], ['y', 30]]);
    expect(pareto([], 'queue', 9)).toEqual([]);
  });
});

describe('services', () => {
  const replica = (job: number, revision: number, ready: boolean): Service['replicas'][number] =>
    ({job, revision, phase: 'serving', state: 'running', ready, node: 'a', fault: ''});
  const service = (fields: Partial<Service>): Service => ({name: 'web', revision: 1, previous_revision: null, deleted: false,
    ready: 0, wanted: 0, min: 0, max: 2, waited_ms: 0, gpu_activity: null, notice: '', trouble: '', url: null, requests: null, replicas: [], ...fields});

  it('are what most needs to be known of them', () => {
    expect(stateOf(service({}))).toBe('resting');
    expect(stateOf(service({wanted: 1}))).toBe('short');
    expect(stateOf(service({wanted: 1, ready: 1, replicas: [replica(1, 1, true)]}))).toBe('ready');
    expect(stateOf(service({wanted: 1, ready: 1, revision: 2, replicas: [replica(1, 1, true), replica(2, 2, false)]}))).toBe('updating');
    expect(stateOf(service({wanted: 1, ready: 1, revision: 2, previous_revision: 1, replicas: [replica(2, 2, true)]}))).toBe('updating');
    expect(stateOf(service({wanted: 1, revision: 2, previous_revision: 1}))).toBe('short');
    expect(stateOf(service({wanted: 1, ready: 1, deleted: true}))).toBe('stopping');
  });
  it('have replicas, each in one state', () => {
    expect(healthOf(replica(1, 1, true))).toBe('ready');
    expect(healthOf(replica(1, 1, false))).toBe('not ready');
    expect(healthOf({...replica(1, 1, false), state: 'queued'})).toBe('queued');
    expect(healthOf({...replica(1, 1, true), phase: 'draining'})).toBe('draining');
    expect(healthOf({...replica(1, 1, true), phase: 'frozen'})).toBe('frozen');
  });
  it('have revisions, the newest first', () => {
    const draining = {...replica(3, 1, true), phase: 'draining' as const};
    expect(revisions([replica(1, 1, true), replica(2, 2, false), draining])).toEqual([
      {revision: 2, all: 1, ready: 0}, {revision: 1, all: 2, ready: 1}]);
  });
});

describe('the policy lab', () => {
  const spread = (mean: number) => ({mean, p50: mean, p90: mean, p99: mean});
  const result = (policy: string, wait: number, given: number): LabResult => ({
    policy, jobs: 10, finished: 10, failed: 0, rejected: 0, makespan_s: 100, wait_s: spread(wait), jct_s: spread(60),
    gpu_allocation_ratio: {mean: given}, fragmentation_ratio: {mean: 0}, preemptions: 0, lost_gpu_hours: 0,
    bounded_slowdown: {mean: 1}, fairness: null,
  });
  const report = (calibrated?: LabReport['calibration']): LabReport => ({
    trace: {jobs: 10}, fleet: {nodes: 1, gpus: 4}, notes: [], results: [result('fifo', 10, 0.5)], calibration: calibrated,
  });
  const [wait, given] = [FIGURES[0]!, FIGURES.find(({better}) => better === 'more')!];

  it('says what is better, whichever way that is', () => {
    const base = result('fifo', 10, 0.5);
    expect(difference(wait, result('easy', 7.5, 0.5), base)).toEqual({kind: 'better', text: '▼ 25 % less: better'});
    expect(difference(wait, result('easy', 12, 0.5), base)).toEqual({kind: 'worse', text: '▲ 20 % more: worse'});
    expect(difference(wait, result('easy', 10.01, 0.5), base)?.kind).toBe('same');
    expect(difference(given, result('easy', 10, 0.6), base)).toEqual({kind: 'better', text: '▲ 20 % more: better'});
    expect(difference(given, result('easy', 10, 0.4), base)?.kind).toBe('worse');
  });
  it('divides by nothing', () => {
    const base = result('fifo', 0, 0.5);
    expect(difference(wait, result('easy', 0, 0.5), base)?.kind).toBe('same');
    expect(difference(wait, result('easy', 3, 0.5), base)).toEqual({kind: 'worse', text: '▲ more: worse'});
    expect(difference(FIGURES.find(({label}) => label.startsWith('Fairness'))!, base, base)).toBeNull();
  });
  it('leaves out figures that say nothing', () => {
    const labels = figuresOf(report()).map(({label}) => label);
    expect(labels).toContain('Wait, mean');
    expect(labels).not.toContain('Preemptions');
    expect(labels).not.toContain('Fairness among queues');
  });
  it('says how near the model comes', () => {
    expect(calibration(report({jobs: 10, on_time: 10, difference_mean_s: 0.2})).text).toContain('The model is close');
    expect(calibration(report({jobs: 10, on_time: 6, difference_mean_s: 3})).text).toContain('say little');
    expect(calibration(report({jobs: 10, on_time: 1, difference_mean_s: 90})).good).toBe(false);
    expect(calibration(report({jobs: 0, on_time: 0, difference_mean_s: 0})).good).toBe(false);
    expect(calibration(report()).text).toContain('cannot be replayed');
  });
  it('begins windows and policy files', () => {
    expect(sinceOf('all', 0)).toBeNull();
    expect(wrongWith(NO_SPAN)).not.toBe('');
    expect(wrongWith({from: '2026-01-02T03:00', to: '2026-01-02T03:00'})).toBe('It must end after it begins.');
    expect(wrongWith({from: '', to: '2026-01-02T03:00'})).toBe('');
    expect(windowOfSpan({from: '', to: '2026-01-02T03:00:05'}))
      .toEqual({since: null, until: new Date('2026-01-02T03:00:05').toISOString()});
    expect(sinceOf('day', Date.parse('2026-01-02T03:00:00Z'))).toBe('2026-01-01T03:00:00.000Z');
    expect(missingOf(NO_TRACE)).toBe('Choose a trace first.');
    expect(missingOf({...NO_TRACE, bundled: 'philly'})).toBe('Say on which nodes.');
    const file = {name: 'jobs.csv', text: 'id'};
    const drafted = {...NO_TRACE, file, nodes: ' 4x8 '};
    expect(missingOf(drafted)).toBe('');
    expect(traceOf(drafted)).toEqual({...file, nodes: '4x8'});
    expect(traceOf({...drafted, list: {name: 'nodes.csv', text: 'name,gpus'}})).toEqual({...file, nodes: 'name,gpus'});
    expect(traceOf({...drafted, bundled: 'philly'})).toEqual({bundled: 'philly', nodes: '4x8'});
    expect(ownPolicy('version: 1\nname: easy\norder: fifo\n')).toBe('version: 1\nname: mine\norder: fifo\n');
  });
});
