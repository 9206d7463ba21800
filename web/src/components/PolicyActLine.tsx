import {Link} from 'react-router';

import type {Policy, PolicyEntry} from '../api/api';
import {useNow, worldTime} from '../lib/clock';
import {ago} from '../lib/format';
import {Name} from './Bits';
import {PolicyChange} from './PolicyChange';

/** A change of the policy in force, from `before`, with its undo unless another came `after` it. */
export function PolicyActLine({policy, entry, before, after, fixed}: {
  policy: Policy;
  entry: PolicyEntry;
  before: PolicyEntry;
  after: PolicyEntry | undefined;
  fixed: boolean; // a played simulation's
}) {
  const now = useNow();
  const at = entry.since ?? '';
  return (
    <li className="decision" data-kind="policy">
      <time dateTime={at} title={ago(at, now)}>{worldTime(at, now)}</time>
      <span className="kind">policy</span>
      <div>
        <p><Link to="/admin">Policy</Link> <Name>{entry.name}</Name> decides from here on, in place of <Name>{before.name}</Name></p>
        {entry.description && <p className="why"><Name>{entry.description}</Name></p>}
        {after && <p className="undo"><small>Nothing to undo: <Name>{after.name}</Name> has taken its place since.</small></p>}
        <PolicyChange entry={entry} before={before} live={policy} back={after || fixed ? undefined : {label: 'Undo', to: before}} />
      </div>
    </li>
  );
}
