/** Faults on purpose: what is broken by whose word, and what of it is not over. All pure. */
import type {Chaos, Fault} from '../api/api';

/** It lasts, or the fleet is not seen to have recovered from it. */
export function isOpenFault({state}: Pick<Fault, 'state'>): boolean {
  return state === 'lasts' || state === 'ended';
}

/** Of each node the fault that is open. A node has one at most. */
export function openFaults(chaos: Pick<Chaos, 'faults'> | null | undefined): ReadonlyMap<string, Fault> {
  return new Map((chaos?.faults ?? []).filter(isOpenFault).map((one) => [one.node, one]));
}

const UNHEARD: Record<Fault['way'], string> = {
  both: 'its network is cut',
  'to-server': 'what it says to the server is lost',
  'to-node': 'what the server says to it is lost',
};

/** What is wrong on the node, for a person who meets it. */
export function faultText({do: kind, way}: Pick<Fault, 'do' | 'way'>): string {
  switch (kind) {
    case 'cut-node': return UNHEARD[way];
    case 'pause-agent': return 'its agent is stopped';
    case 'restart-agent': return 'its agent is away as if it were killed, and begins anew';
    case 'kill-task': return 'a task there was killed';
    case 'hang-task': return 'a task there is stopped';
    case 'drain-node': return 'it is drained';
    default: return kind;
  }
}

/** How far it is: how long it still lasts, or that only the recovery is missing. */
export function faultLeftMs({state, at, for_ms: forMs}: Pick<Fault, 'state' | 'at' | 'for_ms'>, nowMs: number): number | null {
  return state === 'lasts' ? Math.max(0, Date.parse(at) + forMs - nowMs) : null;
}
