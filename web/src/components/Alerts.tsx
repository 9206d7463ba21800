import {Link} from 'react-router';

import {
  errorText, useListIncidentsQuery, useListNodesQuery, useListQueuesQuery, useListServicesQuery, useReadHealthQuery,
} from '../api/api';
import {alertsOf, inShort, NODE_STATES_TOLD} from '../lib/alerts';
import {useChaos} from '../lib/chaos';
import {openFaults} from '../lib/faults';
import {count} from '../lib/format';
import {Name, Panel, StateMark} from './Bits';
import {Empty, Loading} from './States';

const PLACES: Record<string, string> = {node: '/nodes', incident: '/healing?outcome=held&window=all', service: '/services', queue: '/queues'};

/** Everything that is not as it should be, or waits for a person; what cannot be told is said, too. */
export function Alerts() {
  const parts = {
    health: useReadHealthQuery(),
    nodes: useListNodesQuery({state: NODE_STATES_TOLD, devices: false}),
    incidents: useListIncidentsQuery({open: true, limit: 1000}),
    services: useListServicesQuery(),
    queues: useListQueuesQuery(),
  };
  const faults = openFaults(useChaos().data);
  const {health, nodes, incidents, services, queues} = parts;
  const all = alertsOf({health: health.data, nodes: nodes.data, incidents: incidents.data, services: services.data,
    queues: queues.data, faults});
  const unknown = Object.entries(parts).filter(([, part]) => part.data === undefined && part.error !== undefined);
  const waiting = Object.values(parts).some((part) => part.data === undefined && part.error === undefined);
  const {shown, more} = inShort(all);
  if (waiting && all.length === 0) return <Panel title="Alerts"><Loading what="alerts" /></Panel>;
  return (
    <Panel title="Alerts" aside={all.length > 0 && <small>{count(all.length, 'alert')}</small>}>
      {all.length + unknown.length === 0 && <Empty>Nothing needs you.</Empty>}
      <ul className="attention">
        {unknown.map(([name, part]) => (
          <li key={name} className="bad" role="alert">Nothing is known of {name === 'health' ? 'the storage' : name}: {errorText(part.error)}</li>
        ))}
        {shown.map((one) => (
          <li key={one.key} data-alert={one.key}>
            <StateMark state={one.state} like={one.grave ? 'failed' : 'queued'} />
            <Link to={one.to}><Name>{one.about}</Name></Link>
            <span className="grow"><Name>{one.text}</Name> <small>{one.mend}</small></span>
          </li>
        ))}
        {more.map(({kind, count: n}) => (
          <li key={kind}><Link to={PLACES[kind] ?? '/'}>{count(n, `more ${kind}`)}</Link></li>
        ))}
      </ul>
    </Panel>
  );
}
