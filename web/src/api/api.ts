/** The server's resources, as hooks. Types come from api/openapi.yaml. */
import {createApi, fetchBaseQuery} from '@reduxjs/toolkit/query/react';

import {setServerTime} from '../lib/clock';
import {actsOf, type ServiceAct} from '../lib/services';
import {parseElements} from '../lib/slices';
import {comparePositions} from './position';
import type {components, operations} from './schema';

type Schemas = components['schemas'];
export type Job = Schemas['Job'];
export type JobFull = Schemas['JobFull'];
export type JobState = Schemas['JobState'];
export type JobEvent = Schemas['JobEvent'];
export type Node = Schemas['Node'];
export type Incident = Schemas['Incident'];
export type Gpu = Schemas['Gpu'];
export type GpuHistory = Schemas['GpuHistory'];
type GpuList = operations['listGpus']['responses'][200]['content']['application/json'];
export type Service = Schemas['Service'];
export type Replica = Service['replicas'][number];
export type ServiceEvent = Schemas['ServiceEvent'];
export type Queue = Schemas['Queue'];
export type UsageReport = Schemas['UsageReport'];
export type JobUsage = Schemas['JobUsage'];
export type Costs = Schemas['Costs'];
type CostView = NonNullable<operations['showCosts']['parameters']['query']>;
export type Decision = Schemas['Decision'];
export type Overview = Schemas['Overview'];
export type History = Schemas['History'];
export type Simulation = Schemas['Simulation'];
type Clock = Schemas['Clock'];
export type Server = Schemas['Server'];
export type Health = operations['health']['responses'][200]['content']['application/json'];
export type Healing = Schemas['Healing'];
export type Chaos = Schemas['Chaos'];
export type Fault = Schemas['Fault'];
export type LabRun = Schemas['LabRun'];
export type LabReport = Schemas['LabReport'];
export type LabResult = LabReport['results'][number];
export type LabOrder = operations['startLabRun']['requestBody']['content']['application/json'];
type JoinTokenOrder = NonNullable<operations['makeJoinToken']['requestBody']>['content']['application/json'];
type JoinToken = operations['makeJoinToken']['responses'][201]['content']['application/json'];
export type LabTraces = operations['listLabTraces']['responses'][200]['content']['application/json'];
type LabRunFull = operations['showLabRun']['responses'][200]['content']['application/json'];
export type Policies = operations['listPolicies']['responses'][200]['content']['application/json'];
export type Policy = Schemas['Policy'];
export type PolicyEntry = Schemas['PolicyEntry'];
export type Waiting = Schemas['Waiting'];
export type Problem = Schemas['Problem'];
export type Plan = operations['planJob']['responses'][200]['content']['application/json'];
export type Explanation = operations['explainJob']['responses'][200]['content']['application/json'];
type NodeView = NonNullable<operations['listNodes']['parameters']['query']>;
type IncidentView = NonNullable<operations['listIncidents']['parameters']['query']>;
export type JobView = NonNullable<operations['listJobs']['parameters']['query']>;
type JobPage = operations['listJobs']['responses'][200]['content']['application/json'];
type DecisionPage = operations['listDecisions']['responses'][200]['content']['application/json'];
type EventPage = operations['listEvents']['responses'][200]['content']['application/json'];

export const SERVICES_TOLD = 50; // whose acts are read at once

const yaml = {'Content-Type': 'application/yaml'};

/** Drops what is not set, so that the server sees no empty parameters. */
function given<T extends object>(parameters: T): Record<string, unknown> {
  return Object.fromEntries(Object.entries(parameters).filter(([, v]) => v !== undefined && v !== ''));
}

