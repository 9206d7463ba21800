import type {History, Queue} from '../api/api';

/** A queue with those below it. */
export interface Branch {
  queue: Queue;
  fairMilli: number; // GPUs that it would hold were all queues to ask for more than there is
  borrowedMilli: number; // held beyond its guarantee, where anything is guaranteed in its partition
  starved: Starved | null;
  below: Branch[];
}

type Siblings = readonly Pick<Queue, 'weight' | 'gpu_milli_guaranteed' | 'gpu_milli_max'>[];

/** What a queue lacks of its due while jobs of it wait for no fault of their own. */
export interface Starved {
  of: 'guarantee' | 'fair share'; // of the latter only while a sibling holds more than its own
  dueMilli: number;
  lackMilli: number;
}

/** Reasons of waiting that more GPUs for the queue would not end. */
const NOT_FOR_LACK = new Set(['Misconfigured', 'NeverFits', 'OnHold', 'ExceedsMaxQuota', 'PendingEvaluation']);

/** Whether a job of the queue, or of those below it, waits for want of what others hold. */
function waitsForLack({queue, below}: {queue: Queue; below: readonly Branch[]}): boolean {
  const first = queue.first_waiting;
  return (first !== null && !NOT_FOR_LACK.has(first.why.reason)) || below.some(waitsForLack);
}

function starvedOf(queue: Queue, below: readonly Branch[], fairMilli: number, othersBeyond: boolean): Starved | null {
  if (!waitsForLack({queue, below})) return null;
  const lacks = (of: Starved['of'], dueMilli: number) =>
    (queue.gpu_milli_used < dueMilli ? {of, dueMilli, lackMilli: dueMilli - queue.gpu_milli_used} : null);
  return lacks('guarantee', queue.gpu_milli_guaranteed) ?? (othersBeyond ? lacks('fair share', Math.round(fairMilli)) : null);
}

const HALVINGS = 60;

/**
 * What each sibling would hold of `milli` GPUs were all to ask for more: in proportion to weights, nobody below what it is
 * guaranteed, nobody above its limit. That is where least share first, guarantees before, comes to rest.
 */
export function fairShares(siblings: Siblings, milli: number): number[] {
  const at = (level: number) => siblings.map((one) =>
    Math.min(one.gpu_milli_max ?? Infinity, Math.max(one.gpu_milli_guaranteed, level * one.weight)));
  const sum = (parts: readonly number[]) => parts.reduce((all, one) => all + one, 0);
  let low = 0;
  let high = milli; // weights are 1 at least, so there one sibling alone would have all
  if (sum(at(high)) <= milli) return at(high);
  for (let i = 0; i < HALVINGS; ++i) {
    const middle = (low + high) / 2;
    if (sum(at(middle)) > milli) high = middle;
    else low = middle;
  }
  return at(low);
}

/** The queues as trees, in the order in which they came; one whose parent is unknown stands at the top. */
export function treeOf(queues: readonly Queue[]): Branch[] {
  const names = new Set(queues.map(({name}) => name));
  const children = new Map<string, Queue[]>();
  for (const queue of queues) {
    const parent = names.has(queue.parent) ? queue.parent : '';
    const place = parent === '' ? `partition:${queue.partition}` : `queue:${parent}`;
    const siblings = children.get(place);
    if (siblings) siblings.push(queue);
    else children.set(place, [queue]);
  }
  const guaranteeing = new Set(queues.filter((one) => one.gpu_milli_guaranteed > 0).map(({partition}) => partition));
  const borrowed = (queue: Queue) =>
    guaranteeing.has(queue.partition) ? Math.max(0, queue.gpu_milli_used - queue.gpu_milli_guaranteed) : 0;
  const branches = (place: string, milli: number): Branch[] => {
    const siblings = children.get(place) ?? [];
    const fair = fairShares(siblings, milli);
    const beyond = siblings.map((one, index) => one.gpu_milli_used > Math.round(fair[index]!));
    return siblings.map((queue, index) => {
      const below = branches(`queue:${queue.name}`, fair[index]!);
      const starved = starvedOf(queue, below, fair[index]!, beyond.some((is, other) => is && other !== index));
      return {queue, fairMilli: fair[index]!, borrowedMilli: borrowed(queue), starved, below};
    });
  };
  return [...new Set(queues.map(({partition}) => partition))].flatMap((partition) =>
    branches(`partition:${partition}`, queues.find((one) => one.partition === partition)!.gpu_milli_up));
}

/** Lines over time in which each queue has what those below it have, too: so does the tree count. */
export function summedUp(lines: History['queues'], queues: readonly Pick<Queue, 'name' | 'parent'>[]): History['queues'] {
  const parents = new Map(queues.map(({name, parent}) => [name, parent]));
  const isBelow = (name: string, other: string) => {
    for (let at = parents.get(name), steps = 0; at && steps < parents.size; at = parents.get(at), ++steps) if (at === other) return true;
    return false;
  };
  const sum = (all: readonly (number | null)[][]) =>
    (all[0] ?? []).map((_, step) => all.reduce<number | null>((total, one) => (one[step] == null ? total : (total ?? 0) + one[step]), null));
  return lines.map((line) => {
    const own = [line, ...lines.filter(({name}) => isBelow(name, line.name))];
    return {...line, gpus_used: sum(own.map((one) => one.gpus_used)), jobs_queued: sum(own.map((one) => one.jobs_queued)),
      jobs_placed: sum(own.map((one) => one.jobs_placed))};
  });
}

/** The branches with a name that holds the text, and what leads to them; the first `max` queues of these. */
export function pruned(branches: readonly Branch[], text: string, max: number): {branches: Branch[]; shown: number; matching: number} {
  const wanted = text.trim().toLowerCase();
  let shown = 0;
  let matching = 0;
  const walk = (list: readonly Branch[], kept: boolean): Branch[] => list.flatMap((branch) => {
    const matches = kept || branch.queue.name.toLowerCase().includes(wanted);
    const before = matching;
    if (matches) ++matching;
    const room = shown < max;
    if (room) ++shown;
    const below = walk(branch.below, matches);
    if (matching === before && room) --shown;
    return matching > before && room ? [{...branch, below}] : [];
  });
  return {branches: walk(branches, wanted === ''), shown, matching};
}

/** Whether the queue has a rule of its own. */
export function hasQuota(queue: Queue): boolean {
  return queue.parent !== '' || queue.weight !== 1 || queue.gpu_milli_guaranteed > 0 || queue.gpu_milli_max !== null ||
    queue.jobs_max !== null || queue.gpu_seconds_max !== null;
}
