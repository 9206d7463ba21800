import {Link} from 'react-router';

import {useNow, worldTime} from '../lib/clock';
import {ago} from '../lib/format';
import type {ServiceAct} from '../lib/services';
import {undoOfService} from '../lib/undo';
import {JobLink, Name} from './Bits';

const DID: Partial<Record<ServiceAct['event'], string>> = {
  scaled: 'wants another number of replicas',
  undone: 'went back to the revision before',
  replica_unhealthy: 'starts a replica anew, by its probe’s word',
};

/** What a service did by itself, and what would change that. */
export function ServiceActLine({act}: {act: ServiceAct}) {
  const now = useNow();
  return (
    <li className="decision" data-kind="service">
      <time dateTime={act.at} title={ago(act.at, now)}>{worldTime(act.at, now)}</time>
      <span className="kind">service</span>
      <div>
        <p>
          <Link to={`/services/${encodeURIComponent(act.service)}`}><Name>{act.service}</Name></Link> {DID[act.event] ?? act.event}
          {act.replica !== null && <>, <JobLink id={act.replica} /></>}
        </p>
        {act.detail && <p className="why"><Name>{act.detail}</Name></p>}
        <p className="undo"><small>{undoOfService(act.event)}</small></p>
      </div>
    </li>
  );
}
