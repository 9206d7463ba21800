import type {Replica, Service, ServiceEvent} from '../api/api';

export type ServiceState = 'ready' | 'updating' | 'short' | 'resting' | 'stopping';

/** Replicas of another revision than the one that is wanted are still there, or it has yet to prove itself. */
export function isUpdating(service: Pick<Service, 'revision' | 'previous_revision' | 'replicas'>): boolean {
  return service.previous_revision !== null || service.replicas.some((one) => one.revision !== service.revision);
}

/** How a service is, in one word. What is missing counts before what is under way. */
export function stateOf(service: Service): ServiceState {
  if (service.deleted) return 'stopping';
  if (service.ready < service.wanted) return isUpdating(service) && service.ready > 0 ? 'updating' : 'short';
  if (isUpdating(service)) return 'updating';
  return service.wanted === 0 ? 'resting' : 'ready';
}

/** How one replica is: on its way out, ready, or what its job does. */
export function healthOf(replica: Replica): string {
  if (replica.phase !== 'serving') return replica.phase;
  if (replica.state !== 'running') return replica.state;
  return replica.ready ? 'ready' : 'not ready';
}

/** How many replicas of each revision there are, and how many of them are ready: the newest first. */
export function revisions(replicas: readonly Replica[]): {revision: number; all: number; ready: number}[] {
  const found = new Map<number, {revision: number; all: number; ready: number}>();
  for (const {revision, ready, phase} of replicas) {
    const one = found.get(revision) ?? {revision, all: 0, ready: 0};
    one.all += 1;
    if (ready && phase === 'serving') one.ready += 1;
    found.set(revision, one);
  }
  return [...found.values()].sort((a, b) => b.revision - a.revision);
}

/** What a service did by itself. */
export type ServiceAct = ServiceEvent & {service: string};

/** Of its events those that nobody asked for: a number of replicas that changes with a new spec was asked for. */
export function actsOf(service: string, events: readonly ServiceEvent[]): ServiceAct[] {
  const applied = new Set(events.filter(({event}) => event === 'applied').map(({at}) => at));
  return events.filter(({event, at}) => event === 'undone' || event === 'replica_unhealthy' || (event === 'scaled' && !applied.has(at)))
    .map((one) => ({...one, service}));
}
