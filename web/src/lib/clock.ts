/**
 * The time of the world that the server shows. The browser's clock may be wrong, so the page asks the server for the
 * time and goes on from there by a clock that nobody sets.
 */
import {useSyncExternalStore} from 'react';

import {clockTime, sinceBeginning} from './format';

interface Anchor {
  serverMs: number;
  localMs: number; // performance.now() at the same instant
  rate: number; // world seconds per second; 0 while a simulation is paused
}

const monotonic = () => performance.now();
let anchor: Anchor | null = null;
let isSimulated = false;
const listeners = new Set<() => void>();

/** Takes the server's `now`, asked for at `sentMs` and received at `receivedMs` (performance.now()). */
export function setServerTime(now: string, sentMs: number, receivedMs: number, rate = 1, simulated = false): void {
  isSimulated = simulated;
  anchor = {serverMs: Date.parse(now), localMs: (sentMs + receivedMs) / 2, rate};
  tick();
}

/** Milliseconds since the epoch, by the server's clock; by the browser's until the server has said. */
export function serverNow(atMs = monotonic()): number {
  if (!anchor) return Date.now();
  return anchor.serverMs + (atMs - anchor.localMs) * anchor.rate;
}

/** Whether the server has said the time, and it is a simulation's. */
export function isPlayedTime(): boolean {
  return isSimulated;
}

/** A time of the world that is shown: of day, or since a simulation's beginning. */
export function worldTime(at: string, nowMs: number): string {
  return isSimulated ? sinceBeginning(at) : clockTime(at, nowMs);
}

/** The same, short, for an axis of some length. */
export function axisTime(atMs: number, spanMs: number): string {
  if (isSimulated) return sinceBeginning(new Date(atMs).toISOString()).replace(/:\d\d$/, '');
  return new Date(atMs).toLocaleString('en-GB', spanMs > 2 * 86_400_000
    ? {day: 'numeric', month: 'short'} : {hour: '2-digit', minute: '2-digit'});
}

/** How far the browser's clock is ahead of the server's, in milliseconds. */
export function browserAheadMs(): number {
  return anchor ? Date.now() - serverNow() : 0;
}

let shown = 0;
function tick(): void {
  shown = serverNow();
  for (const listener of listeners) listener();
}

let timer: ReturnType<typeof setInterval> | undefined;
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (!timer) {
    shown = serverNow();
    timer = setInterval(tick, 1000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The server's time, once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => shown || (shown = serverNow()));
}
