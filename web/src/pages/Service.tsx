import {useParams} from 'react-router';

import {
  useEventsOfJobsQuery, useListServiceEventsQuery, useReadServiceSpecQuery, useShowServiceQuery, type Replica, type Service,
} from '../api/api';
import {JobLink, Name, NodeLink, Panel, StateMark, Tile} from '../components/Bits';
import {EventTable} from '../components/EventTable';
import {Empty, Failed, Loading, Shown} from '../components/States';
import {useNow, worldTime} from '../lib/clock';
import {count, number, words} from '../lib/format';
import {healthOf, isUpdating, revisions, stateOf} from '../lib/services';
import {useTitle} from '../lib/title';
import {errors, READ_EVERY_MS, time} from './Services';

const REPLICAS_TOLD = 12; // whose events are shown: each is a reading of its own
const EVENTS_MAX = 50;

export default function ServicePage() {
  const {name = ''} = useParams();
  useTitle(name);
  const service = useShowServiceQuery(name, {pollingInterval: READ_EVERY_MS, skipPollingIfUnfocused: true});
  if (!service.currentData) {
    return service.error
      ? <Failed what={`the service ${name}`} error={service.error} retry={() => void service.refetch()} />
      : <Loading what="the service" />;
  }
  return <Detail service={service.currentData} />;
}

function Detail({service}: {service: Service}) {
  return (
    <>
      <div className="bar">
        <h1><Name>{service.name}</Name></h1>
        <StateMark state={stateOf(service)} />
        <span className="quiet">revision {service.revision}</span>
        <span className="grow" />
        {service.url && <a className="button" href={service.url} rel="noreferrer">Open</a>}
      </div>
      {service.trouble && (
        <div className="reason wait" role="status"><strong>A replica is not ready</strong><p><Name>{service.trouble}</Name></p></div>
      )}
      <Rollout service={service} />
      <Tiles service={service} />
      <Replicas service={service} />
      <Changes name={service.name} />
      <Events replicas={service.replicas} />
      <Spec name={service.name} />
    </>
  );
}