export const api = createApi({
  reducerPath: 'api',
  baseQuery: fetchBaseQuery({baseUrl: '/', timeout: 30_000, headers: {Accept: 'application/json'}}),
  tagTypes: ['Jobs', 'Job', 'Nodes', 'Queues', 'Overview', 'History', 'Decisions', 'Usage', 'Incidents', 'Gpus', 'Services', 'Lab', 'Costs', 'Health', 'Healing', 'Policy', 'Chaos'],
  keepUnusedDataFor: 30,
  refetchOnMountOrArgChange: 5,
  endpoints: (build) => ({
    listJobs: build.query<JobPage, JobView>({
      query: (view) => ({url: 'v1/jobs', params: given(view)}),
      providesTags: ['Jobs'],
    }),
    getJob: build.query<JobFull, number>({
      query: (id) => `v1/jobs/${id}`,
      providesTags: (_result, _error, id) => [{type: 'Job', id}],
    }),
    explainJob: build.query<Explanation, number>({
      query: (id) => `v1/jobs/${id}/explanation`,
      providesTags: (_result, _error, id) => [{type: 'Job', id}],
    }),
    /** Costs the server much: not asked for again at every event. */
    lookAhead: build.query<Explanation, number>({
      query: (id) => `v1/jobs/${id}/explanation?outlook=true`,
    }),
    jobEvents: build.query<EventPage, number>({
      query: (id) => ({url: 'v1/events', params: {job: id, limit: 1000}}),
      providesTags: (_result, _error, id) => [{type: 'Job', id}],
    }),
    readSpec: build.query<string, number>({
      query: (id) => ({url: `v1/jobs/${id}/spec`, responseHandler: (response) =>
        response.ok ? response.text() : response.json()}),
    }),
    stopJob: build.mutation<unknown, number>({
      query: (id) => ({url: `v1/jobs/${id}/actions`, method: 'POST', body: {action: 'stop'}}),
    }),
    planJob: build.query<Plan, string>({
      query: (text) => ({url: 'v1/plans', method: 'POST', headers: yaml, body: text}),
      keepUnusedDataFor: 0,
    }),
    submitJob: build.mutation<{id: number}, {text: string; key: string}>({
      query: ({text, key}) => ({url: 'v1/jobs', method: 'POST',
        headers: {...yaml, 'Idempotency-Key': key}, body: text}),
      invalidatesTags: ['Jobs', 'Overview', 'Queues'],
    }),
    // Comparing 10,000 nodes with those of a second ago, to keep what is alike, costs more than drawing them; reading
    // them in one go takes longer than a frame may.
    listNodes: build.query<readonly Node[], NodeView>({
      query: (view) => ({url: 'v1/nodes', params: given(view), responseHandler: async (response) =>
        response.ok ? parseElements<Node>(await response.text(), 'nodes') : response.json()}),
      structuralSharing: false,
      providesTags: ['Nodes'],
    }),
    listGpus: build.query<GpuList, string>({
      query: (node) => `v1/nodes/${encodeURIComponent(node)}/gpus`,
      providesTags: ['Gpus'],
    }),
    readGpuHistory: build.query<GpuHistory, {node: string; window: '1h' | '24h' | '30d'}>({
      query: ({node, window}) => ({url: `v1/nodes/${encodeURIComponent(node)}/gpus/history`, params: {window}}),
      providesTags: ['Gpus'],
    }),
    showUsage: build.query<UsageReport, {settle: string}>({
      query: (params) => ({url: 'v1/usage', params}),
      providesTags: ['Usage'],
    }),
    showCosts: build.query<Costs, CostView>({
      query: (view) => ({url: 'v1/costs', params: given(view)}),
      providesTags: ['Costs'],
    }),
    actOnNode: build.mutation<unknown, {name: string; action: 'cordon' | 'uncordon' | 'drain'}>({
      query: ({name, action}) => ({url: `v1/nodes/${encodeURIComponent(name)}/actions`, method: 'POST', body: {action}}),
      invalidatesTags: ['Nodes', 'Overview', 'Incidents'],
    }),
    listIncidents: build.query<Incident[], IncidentView>({
      query: (view) => ({url: 'v1/incidents', params: given(view)}),
      transformResponse: (answer: {incidents: Incident[]}) => answer.incidents,
      providesTags: ['Incidents'],
    }),
    listServices: build.query<Service[], void>({
      query: () => 'v1/services',
      transformResponse: (answer: {services: Service[]}) => answer.services,
      providesTags: ['Services'],
    }),
    showService: build.query<Service, string>({
      query: (name) => `v1/services/${encodeURIComponent(name)}`,
      providesTags: ['Services'],
    }),
    listServiceEvents: build.query<ServiceEvent[], string>({
      query: (name) => `v1/services/${encodeURIComponent(name)}/events`,
      transformResponse: (answer: {events: ServiceEvent[]}) => answer.events.reverse(),
      providesTags: ['Services'],
    }),
    /** What services did by themselves, of the first `SERVICES_TOLD` of them, in no order. */
    listServiceActs: build.query<ServiceAct[], void>({
      queryFn: async (_none, _api, _options, fetch) => {
        const services = await fetch('v1/services');
        if (services.error) return {error: services.error};
        const names = (services.data as {services: Service[]}).services.slice(0, SERVICES_TOLD).map(({name}) => name);
        const answers = await Promise.all(names.map((name) =>
          fetch({url: `v1/services/${encodeURIComponent(name)}/events`, params: {limit: 1000}})));
        const failed = answers.find(({error}) => error);
        if (failed?.error) return {error: failed.error};
        return {data: answers.flatMap(({data}, index) => actsOf(names[index]!, (data as {events: ServiceEvent[]}).events))};
      },
    }),
    readServiceSpec: build.query<string, string>({
      query: (name) => ({url: `v1/services/${encodeURIComponent(name)}/spec`, responseHandler: (response) =>
        response.ok ? response.text() : response.json()}),
      providesTags: ['Services'],
    }),
    /** What happened to these jobs together, newest first. */
    eventsOfJobs: build.query<JobEvent[], readonly number[]>({
      queryFn: async (jobs, _api, _options, fetch) => {
        const answers = await Promise.all(jobs.map((job) => fetch({url: 'v1/events', params: {job, limit: 1000}})));
        const failed = answers.find(({error}) => error);
        if (failed?.error) return {error: failed.error};
        const events = answers.flatMap(({data}) => (data as EventPage).events);
        return {data: events.sort((a, b) => comparePositions(b.id, a.id))};
      },
      providesTags: (_result, _error, jobs) => jobs.map((id) => ({type: 'Job' as const, id})),
    }),
    listQueues: build.query<Queue[], void>({
      query: () => 'v1/queues',
      transformResponse: (answer: {queues: Queue[]}) => answer.queues,
      providesTags: ['Queues'],
    }),
    listDecisions: build.query<DecisionPage, {kind?: string; job?: number; cursor?: string; limit?: number}>({
      query: (view) => ({url: 'v1/decisions', params: given(view)}),
      providesTags: (_result, _error, {cursor}) => (cursor ? [] : ['Decisions']),
    }),
    listPolicies: build.query<Policies, void>({query: () => 'v1/policies', providesTags: ['Policy']}),
    showPolicy: build.query<Policy, void>({query: () => 'v1/policy', providesTags: ['Policy']}),
    setPolicy: build.mutation<Policy, string>({
      query: (body) => ({url: 'v1/policy', method: 'PUT', body, headers: yaml}),
      invalidatesTags: ['Policy'],
    }),
    listLabRuns: build.query<LabRun[], void>({
      query: () => 'v1/lab/runs',
      transformResponse: (answer: {runs: LabRun[]}) => answer.runs,
      providesTags: ['Lab'],
    }),
    listLabTraces: build.query<LabTraces, void>({query: () => 'v1/lab/traces'}),
    showLabRun: build.query<LabRunFull, number>({query: (id) => `v1/lab/runs/${id}`}),
    startLabRun: build.mutation<{id: number}, LabOrder>({
      query: (body) => ({url: 'v1/lab/runs', method: 'POST', body}),
      invalidatesTags: ['Lab'],
    }),
    deleteLabRun: build.mutation<unknown, number>({
      query: (id) => ({url: `v1/lab/runs/${id}`, method: 'DELETE'}),
      invalidatesTags: ['Lab'],
    }),
    readHealth: build.query<Health, void>({query: () => 'healthz', providesTags: ['Health']}),
    showServer: build.query<Server, void>({query: () => 'v1/server', providesTags: ['Health', 'Nodes', 'Policy']}),
    showHealing: build.query<Healing, void>({query: () => 'v1/healing', providesTags: ['Healing']}),
    resetHealing: build.mutation<Healing, void>({
      query: () => ({url: 'v1/healing', method: 'DELETE'}),
      invalidatesTags: ['Healing', 'Incidents'],
    }),
    /** Null where nothing can be broken: a simulated world. */
    showChaos: build.query<Chaos | null, void>({
      query: () => ({url: 'v1/chaos', validateStatus: ({ok, status}) => ok || status === 404}),
      transformResponse: (answer: Chaos, meta) => (meta?.response?.status === 404 ? null : answer),
      providesTags: ['Chaos'],
    }),
    turnChaos: build.mutation<Chaos, boolean>({
      query: (on) => ({url: 'v1/chaos', method: 'POST', body: {on, by: 'dashboard'}}),
      invalidatesTags: ['Chaos', 'Nodes', 'Overview', 'Incidents'],
    }),
    mendNode: build.mutation<Chaos, string>({
      query: (node) => ({url: `v1/nodes/${encodeURIComponent(node)}/faults`, method: 'DELETE'}),
      invalidatesTags: ['Chaos', 'Nodes', 'Overview', 'Incidents'],
    }),
    makeJoinToken: build.mutation<JoinToken, JoinTokenOrder>({
      query: (body) => ({url: 'v1/join-tokens', method: 'POST', body}),
      invalidatesTags: ['Health'],
    }),
    readOverview: build.query<Overview, void>({query: () => 'v1/overview', providesTags: ['Overview']}),
    readHistory: build.query<History, {window: '1h' | '24h' | '30d'}>({
      query: (params) => ({url: 'v1/history', params}),
      providesTags: ['History'],
    }),
  }),
});

