/**
 * The page's line to the server. One stream of events tells what changed; what is shown is then asked for again, many
 * changes at once. When the server goes away the page says so, tries again, and goes on after the last event it knows.
 */
import {createSlice, type PayloadAction} from '@reduxjs/toolkit';

import type {AppDispatch} from '../store';
import {api, readClock, type JobEvent, type Simulation} from './api';
import {comparePositions} from './position';
import {follow, type StreamEvent} from './stream';

export interface Link {
  state: 'connecting' | 'live' | 'away' | 'resting';
  sinceMs: number; // Date.now() when it became so
  events: number; // heard so far
  simulation: Simulation | null; // null: the world is the real one
}

const slice = createSlice({
  name: 'link',
  initialState: {state: 'connecting', sinceMs: Date.now(), events: 0, simulation: null} as Link,
  reducers: {
    became(link, {payload}: PayloadAction<Link['state']>) {
      if (link.state === payload) return;
      link.state = payload;
      link.sinceMs = Date.now();
    },
    played(link, {payload}: PayloadAction<Simulation | null>) {
      if (JSON.stringify(link.simulation) !== JSON.stringify(payload)) link.simulation = payload;
    },
    heard(link, {payload}: PayloadAction<number>) {
      link.events += payload;
    },
  },
});
export const linkReducer = slice.reducer;
const {became, heard} = slice.actions;
export const {played} = slice.actions;

const RETRY_MS = [500, 1000, 2000, 4000, 5000];
const GATHER_MS = 150; // events that come within it make one reading
const READ_EVERY_MS = 1000; // lists are read again this often at most
const REST_AFTER_MS = 30_000; // a hidden tab gives its connection back: a browser has six for one server
const JOBS_MAX = 50; // of more jobs no list is kept: all that are shown are read again
const LISTS = ['Jobs', 'Overview', 'Queues', 'Nodes', 'Decisions', 'Services'] as const;

export class Live {
  private source: AbortController | null = null;
  private open = false;
  private last = '';
  private failures = 0;
  private retryTimer = 0;
  private restTimer = 0;
  private gatherTimer = 0;
  private clockTimer = 0;
  private readAt = 0;
  private jobs = new Set<number>();
  private waiting = 0;
  private healing = false; // some event tells of a job that was interrupted, or runs again

  constructor(private readonly dispatch: AppDispatch) {}

  start(): void {
    document.addEventListener('visibilitychange', () => this.visibilityChanged());
    window.addEventListener('online', () => this.connect());
    this.connect();
    // What changes without an event: the means of the history, and the clock itself.
    window.setInterval(() => {
      if (document.hidden || !this.isOpen()) return;
      this.dispatch(api.util.invalidateTags(['History', 'Overview', 'Nodes', 'Queues', 'Usage', 'Incidents', 'Gpus', 'Health', 'Policy', 'Chaos']));
    }, 10_000);
    window.setInterval(() => {
      if (!document.hidden && this.isOpen()) void this.readClock();
    }, 60_000);
  }

  /** A simulation is asked again each second: others may turn it, and its own end shows there. */
  private async readClock(): Promise<void> {
    window.clearTimeout(this.clockTimer);
    try {
      const simulation = await readClock();
      this.dispatch(played(simulation));
      if (simulation && this.isOpen()) this.clockTimer = window.setTimeout(() => void this.readClock(), 1000);
    } catch {
      // the stream will say that the server is away
    }
  }

  private isOpen(): boolean {
    return this.open;
  }

  private connect(): void {
    if (this.source) return;
    window.clearTimeout(this.retryTimer);
    const cursor = this.last ? `&cursor=${encodeURIComponent(this.last)}` : '';
    const source = new AbortController();
    this.source = source;
    follow(`/v1/events?follow=true${cursor}`, source.signal, () => this.opened(), (event) => {
      if (source.signal.aborted) return;
      if (event.type === 'job') this.take(event);
      else if (event.type === 'missed') this.missed();
    }).catch(() => {
      if (!source.signal.aborted) this.lost();
    });
  }

  private opened(): void {
    this.open = true;
    this.failures = 0;
    this.dispatch(became('live'));
    void this.readClock();
    this.readAll();
  }

  private lost(): void {
    this.close();
    this.dispatch(became('away'));
    const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]!;
    this.retryTimer = window.setTimeout(() => this.connect(), wait);
  }

  private close(): void {
    this.source?.abort();
    this.source = null;
    this.open = false;
  }

  private take({id, data}: StreamEvent): void {
    if (this.last && comparePositions(id, this.last) <= 0) return; // known already
    this.last = id;
    const event = JSON.parse(data) as JobEvent;
    if (this.jobs.size <= JOBS_MAX) this.jobs.add(event.job);
    this.healing ||= event.attempt > 1 || (event.to === 'queued' && event.from !== null);
    ++this.waiting;
    if (!this.gatherTimer) {
      const wait = Math.max(GATHER_MS, this.readAt + READ_EVERY_MS - performance.now());
      this.gatherTimer = window.setTimeout(() => this.readChanged(), wait);
    }
  }

  /** Events are gone that this page has not heard, or the server has another store: nothing shown counts any more. */
  private missed(): void {
    this.last = '';
    this.readAll();
  }

  private readChanged(): void {
    this.gatherTimer = 0;
    this.readAt = performance.now();
    const jobs = this.jobs.size > JOBS_MAX ? ['Job' as const] : [...this.jobs].map((id) => ({type: 'Job' as const, id}));
    this.jobs.clear();
    this.dispatch(heard(this.waiting));
    this.waiting = 0;
    this.dispatch(api.util.invalidateTags([...LISTS, ...jobs, ...(this.healing ? ['Incidents' as const] : [])]));
    this.healing = false;
  }

  private readAll(): void {
    this.dispatch(api.util.invalidateTags([...LISTS, 'Job', 'History', 'Usage', 'Incidents', 'Gpus', 'Health', 'Healing', 'Policy', 'Chaos']));
  }

  private visibilityChanged(): void {
    window.clearTimeout(this.restTimer);
    if (!document.hidden) return this.connect();
    this.restTimer = window.setTimeout(() => {
      this.close();
      window.clearTimeout(this.retryTimer);
      this.dispatch(became('resting'));
    }, REST_AFTER_MS);
  }
}
