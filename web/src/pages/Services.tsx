import {useState} from 'react';
import {Link} from 'react-router';

import {useListServicesQuery, type Service} from '../api/api';
import {Name, Panel, SearchBar, StateMark} from '../components/Bits';
import {Empty, Shown} from '../components/States';
import {count, duration, number, percent} from '../lib/format';
import {stateOf} from '../lib/services';
import {useTitle} from '../lib/title';

const SEARCHED_FROM = 8; // fewer are seen at once
export const READ_EVERY_MS = 2000; // no event tells of requests and probes

export default function ServicesPage() {
  useTitle('Services');
  const services = useListServicesQuery(undefined, {pollingInterval: READ_EVERY_MS, skipPollingIfUnfocused: true});
  return (
    <>
      <h1>Services</h1>
      <Shown query={services} what="services">
        {(list) => (
          <Panel title="Replicas behind one address">
            {list.length === 0 ? (
              <Empty>
                No service yet. A file that says what its replicas run makes one: <code>gyre service apply chat.yaml</code>
              </Empty>
            ) : <List services={list} />}
          </Panel>
        )}
      </Shown>
    </>
  );
}

function List({services}: {services: readonly Service[]}) {
  const [search, setSearch] = useState('');
  const shown = services.filter((one) => one.name.toLowerCase().includes(search.trim().toLowerCase()));
  return (
    <>
      {services.length > SEARCHED_FROM && <SearchBar thing="service" value={search} change={setSearch} />}
      {shown.length === 0 ? <Empty>No service has a name like that.</Empty> : <Table services={shown} />}
      <p className="foot">
        {count(services.length, 'service')}. Rates and times are of the last 10 to 20 s, errors since the server began.
      </p>
    </>
  );
}

function Table({services}: {services: readonly Service[]}) {
  return (
    <div className="wide-table" tabIndex={0} role="region" aria-label="Table of services">
      <table>
        <caption className="hidden">Services</caption>
        <thead><tr>
          <th scope="col">Name</th><th scope="col">State</th>
          <th scope="col" className="number">Ready</th><th scope="col" className="number">Revision</th>
          <th scope="col" className="number">In flight</th><th scope="col" className="number">Waiting</th>
          <th scope="col" className="number">Requests/s</th><th scope="col" className="number">Errors</th>
          <th scope="col" className="number">p50</th><th scope="col" className="number">p99</th>
          <th scope="col">Note</th>
        </tr></thead>
        <tbody>{services.map((one) => <Row key={one.name} service={one} />)}</tbody>
      </table>
    </div>
  );
}

function Row({service}: {service: Service}) {
  const {requests} = service;
  return (
    <tr data-service={service.name}>
      <th scope="row"><Link to={`/services/${encodeURIComponent(service.name)}`}><Name>{service.name}</Name></Link></th>
      <td><StateMark state={stateOf(service)} /></td>
      <td className="number">{number(service.ready)} of {number(service.wanted)}</td>
      <td className="number">{service.revision}</td>
      <td className="number">{requests ? number(requests.in_flight) : '–'}</td>
      <td className="number">{requests ? number(requests.queued) : '–'}</td>
      <td className="number">{requests ? requests.per_second.toFixed(1) : '–'}</td>
      <td className="number">{requests ? errors(requests) : '–'}</td>
      <td className="number">{time(requests?.p50_ms)}</td>
      <td className="number">{time(requests?.p99_ms)}</td>
      <td><Name>{service.trouble || service.notice || '–'}</Name></td>
    </tr>
  );
}

export function errors({failed, total}: NonNullable<Service['requests']>): string {
  return failed === 0 ? '0' : `${number(failed)} (${percent(failed, total)})`;
}

/** Times of requests are short: milliseconds count. */
export function time(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  return ms < 1000 ? `${+ms.toPrecision(3)} ms` : duration(ms);
}