/** Sets the page's clock by the server's, and says whether its world is simulated. */
export async function readClock(): Promise<Simulation | null> {
  const sent = performance.now();
  const answer = await fetch('/v1/clock', {headers: {Accept: 'application/json'}, cache: 'no-store'});
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  return takeClock((await answer.json()) as Clock, sent);
}

function takeClock({now, simulation}: Clock, sentMs: number): Simulation | null {
  const stands = simulation && (simulation.paused || simulation.over || simulation.seeking);
  setServerTime(now, sentMs, performance.now(), stands ? 0 : (simulation?.speed ?? 1), simulation !== null);
  return simulation;
}

/** Pauses a simulation, changes its speed, or goes to another time of it. */
export async function turnSimulation(turn: {speed?: number; paused?: boolean; seek_s?: number}): Promise<Simulation | null> {
  const sent = performance.now();
  const answer = await fetch('/v1/simulation', {
    method: 'POST', headers: {'Content-Type': 'application/json', Accept: 'application/json'}, body: JSON.stringify(turn),
  });
  if (!answer.ok) throw new Error(((await answer.json()) as Problem).detail);
  return takeClock((await answer.json()) as Clock, sent);
}

/** What went wrong, in one sentence; and the server's own words where it has some. */
export function errorText(error: unknown): string {
  if (typeof error === 'object' && error !== null) {
    if ('data' in error) {
      const problem = error.data as Partial<Problem> | undefined;
      if (problem?.detail) return problem.detail;
    }
    if ('status' in error) {
      const {status} = error;
      if (status === 'FETCH_ERROR') return 'the server does not answer';
      if (status === 'TIMEOUT_ERROR') return 'the server did not answer within 30 s';
      return `the server answers ${String(status)}`;
    }
    if ('message' in error) return String(error.message);
  }
  return 'something unexpected went wrong';
}

