import type {Costs} from '../api/api';
import {useNow, worldTime} from '../lib/clock';
import {money} from '../lib/format';
import {Name, Panel} from './Bits';

/** What an hour of each thing costs. */
export function Prices({prices}: {prices: NonNullable<Costs['prices']>}) {
  const now = useNow();
  const rows = [
    ...prices.models.map(({model, gpu_hour_micro_usd}) => ({name: model, what: 'a GPU', amount: gpu_hour_micro_usd})),
    {name: prices.models.length > 0 ? 'any other model' : 'any model', what: 'a GPU', amount: prices.gpu_hour_micro_usd},
    ...(prices.cpu_hour_micro_usd > 0 ? [{name: '', what: 'a CPU core', amount: prices.cpu_hour_micro_usd}] : []),
    ...(prices.memory_hour_micro_usd > 0 ? [{name: '', what: 'a GiB of memory', amount: prices.memory_hour_micro_usd}] : []),
  ];
  return (
    <Panel title="Prices">
      <table>
        <caption className="hidden">Prices in force</caption>
        <thead><tr><th scope="col">Of</th><th scope="col">Model</th><th scope="col" className="number">An hour</th></tr></thead>
        <tbody>{rows.map(({name, what, amount}) => (
          <tr key={what + name}><td>{what}</td><td>{name ? <Name>{name}</Name> : '–'}</td><td className="number">{money(amount)}</td></tr>
        ))}</tbody>
      </table>
      <p className="foot">In force since {worldTime(prices.since, now)}. A change counts only from then on.</p>
    </Panel>
  );
}
