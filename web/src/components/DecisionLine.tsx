import type {ReactNode} from 'react';

import type {Decision} from '../api/api';
import {useNow, worldTime} from '../lib/clock';
import {ago, words} from '../lib/format';
import {JobLink, StateMark} from './Bits';

export const KINDS: Record<string, {label: string; one: string; plural: string; did: string}> = {
  start: {label: 'start', one: 'start', plural: 'starts', did: 'started'},
  backfill: {label: 'backfill', one: 'backfill', plural: 'backfills', did: 'started ahead of its turn'},
  preempt: {label: 'preempt', one: 'preemption', plural: 'preemptions', did: 'is stopped to make room'},
  requeue: {label: 'requeue', one: 'return to the line', plural: 'returns to the line', did: 'goes back into the line'},
  stop: {label: 'stop', one: 'stop', plural: 'stops', did: 'is stopped'},
  'give-up': {label: 'give up', one: 'job given up', plural: 'jobs given up', did: 'was given up'},
  replace: {label: 'replace', one: 'task replaced', plural: 'tasks replaced', did: 'goes on with one task elsewhere'},
  warn: {label: 'warn', one: 'warning', plural: 'warnings', did: 'does not use its GPUs'},
};

/** One act: which, on which job, why, what it was weighed against, and what became of it. */
export function DecisionLine({decision, undo}: {decision: Decision; undo?: ReactNode}) {
  const now = useNow();
  const kind = KINDS[decision.kind];
  const {outcome} = decision;
  return (
    <li className="decision" data-kind={decision.kind}>
      <time dateTime={decision.at} title={ago(decision.at, now)}>{worldTime(decision.at, now)}</time>
      <span className={`kind ${decision.kind}`}>{kind?.label ?? decision.kind}</span>
      <div>
        <p>
          <JobLink id={decision.job} name={decision.name} /> {kind?.did ?? words(decision.kind)}
          {decision.beneficiary !== null && <> for <JobLink id={decision.beneficiary} /></>}
        </p>
        <p className="why">{decision.why}</p>
        {decision.compared && <p className="why">Weighed against: {decision.compared}</p>}
        {outcome && (
          <p className="why">
            Since: <StateMark state={outcome.state} /> {outcome.reason && `(${words(outcome.reason)}) `}
            at {worldTime(outcome.at, now)}
          </p>
        )}
        {undo}
      </div>
    </li>
  );
}