export function problemOf(error: unknown): Problem | null {
  if (typeof error === 'object' && error !== null && 'data' in error) {
    const data = error.data as Partial<Problem> | null;
    if (data && typeof data === 'object' && typeof data.detail === 'string') return data as Problem;
  }
  return null;
}

export const {
  useListJobsQuery, useGetJobQuery, useExplainJobQuery, useLookAheadQuery, useJobEventsQuery, useReadSpecQuery, useStopJobMutation,
  usePlanJobQuery, useSubmitJobMutation, useListNodesQuery, useListQueuesQuery, useListDecisionsQuery,
  useActOnNodeMutation, useLazyListDecisionsQuery, useReadOverviewQuery, useReadHistoryQuery,
  useShowUsageQuery, useShowCostsQuery, useListIncidentsQuery, useListGpusQuery, useReadGpuHistoryQuery,
  useListServicesQuery, useShowServiceQuery, useReadServiceSpecQuery, useListServiceEventsQuery, useListServiceActsQuery, useEventsOfJobsQuery,
  useReadHealthQuery, useShowServerQuery, useShowHealingQuery, useResetHealingMutation, useMakeJoinTokenMutation,
  useShowChaosQuery, useTurnChaosMutation, useMendNodeMutation,
  useListPoliciesQuery, useShowPolicyQuery, useSetPolicyMutation, useListLabRunsQuery, useListLabTracesQuery, useShowLabRunQuery, useStartLabRunMutation, useDeleteLabRunMutation,
} = api;
