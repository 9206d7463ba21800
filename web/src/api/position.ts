/** Places in the server's streams: "117.3" stands for the third change of event 117. */

/** Negative where `a` is before `b`. Numbers of any length; what is no position counts as the first. */
export function comparePositions(a: string, b: string): number {
  const [aSeq, aIndex] = parts(a);
  const [bSeq, bIndex] = parts(b);
  if (aSeq !== bSeq) return aSeq < bSeq ? -1 : 1;
  return aIndex === bIndex ? 0 : aIndex < bIndex ? -1 : 1;
}

function parts(position: string): [bigint, bigint] {
  const match = /^(\d+)\.(\d+)$/.exec(position);
  return match ? [BigInt(match[1]!), BigInt(match[2]!)] : [-1n, 0n];
}
