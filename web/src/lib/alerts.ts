/** What a person should look at, of what the server tells: each with where it is seen, and what mends it. */
import type {Fault, Health, Incident, Node, Queue, Service} from '../api/api';
import {faultText} from './faults';
import {count, number, sentence, words} from './format';
import {stateOf} from './services';

export interface Alert {
  key: string;
  grave: boolean; // something does not work; else it does, and a person has the next word
  state: string; // in a word or two
  about: string; // what it is about; a name that others chose
  to: string; // where it is seen and mended
  text: string;
  mend: string;
}

/** What was read; undefined: not yet, or it could not be. */
export interface Told {
  health?: Health;
  nodes?: readonly Node[];
  incidents?: readonly Incident[]; // that are open
  services?: readonly Service[];
  queues?: readonly Queue[];
  faults?: ReadonlyMap<string, Fault>; // on purpose and open, by node
}

export const NODE_STATES_TOLD = 'down,silent,unsure,quarantined,draining,cordoned';
export const SHOWN_OF_A_KIND = 5;

const STORAGE: Record<string, {grave: boolean; mend: string}> = {
  slow: {grave: false, mend: 'Submissions wait for the disk: find what else keeps it busy.'},
  low: {grave: true, mend: 'New jobs are refused until there is room: free some on the disk of the state folder.'},
  full: {grave: true, mend: 'Nothing can be recorded until there is room: free some on the disk of the state folder.'},
  away: {grave: true, mend: 'Nothing can be recorded until the journal’s database answers again.'},
};

const NODES: Record<string, {grave: boolean; mend: string}> = {
  down: {grave: true, mend: 'Look at the machine and its agent; it comes back by itself once the agent is heard.'},
  silent: {grave: true, mend: 'Not heard of late: its tasks end with their lease, and then it is down.'},
  unsure: {grave: true, mend: 'A GPU is lost or does not answer: look at its driver. It is up again once all of them answer.'},
  quarantined: {grave: false, mend: 'It comes back by itself in time, or at once by its release.'},
  draining: {grave: false, mend: 'It stays out of service until a person puts it back.'},
  cordoned: {grave: false, mend: 'It stays out of service until a person puts it back.'},
};

/** Reasons of waiting that do not pass by themselves. */
const IN_VAIN = new Set(['Misconfigured', 'NeverFits', 'ExceedsMaxQuota']);

function ofStorage({storage}: Health): Alert[] {
  const known = storage && STORAGE[storage.status];
  return known ? [{key: 'storage', grave: known.grave, state: storage.status, about: 'the journal’s storage', to: '/admin',
    text: storage.detail ?? '', mend: known.mend}] : [];
}

function ofNodes(nodes: readonly Node[], incidents: readonly Incident[], faults: ReadonlyMap<string, Fault>): Alert[] {
  const why = new Map<string, Incident>(); // the latest of each, which come first
  for (const one of incidents) if (one.node !== null && !why.has(one.node)) why.set(one.node, one);
  const order = Object.keys(NODES);
  return nodes.filter((node) => node.state in NODES).sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
    .map((node) => {
      const incident = why.get(node.name);
      const gpus = count(node.gpus, 'GPU');
      const what = node.state === 'down' ? `${gpus} out of use` : `nothing new is put on its ${gpus}`;
      const fault = faults.get(node.name);
      const lasts = node.state === 'quarantined' && (incident?.remedy === 'cordon' || incident?.remedy === 'drain');
      return {key: `node ${node.id}`, ...NODES[lasts ? 'cordoned' : node.state]!, state: node.state, about: node.name,
        to: `/nodes/${encodeURIComponent(node.name)}`,
        text: [what, fault && `on purpose: ${faultText(fault)}, by ${fault.by}`,
          incident && `${words(incident.symptom)}: ${incident.evidence}`].filter(Boolean).join('; '),
        ...(fault && {grave: false, mend: 'It comes back by itself once the drill is over.'})};
    });
}

/** Remedies that wait for a person's word, or for another node to come back. */
function ofHeld(incidents: readonly Incident[]): Alert[] {
  return incidents.filter((one) => one.outcome === 'held' && one.node !== null).map((one) => ({
    key: `incident ${one.id}`, grave: true, state: 'held', about: one.node!, to: '/healing?outcome=held&window=all',
    text: `${sentence(one.symptom)}: ${one.evidence}`,
    mend: 'It is left in service, since too many nodes would be out: bring others back, or cordon it yourself.'}));
}

function ofServices(services: readonly Service[]): Alert[] {
  return services.flatMap((one): Alert[] => {
    const state = stateOf(one);
    const lacks = !one.deleted && (state === 'short' || one.trouble !== '');
    if (!lacks && !one.notice) return [];
    const down = lacks && one.ready === 0 && one.wanted > 0;
    return [{key: `service ${one.name}`, grave: down, state: down ? 'down' : lacks ? 'short' : 'undone', about: one.name,
      to: `/services/${encodeURIComponent(one.name)}`,
      text: [`${number(one.ready)} of ${count(one.wanted, 'replica')} ready`, one.trouble, one.notice].filter(Boolean).join('; '),
      mend: lacks ? 'Its page says what each replica lacks.' : 'Its last rollout was undone: apply a spec that becomes ready.'}];
  });
}

/** Queues whose first job waits in vain, or that have less than they are guaranteed. */
function ofQueues(queues: readonly Queue[]): Alert[] {
  return queues.flatMap((one): Alert[] => {
    const first = one.first_waiting;
    if (first === null) return [];
    const vain = IN_VAIN.has(first.why.reason);
    const starved = one.gpu_milli_used < one.gpu_milli_guaranteed;
    if (!vain && !starved) return [];
    const held = `holds ${number(one.gpu_milli_used / 1000)} of ${count(one.gpu_milli_guaranteed / 1000, 'GPU')} that it is guaranteed`;
    return [{key: `queue ${one.name}`, grave: vain, state: vain ? words(first.why.reason) : 'starved', about: one.name,
      to: `/jobs/${first.job}`, text: `${vain ? '' : `${held}; `}job ${first.job} waits: ${first.why.detail}`,
      mend: vain ? 'It never starts like that: change the job, its queue or the fleet.' : 'See what holds it back, and who borrows.'}];
  });
}

/** What does not work first; nodes, then services, then queues. */
export function alertsOf({health, nodes, incidents = [], services, queues, faults = new Map()}: Told): Alert[] {
  const all = [...(health ? ofStorage(health) : []), ...ofHeld(incidents), ...ofNodes(nodes ?? [], incidents, faults),
    ...ofServices(services ?? []), ...ofQueues(queues ?? [])];
  return [...all.filter((one) => one.grave), ...all.filter((one) => !one.grave)];
}

/** The first few of each kind, and how many more there are of which kind. */
export function inShort(alerts: readonly Alert[]): {shown: Alert[]; more: {kind: string; count: number}[]} {
  const seen = new Map<string, number>();
  const shown = alerts.filter((one) => {
    const kind = one.key.split(' ')[0]!;
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    return seen.get(kind)! <= SHOWN_OF_A_KIND;
  });
  return {shown, more: [...seen].filter(([, n]) => n > SHOWN_OF_A_KIND).map(([kind, n]) => ({kind, count: n - SHOWN_OF_A_KIND}))};
}
