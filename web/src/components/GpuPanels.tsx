/** What the GPUs of a node do now, and did over the last hour, day or month. */
import {useState} from 'react';

import {useListGpusQuery, useReadGpuHistoryQuery, useShowUsageQuery, type Gpu, type GpuHistory, type Node} from '../api/api';
import {gpuVerdict} from '../lib/gpuVerdict';
import {duration, memory, number, words} from '../lib/format';
import {COLOURS, endOfKnown, knownFrom, partOf} from '../lib/history';
import {Choice, JobLink, Panel, StateMark} from './Bits';
import {Chart} from './Chart';
import {Empty, Shown} from './States';

const WINDOWS = ['1h', '24h', '30d'] as const;
const SETTLE = '10m'; // before that no job is judged, as on the page of efficiency

export function GpuPanels({node}: {node: Node}) {
  const gpus = useListGpusQuery(node.name);
  return (
    <>
      <Panel title="Its GPUs now">
        <Shown query={{...gpus, data: gpus.currentData}} what="its GPUs">
          {({probed, gpus: list}) => (probed ? <Now gpus={list} /> : (
            <Empty>
              {node.virtual_gpus ? 'Its GPUs are declared: there is no device that could be read.'
                : 'Nobody has told of its GPUs: gyre doctor there says whether a driver can be asked.'}
            </Empty>
          ))}
        </Shown>
      </Panel>
      {gpus.currentData?.probed && <GpusOverTime title="Its GPUs over time" node={node.name} />}
    </>
  );
}

const reading = (value: number | null, show: (value: number) => string) => (value === null ? '–' : show(value));
const percentOf = (ppm: number) => `${number(Math.round(ppm / 1000) / 10)} %`;

function Now({gpus}: {gpus: readonly Gpu[]}) {
  const usage = useShowUsageQuery({settle: SETTLE});
  const jobs = new Map(usage.data?.jobs.map((one) => [one.job, one]));
  return (
    <div className="wide-table" tabIndex={0} role="region" aria-label="Table of GPUs">
      <table>
        <caption className="hidden">GPUs and their readings</caption>
        <thead><tr>
          <th scope="col">GPU</th><th scope="col">Health</th><th scope="col">Use</th><th scope="col" className="number">Active</th>
          <th scope="col" className="number">Memory</th><th scope="col" className="number">Power</th>
          <th scope="col" className="number">Temperature</th><th scope="col">Slowed by</th><th scope="col">Jobs</th>
        </tr></thead>
        <tbody>{gpus.map((gpu) => (
          <tr key={gpu.device}>
            <th scope="row">{gpu.device} <small>{gpu.product}</small></th>
            <td><StateMark state={gpu.health} />{gpu.xids > 0 && <small> Xid {gpu.last_xid}</small>}</td>
            <td><Verdict {...gpuVerdict(gpu, jobs)} /></td>
            <td className="number">{gpu.sm_active_ppm === null ? reading(gpu.utilisation_percent, (value) => `${value} %`)
              : percentOf(gpu.sm_active_ppm)}{gpu.sm_active_ppm === null && gpu.utilisation_percent !== null && <small> by the driver</small>}</td>
            <td className="number">{reading(gpu.memory_used_mib, memory)}
              {gpu.memory_used_mib !== null && gpu.memory_free_mib !== null && ` of ${memory(gpu.memory_used_mib + gpu.memory_free_mib)}`}</td>
            <td className="number">{reading(gpu.power_mw, (value) => `${number(Math.round(value / 1000))} W`)}
              {gpu.power_limit_mw !== null && ` of ${number(gpu.power_limit_mw / 1000)} W`}</td>
            <td className="number">{reading(gpu.temperature_celsius, (value) => `${value} °C`)}</td>
            <td>{gpu.throttle_reasons.map(words).join(', ') || '–'}</td>
            <td>{gpu.tasks.length === 0 ? '–' : gpu.tasks.map((task, index) => (
              <span key={`${task.job} ${task.rank}`}>{index > 0 && ', '}<JobLink id={task.job} /></span>
            ))}</td>
          </tr>
        ))}</tbody>
      </table>
    </div>
  );
}

function Verdict({state, like, why}: ReturnType<typeof gpuVerdict>) {
  return <><StateMark state={state} like={like} />{why && <> <small>{why}</small></>}</>;
}

/** What the GPUs of a node did; only `devices` of them, and only since `since`, where these are given. */
export function GpusOverTime({title, node, devices, since}: {
  title: string;
  node: string;
  devices?: readonly number[];
  since?: string | null;
}) {
  const [window, setWindow] = useState<(typeof WINDOWS)[number]>('1h');
  const history = useReadGpuHistoryQuery({node, window});
  return (
    <Panel title={title} aside={
      <Choice label="How far back" options={WINDOWS} chosen={window} choose={setWindow} />
    }>
      <Shown query={{...history, data: history.currentData}} what="what its GPUs did">
        {(data) => {
          const shown = partOf(data, devices, since);
          return shown.gpus && shown.gpus.length > 0 ? <Charts history={shown} />
            : <Empty>Nothing has been read: declared GPUs have no device, or nobody has told of them.</Empty>;
        }}
      </Shown>
    </Panel>
  );
}

type Series = NonNullable<GpuHistory['gpus']>[number];

function Charts({history}: {history: GpuHistory}) {
  const gpus = history.gpus ?? [];
  const stepS = history.step_s ?? 1;
  const known = gpus.map((gpu) => gpu.temperature_celsius.map((value, index) =>
    value ?? gpu.utilisation_percent[index] ?? gpu.memory_used_mib[index] ?? null));
  const from = Math.min(...known.map(knownFrom));
  const to = endOfKnown(known);
  const shared = {beginsMs: Date.parse(history.begins_at ?? '') + from * stepS * 1000, stepMs: stepS * 1000};
  const lines = (pick: (gpu: Series, index: number) => number | null) => gpus.map((gpu, place) => ({
    label: `GPU ${gpu.device}`, colour: COLOURS[place % COLOURS.length]!, filled: gpus.length === 1,
    values: gpu.power_mw.map((_, index) => pick(gpu, index)).slice(from, to),
  }));
  const scaled = (value: number | null | undefined, by: number) => (value == null ? null : value / by);
  const unit = (what: string) => `${what}, mean of ${duration(stepS * 1000)}`;
  return (
    <div className="columns">
      <Chart {...shared} label="Activity of each GPU" unit={unit('% active')} max={100}
        lines={lines((gpu, index) => scaled(gpu.sm_active_ppm[index], 10_000) ?? gpu.utilisation_percent[index] ?? null)} />
      <Chart {...shared} label="Memory used on each GPU" unit={unit('GiB used')}
        lines={lines((gpu, index) => scaled(gpu.memory_used_mib[index], 1024))} />
      <Chart {...shared} label="Power of each GPU" unit={unit('W')} lines={lines((gpu, index) => scaled(gpu.power_mw[index], 1000))} />
      <Chart {...shared} label="Temperature of each GPU" unit={unit('°C')}
        lines={lines((gpu, index) => gpu.temperature_celsius[index] ?? null)} />
    </div>
  );
}
