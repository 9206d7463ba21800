import {describe, expect, test} from 'vitest';

import type {Fault, Incident, Node, Queue, Service} from '../api/api';
import {agentOf} from './agents';
import {alertsOf, inShort, SHOWN_OF_A_KIND} from './alerts';
import {faultLeftMs, faultText, openFaults} from './faults';
import {isAct} from './healing';
import {undoOf} from './undo';

const node = (name: string, state: Node['state'], id = 1) => ({id, name, state, gpus: 8}) as Node;
const incident = (parts: Partial<Incident>) => ({id: 1, node: 'n', job: null, symptom: 'device_fault', evidence: 'Xid 79', outcome: 'open',
  remedy: 'quarantine', ...parts}) as Incident;
const service = (parts: Partial<Service>) => ({name: 'chat', deleted: false, ready: 2, wanted: 2, revision: 1, previous_revision: null,
  trouble: '', notice: '', replicas: [], ...parts}) as unknown as Service;
const queue = (parts: Partial<Queue>, reason?: string) => ({name: 'q', gpu_milli_used: 0, gpu_milli_guaranteed: 0,
  first_waiting: reason ? {job: 7, name: 'j', why: {reason, detail: 'needs 2 GPUs'}} : null, ...parts}) as Queue;

describe('what a person should look at', () => {
  test('nothing, while all is well or nothing is known', () => {
    expect(alertsOf({})).toEqual([]);
    expect(alertsOf({health: {status: 'ok', version: '1', storage: {status: 'ok'}}, nodes: [node('a', 'up')], incidents: [],
      services: [service({})], queues: [queue({}, 'WaitingForTurn'), queue({gpu_milli_guaranteed: 8000})]})).toEqual([]);
  });

  test('storage that is short of room, and what follows from it', () => {
    const [one] = alertsOf({health: {status: 'degraded', version: '1', storage: {status: 'low', detail: '12 MiB free'}}});
    expect(one).toMatchObject({grave: true, state: 'low', text: '12 MiB free', mend: expect.stringContaining('refused')});
  });

  test('nodes that are not in service, with the incident that says why; those that do not work first', () => {
    const all = alertsOf({nodes: [node('c', 'cordoned', 1), node('q', 'quarantined', 2), node('d', 'down', 3), node('s', 'silent', 4)],
      incidents: [incident({node: 'q'}), incident({node: 'q', evidence: 'an older one'})]});
    expect(all.map(({about, state, grave}) => [about, state, grave])).toEqual([
      ['d', 'down', true], ['s', 'silent', true], ['q', 'quarantined', false], ['c', 'cordoned', false]]);
    expect(all[2]!.text).toBe('nothing new is put on its 8 GPUs; device fault: Xid 79');
    expect(all[0]!.text).toBe('8 GPUs out of use');
    expect(all[2]!.mend).toContain('by itself');
    const kept = alertsOf({nodes: [node('q', 'quarantined')], incidents: [incident({node: 'q', remedy: 'cordon'})]});
    expect(kept[0]!.mend).toContain('until a person');
  });

  test('remedies that wait; of other incidents Gyre takes care', () => {
    expect(alertsOf({incidents: [incident({outcome: 'held'}), incident({id: 2}), incident({id: 3, node: null, job: 4})]}))
      .toMatchObject([{about: 'n', state: 'held'}]);
  });

  test('services that lack replicas, and a rollout that was undone', () => {
    expect(alertsOf({services: [service({ready: 0, trouble: 'no room'}), service({name: 'b', ready: 1}), service({name: 'c', notice: 'revision 2 was undone'}),
      service({name: 'd', ready: 0, wanted: 0}), service({name: 'e', ready: 0, deleted: true})]}).map(({about, state, grave}) => [about, state, grave]))
      .toEqual([['chat', 'down', true], ['b', 'short', false], ['c', 'undone', false]]);
  });

  test('queues with less than their guarantee, and jobs that wait in vain', () => {
    const all = alertsOf({queues: [queue({gpu_milli_guaranteed: 8000, gpu_milli_used: 2000}, 'WaitingForTurn'),
      queue({name: 'full', gpu_milli_guaranteed: 8000, gpu_milli_used: 8000}, 'WaitingForQuota'), queue({name: 'vain'}, 'NeverFits')]});
    expect(all.map(({about, state}) => [about, state])).toEqual([['vain', 'never fits'], ['q', 'starved']]);
    expect(all[1]!.text).toBe('holds 2 of 8 GPUs that it is guaranteed; job 7 waits: needs 2 GPUs');
  });

  test('a large fleet in few lines', () => {
    const {shown, more} = inShort(alertsOf({nodes: Array.from({length: 400}, (_, n) => node(`n${n}`, 'down', n)), queues: [queue({}, 'NeverFits')]}));
    expect(shown.length).toBe(SHOWN_OF_A_KIND + 1);
    expect(more).toEqual([{kind: 'node', count: 400 - SHOWN_OF_A_KIND}]);
  });
});

