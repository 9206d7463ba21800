import {describe, expect, test} from 'vitest';

import type {JobEvent} from '../api/api';
import {attemptsOf, chosenTask, codesByTask} from './attempts';
import {LogLines} from './log';

describe('how much of a log is here', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  test('all of it, until something is left out', () => {
    const log = new LogLines(100);
    log.add({attempt: 1, offset: 0, text: 'one\ntwo'});
    expect([log.whole, log.count, log.size]).toEqual([true, 2, 7]);
    log.size = 9; // the server has more
    expect(log.whole).toBe(false);
    log.add({attempt: 1, offset: 7, text: '!\n'});
    expect([log.whole, log.count]).toEqual([true, 2]);
  });

  test('its end only: the words that say so are no lines of it', () => {
    const log = new LogLines(100);
    log.add({attempt: 1, offset: 1000, bytes: bytes('one\ntwo\n')});
    expect([log.whole, log.begun, log.count]).toEqual([false, 1000, 2]);
    expect(log.shown()[0]).toContain('1000 bytes before this are not shown');
    expect([log.isNote(0), log.isNote(1)]).toEqual([true, false]);
  });

  test('what is no longer kept is told as such', () => {
    const log = new LogLines(100);
    log.add({attempt: 1, offset: 0, text: 'one\n'});
    log.drop(1, 4, 100);
    log.add({attempt: 1, offset: 104, text: 'two\n'});
    expect(log.shown()).toEqual(['one', '── 100 bytes are not kept ──', 'two']);
    expect([log.whole, log.count, log.offset]).toEqual([false, 2, 108]);
    log.drop(1, 4, 50); // told again
    expect(log.count).toBe(2);
  });

  test('lines that fell out of the page take their notes along', () => {
    const log = new LogLines(20);
    log.add({attempt: 1, offset: 5, text: 'x\n'.repeat(10)});
    log.add({attempt: 1, offset: 25, text: 'y\n'.repeat(30)});
    expect(log.dropped).toBeGreaterThan(0);
    expect(log.count).toBe(log.shown().length);
    expect(log.shown().some((_, index) => log.isNote(index))).toBe(false);
  });
});

describe('attempts of a job', () => {
  const event = (attempt: number, from: string | null, to: string, at: string, reason: string | null = null, detail = '') =>
    ({id: at, at, job: 1, name: '', attempt, from, to, reason, detail}) as JobEvent;
  const events = [
    event(0, null, 'queued', '1'), event(1, 'queued', 'starting', '2'), event(1, 'starting', 'running', '3'),
    event(1, 'running', 'running', '3.5', null, 'warned'),
    event(1, 'running', 'queued', '4', 'task_failed'), event(2, 'queued', 'starting', '5'), event(2, 'starting', 'running', '6'),
  ];

  test('the latest first, each with its end', () => {
    expect(attemptsOf({attempt: 2, state: 'running'}, events)).toEqual([
      {number: 2, began: '5', ended: null, reason: null, goesOn: true},
      {number: 1, began: '2', ended: '4', reason: 'task_failed', goesOn: false},
    ]);
    const over = attemptsOf({attempt: 2, state: 'failed'}, [...events, event(2, 'running', 'failed', '7', 'task_failed')]);
    expect(over[0]).toEqual({number: 2, began: '5', ended: '7', reason: 'task_failed', goesOn: false});
    const repaired = {attempt: 3, state: 'running', placement: [{attempt: 1}, {attempt: 3}]} as Parameters<typeof attemptsOf>[0];
    expect(attemptsOf(repaired, []).map((one) => one.goesOn)).toEqual([true, false, true]);
    expect(attemptsOf({attempt: 1, state: 'queued'}, events)[0]).toMatchObject({ended: '4', goesOn: false});
  });

  test('exit codes stand with the tasks that have them', () => {
    expect(codesByTask([143, 143, 1, 143, null])).toEqual([
      {code: '143', tasks: '0-1, 3', first: 0}, {code: '1', tasks: '2', first: 2}, {code: 'none', tasks: '4', first: 4},
    ]);
  });

  test('of one whose events are gone only its number is known', () => {
    expect(attemptsOf({attempt: 3, state: 'queued'}, [])).toHaveLength(3);
    expect(attemptsOf({attempt: 1, state: 'failed'}, [])[0]).toEqual({number: 1, began: null, ended: null, reason: null, goesOn: false});
    expect(attemptsOf({attempt: 0, state: 'queued'}, [])).toEqual([]);
  });

  test('an address that asks for what there is not asks for nothing', () => {
    const chosen = (text: string) => chosenTask(new URLSearchParams(text), {tasks: 4, attempt: 2});
    expect(chosen('rank=3&attempt=1')).toEqual({rank: 3, attempt: 1});
    for (const odd of ['rank=4&attempt=3', 'rank=-1&attempt=0', 'rank=1e0&attempt=x', 'rank=&attempt=1.5', '']) {
      expect(chosen(odd)).toEqual({rank: 0, attempt: 0});
    }
  });
});
