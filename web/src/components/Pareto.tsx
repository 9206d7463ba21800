/** Who wastes what: a bar for each, the most first, and a line of what they make together. */
import type {Waste} from '../lib/waste';
import {gpuHours} from '../lib/format';
import {useWidth} from '../lib/width';
import {JobLink, Name} from './Bits';

const HEIGHT = 150;
const BAR_MAX = 90;
const GAP = 6;
const TOP = 12;

export function Pareto({parts}: {parts: readonly Waste[]}) {
  const [box, width] = useWidth();
  const most = Math.max(...parts.map((one) => one.gpuSeconds));
  const slot = width / parts.length;
  const bar = Math.max(1, Math.min(BAR_MAX, slot - GAP));
  const y = (part: number) => TOP + (1 - part) * (HEIGHT - TOP);
  const hours = (one: Waste) => gpuHours(one.gpuSeconds);
  const line = parts.map((one, index) => `${(index + 0.5) * slot},${y(one.upTo)}`).join(' ');
  return (
    <figure className="chart pareto">
      <div ref={box}>
        <svg width={width} height={HEIGHT} aria-hidden="true">
          {parts.map((one, index) => (
            <rect key={index} x={(index + 0.5) * slot - bar / 2} width={bar} y={y(one.gpuSeconds / most)}
              height={HEIGHT - y(one.gpuSeconds / most)} rx={2} />
          ))}
          <polyline points={line} />
          {parts.map((one, index) => <circle key={index} cx={(index + 0.5) * slot} cy={y(one.upTo)} r={3} />)}
        </svg>
      </div>
      <ol style={{gridTemplateColumns: `repeat(${parts.length}, 1fr)`}}>
        {parts.map((one, index) => (
          <li key={index}>
            {one.job === null ? <Name>{one.name}</Name> : <JobLink id={one.job} name={one.name} />}
            <small>{hours(one)} GPU hours, {Math.round(100 * one.upTo)} % up to here</small>
          </li>
        ))}
      </ol>
    </figure>
  );
}