describe('what can be undone', () => {
  const outcome = (state: string) => ({state, at: '', reason: null}) as NonNullable<Parameters<typeof undoOf>[0]['outcome']>;

  test('a job that runs can be stopped, one that has ended submitted again, the rest says why not', () => {
    expect(undoOf({kind: 'start', outcome: outcome('running')}).by).toBe('stop');
    expect(undoOf({kind: 'backfill', outcome: null}).by).toBe('stop');
    expect(undoOf({kind: 'start', outcome: outcome('succeeded')})).toMatchObject({by: 'nothing', note: expect.stringContaining('over')});
    expect(undoOf({kind: 'start', outcome: outcome('queued')}).by).toBe('nothing');
    expect(undoOf({kind: 'preempt', outcome: null}).by).toBe('nothing');
    expect(undoOf({kind: 'requeue', outcome: outcome('queued')}).by).toBe('stop');
    expect(undoOf({kind: 'requeue', outcome: outcome('failed')}).by).toBe('nothing');
    expect(undoOf({kind: 'stop', outcome: null}).by).toBe('again');
    expect(undoOf({kind: 'give-up', outcome: outcome('failed')}).by).toBe('again');
    expect(undoOf({kind: 'replace', outcome: null}).by).toBe('stop');
    expect(undoOf({kind: 'warn', outcome: null}).by).toBe('nothing');
  });

  test('what was done about a node is an act; what is only noted, or about a job, is none', () => {
    expect(isAct(incident({}))).toBe(true);
    expect(isAct(incident({remedy: 'note'}))).toBe(false);
    expect(isAct(incident({job: 3, remedy: 'retry'}))).toBe(false);
  });
});

const fault = (parts: Partial<Fault>) => ({id: 1, do: 'cut-node', way: 'both', node: 'n', job: null, at: '2026-01-01T00:00:00Z', for_ms: 60_000,
  state: 'lasts', by: 'ops', ...parts}) as Fault;

describe('faults on purpose', () => {
  test('are open until the fleet has recovered, the one of each node', () => {
    const open = openFaults({faults: [fault({id: 4, node: 'a'}), fault({id: 3, node: 'b', state: 'ended'}), fault({id: 2, node: 'c', state: 'recovered'}),
      fault({id: 1, node: 'd', state: 'refused'}), fault({id: 0, node: 'e', state: 'lost'})]});
    expect([...open.keys()]).toEqual(['a', 'b']);
    expect(openFaults(null).size + openFaults(undefined).size).toBe(0);
  });

  test('say what is wrong, and how long it still lasts', () => {
    expect(faultText(fault({}))).toBe('its network is cut');
    expect(faultText(fault({way: 'to-server'}))).toBe('what it says to the server is lost');
    expect(faultText(fault({do: 'a-new-one'}))).toBe('a-new-one');
    const at = Date.parse('2026-01-01T00:00:45Z');
    expect(faultLeftMs(fault({}), at)).toBe(15_000);
    expect(faultLeftMs(fault({}), at + 60_000)).toBe(0);
    expect(faultLeftMs(fault({state: 'ended'}), at)).toBeNull();
  });

  test('make an alert of their node one that passes by itself', () => {
    const faults = openFaults({faults: [fault({node: 'd'})]});
    const [other, drilled] = alertsOf({nodes: [node('d', 'down'), node('e', 'down', 2)], faults});
    expect(other).toMatchObject({about: 'e', grave: true});
    expect(drilled).toMatchObject({about: 'd', grave: false, text: '8 GPUs out of use; on purpose: its network is cut, by ops',
      mend: expect.stringContaining('drill')});
  });
});

describe('an agent', () => {
  const machine = {} as Node['machine'];
  test('is connected, silent or away', () => {
    expect(agentOf({state: 'up', machine})).toBe('connected');
    expect(agentOf({state: 'quarantined', machine})).toBe('connected');
    expect(agentOf({state: 'silent', machine})).toBe('silent');
    expect(agentOf({state: 'down', machine})).toBe('away');
    expect(agentOf({state: 'up', machine: null})).toBe('away');
  });
});
