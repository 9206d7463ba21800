import {useState} from 'react';

import {useShowCostsQuery, type Costs} from '../api/api';
import {Choice, JobLink, Name, Panel, Tile} from '../components/Bits';
import {Prices} from '../components/Prices';
import {Empty, Shown} from '../components/States';
import {useNow, worldTime} from '../lib/clock';
import {gpuHours, money, number, percent} from '../lib/format';
import {useTitle} from '../lib/title';

const BY = ['tenant', 'queue', 'job'] as const;
const WINDOWS = ['1h', '24h', '7d', '30d'] as const;
const SHOWN_MAX = 200;
const READ_EVERY_MS = 10_000;

export default function CostsPage() {
  useTitle('Costs');
  const [by, setBy] = useState<(typeof BY)[number]>('tenant');
  const [window, setWindow] = useState<(typeof WINDOWS)[number]>('24h');
  const costs = useShowCostsQuery({by, window, limit: SHOWN_MAX}, {pollingInterval: READ_EVERY_MS});
  return (
    <>
      <div className="bar">
        <h1>Costs</h1>
        <span className="quiet">of what jobs held in the last</span>
        <Choice label="How far back" options={WINDOWS} chosen={window} choose={setWindow} />
      </div>
      <Shown query={{...costs, data: costs.currentData}} what="costs">
        {(data) => data.prices === null && data.lines.length === 0 ? (
          <Empty>No price is given, so nothing is charged. A file of prices changes that: <code>gyre up --prices prices.yaml</code></Empty>
        ) : <Bill costs={data} by={by} setBy={setBy} />}
      </Shown>
    </>
  );
}

function Bill({costs, by, setBy}: {costs: Costs; by: (typeof BY)[number]; setBy: (by: (typeof BY)[number]) => void}) {
  const now = useNow();
  return (
    <>
      <div className="tiles">
        <Tile value={money(costs.total.micro_usd)} label="charged">
          <small>for {gpuHours(costs.total.gpu_seconds)} GPU-hours since {worldTime(costs.since, now)}</small>
        </Tile>
        {costs.hour_micro_usd !== null && (
          <Tile value={money(costs.hour_micro_usd)} unit="an hour" label="for what is held just now" />
        )}
      </div>
      <Panel title="Who spent it" aside={
        <Choice label="Told apart by" options={BY} chosen={by} choose={setBy} show={(one) => `by ${one}`} />
      }>
        {costs.lines.length === 0 ? <Empty>Nothing was held in this time.</Empty> : <Lines costs={costs} by={by} />}
        {costs.lines_total > costs.lines.length && (
          <p className="foot">The dearest {number(costs.lines.length)} of {number(costs.lines_total)}.</p>
        )}
        {costs.forgotten_before && (
          <p className="foot">What was held before {worldTime(costs.forgotten_before, now)} is not known any more.</p>
        )}
      </Panel>
      {costs.prices && <Prices prices={costs.prices} />}
    </>
  );
}

function Lines({costs, by}: {costs: Costs; by: (typeof BY)[number]}) {
  return (
    <div className="wide-table" tabIndex={0} role="region" aria-label="Table of costs">
      <table>
        <caption className="hidden">Costs by {by}</caption>
        <thead><tr><th scope="col">{by === 'job' ? 'Job' : by === 'queue' ? 'Queue' : 'Tenant'}</th>
          <th scope="col" className="number">GPU-hours</th><th scope="col" className="number">Cost</th>
          <th scope="col" className="number">Share</th></tr></thead>
        <tbody>{costs.lines.map((line) => (
          <tr key={`${line.job} ${line.name}`}>
            <th scope="row">{line.job !== null ? <JobLink id={line.job} name={line.name} />
              : line.name ? <Name>{line.name}</Name>
                : <span className="quiet">{by === 'job' ? 'older jobs, not told apart' : 'none named'}</span>}</th>
            <td className="number">{gpuHours(line.gpu_seconds)}</td>
            <td className="number">{money(line.micro_usd)}</td>
            <td className="number">{percent(line.micro_usd, costs.total.micro_usd)}</td>
          </tr>
        ))}</tbody>
      </table>
    </div>
  );
}