/** How far a new revision has come, or what became of the last one. */
function Rollout({service}: {service: Service}) {
  if (!isUpdating(service) && !service.notice) return null;
  return (
    <Panel title="Rollout">
      {service.notice && <p className="bad"><Name>{service.notice}</Name></p>}
      {isUpdating(service) && (
        <>
          <p>
            Revision {service.revision} is taking the place of what ran before, one replica at a time.
            {service.previous_revision !== null && ` Revision ${service.previous_revision} comes back if it does not work.`}
          </p>
          <ul className="revisions">
            {revisions(service.replicas).map(({revision, all, ready}) => (
              <li key={revision} data-revision={revision}>
                revision {revision}: {number(ready)} of {count(all, 'replica')} ready
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

function Tiles({service}: {service: Service}) {
  const {requests} = service;
  const range = service.min === service.max ? `always ${number(service.min)}` : `between ${number(service.min)} and ${number(service.max)}`;
  return (
    <div className="tiles">
      <Tile value={number(service.ready)} unit={`of ${number(service.wanted)}`} label="replicas ready"><small>{range}</small></Tile>
      {requests && (
        <>
          <Tile value={number(requests.in_flight)} label="requests in flight"><small>{number(requests.queued)} wait for a replica{service.waited_ms > 0 && `; the longest of late waited ${time(service.waited_ms)}`}</small></Tile>
          <Tile value={requests.per_second.toFixed(1)} unit="a second" label="requests, of late"><small>{number(requests.total)} since the server began</small></Tile>
          <Tile value={time(requests.p99_ms)} label="99 of 100 are over within"><small>half of them within {time(requests.p50_ms)}</small></Tile>
          <Tile value={errors(requests)} label="errors since the server began">
            <small>{number(requests.retries)} sent once more, {number(requests.refused)} refused for want of a replica</small>
          </Tile>
        </>
      )}
      {service.gpu_activity !== null && (
        <Tile value={(service.gpu_activity * 100).toFixed(0)} unit="%" label="of their time its GPUs are busy"><small>of ready replicas, over 15 s</small></Tile>
      )}
    </div>
  );
}

function Replicas({service}: {service: Service}) {
  return (
    <Panel title="Replicas">
      {service.replicas.length === 0 ? (
        <Empty>{service.wanted === 0 ? 'None is needed now: the first request wakes the service.' : 'None has been made yet.'}</Empty>
      ) : (
        <div className="wide-table" tabIndex={0} role="region" aria-label="Table of replicas">
          <table>
            <caption className="hidden">Replicas</caption>
            <thead><tr><th scope="col">Replica</th><th scope="col">Health</th><th scope="col" className="number">Revision</th>
              <th scope="col">Node</th><th scope="col">Why</th></tr></thead>
            <tbody>{service.replicas.map((one) => (
              <tr key={one.job} data-replica={one.job}>
                <td><JobLink id={one.job} /></td>
                <td><StateMark state={healthOf(one)} /></td>
                <td className="number">{one.revision}</td>
                <td>{one.node ? <NodeLink name={one.node} /> : '–'}</td>
                <td><Name>{one.fault || '–'}</Name></td>
              </tr>
            ))}</tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

/** What became of the service, and what its probes said. */
function Changes({name}: {name: string}) {
  const events = useListServiceEventsQuery(name, {pollingInterval: READ_EVERY_MS, skipPollingIfUnfocused: true});
  const now = useNow();
  return (
    <Panel title="What happened to the service">
      <Shown query={{...events, data: events.currentData}} what="the service's events">
        {(list) => list.length === 0 ? <Empty>Nothing since the server started.</Empty> : (
          <div className="wide-table" tabIndex={0} role="region" aria-label="Table of the service's events">
            <table>
              <caption className="hidden">Events of the service, newest first</caption>
              <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col" className="number">Revision</th>
                <th scope="col">Replica</th><th scope="col">Why</th></tr></thead>
              <tbody>{list.map((one) => (
                <tr key={one.id} data-event={one.id}>
                  <td><time dateTime={one.at} title={one.at}>{worldTime(one.at, now)}</time></td>
                  <td>{words(one.event)}</td>
                  <td className="number">{one.revision}</td>
                  <td>{one.replica === null ? '–' : <JobLink id={one.replica} />}</td>
                  <td><Name>{one.detail || '–'}</Name></td>
                </tr>
              ))}</tbody>
            </table>
          </div>
        )}
      </Shown>
    </Panel>
  );
}

function Events({replicas}: {replicas: readonly Replica[]}) {
  const jobs = replicas.map(({job}) => job).sort((a, b) => b - a).slice(0, REPLICAS_TOLD);
  const events = useEventsOfJobsQuery(jobs, {skip: jobs.length === 0});
  if (jobs.length === 0) return null;
  return (
    <Panel title="How its replicas' jobs changed">
      <Shown query={events} what="events">
        {(list) => list.length === 0
          ? <Empty>Their changes are no longer kept: the server keeps the latest 10,000 since it started.</Empty>
          : <EventTable caption="Events, newest first" events={list.slice(0, EVENTS_MAX)} heading="Replica" cell={(event) => <JobLink id={event.job} />} />}
      </Shown>
      {jobs.length < replicas.length && <p className="foot">Of the latest {jobs.length} of {count(replicas.length, 'replica')}.</p>}
    </Panel>
  );
}

function Spec({name}: {name: string}) {
  const spec = useReadServiceSpecQuery(name);
  return (
    <Panel title="Spec">
      <Shown query={{...spec, data: spec.currentData}} what="the spec">
        {(text) => (
          <>
            <pre tabIndex={0} aria-label="Service spec"><code dir="auto">{text}</code></pre>
            <p className="foot">Change it, and <code>gyre service apply {name}.yaml</code></p>
          </>
        )}
      </Shown>
    </Panel>
  );
}
