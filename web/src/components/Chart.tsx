/** Lines over time, drawn as SVG. Values are read by pointer, by arrow keys, or as a table. */
import {scaleLinear, scaleTime} from 'd3-scale';
import {area, line} from 'd3-shape';
import {useId, useState} from 'react';

import {axisTime, worldTime} from '../lib/clock';
import {number} from '../lib/format';
import {useWidth} from '../lib/width';

export interface Line {
  label: string;
  colour: string; // a CSS colour
  values: readonly (number | null)[];
  filled?: boolean;
}

interface Props {
  label: string;
  unit: string;
  beginsMs: number;
  stepMs: number;
  lines: readonly Line[];
  max?: number; // the axis goes to it at least
}

const HEIGHT = 190;
const PAD = {left: 44, right: 20, top: 10, bottom: 24};

export function Chart({label, unit, beginsMs, stepMs, lines, max = 0}: Props) {
  const [box, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const clip = useId();
  const steps = lines[0]?.values.length ?? 0;
  const top = Math.max(max, 1, ...lines.flatMap((one) => one.values.map((v) => v ?? 0)));
  const x = scaleTime()
    .domain([beginsMs, beginsMs + Math.max(1, steps - 1) * stepMs])
    .range([PAD.left, width - PAD.right]);
  const y = scaleLinear().domain([0, top]).nice(4).range([HEIGHT - PAD.bottom, PAD.top]);
  const timeOf = (index: number) => beginsMs + index * stepMs;
  const timeText = (time: Date) => axisTime(+time, steps * stepMs);
  const inside = at !== null && at < steps ? at : null;

  const move = (clientX: number) => {
    const left = box.current?.getBoundingClientRect().left ?? 0;
    const index = Math.round((x.invert(clientX - left).getTime() - beginsMs) / stepMs);
    setAt(Math.min(steps - 1, Math.max(0, index)));
  };
  const onKey = (event: React.KeyboardEvent) => {
    const by = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10}[event.key];
    if (by === undefined || steps === 0) return;
    event.preventDefault();
    setAt((now) => Math.min(steps - 1, Math.max(0, (now ?? steps - 1) + by)));
  };
  const readout = inside === null ? '' : `${worldTime(new Date(timeOf(inside)).toISOString(), timeOf(inside))}: ` +
    lines.map((one) => `${one.label} ${one.values[inside] == null ? 'unknown' : number(one.values[inside])}`).join(', ');

  return (
    <figure className="chart">
      <div ref={box} tabIndex={0} role="img" aria-label={`${label}. ${readout || 'Arrow keys read values.'}`}
        onKeyDown={onKey} onBlur={() => setAt(null)} onPointerMove={(event) => move(event.clientX)}
        onPointerLeave={() => setAt(null)}>
        <svg width={width} height={HEIGHT} aria-hidden="true">
          <clipPath id={clip}>
            <rect x={PAD.left} y={0} width={Math.max(0, width - PAD.left - PAD.right)} height={HEIGHT} />
          </clipPath>
          {y.ticks(4).filter((tick) => top > 4 || Number.isInteger(tick)).map((tick) => (
            <g key={tick} transform={`translate(0 ${y(tick)})`} className="grid">
              <line x1={PAD.left} x2={width - PAD.right} />
              <text x={PAD.left - 6} dy="0.32em" textAnchor="end">{number(tick)}</text>
            </g>
          ))}
          {x.ticks(Math.max(2, Math.floor(width / 110))).map((tick) => (
            <text key={+tick} className="axis" x={x(tick)} y={HEIGHT - 6} textAnchor="middle">{timeText(tick)}</text>
          ))}
          <g clipPath={`url(#${clip})`}>
            {lines.map((one, index) => (
              <Shape key={one.label} one={one} dashes={DASHES[index % DASHES.length]!} x={(index) => x(timeOf(index))} y={(value) => y(value)}
                floor={y(0)} />
            ))}
          </g>
          {inside !== null && <line className="cursor" x1={x(timeOf(inside))} x2={x(timeOf(inside))} y1={PAD.top}
            y2={HEIGHT - PAD.bottom} />}
        </svg>
      </div>
      <figcaption>
        {lines.map((one, index) => (
          <span key={one.label}>
            <svg width="18" height="8" aria-hidden="true">
              <line x1="0" x2="18" y1="4" y2="4" stroke={one.colour} strokeWidth="3"
                strokeDasharray={DASHES[index % DASHES.length]} />
            </svg>
            {one.label}
          </span>
        ))}
        <span className="grow" />
        <output>{readout || unit}</output>
      </figcaption>
    </figure>
  );
}

// Lines differ by more than their colour.
const DASHES = ['none', '6 3', '2 3', '8 3 2 3'];

function Shape({one, dashes, x, y, floor}: {
  one: Line;
  dashes: string;
  x: (index: number) => number;
  y: (value: number) => number;
  floor: number;
}) {
  const known = (value: number | null) => value !== null;
  const points = [...one.values];
  const path = line<number | null>().defined(known).x((_, index) => x(index)).y((value) => y(value ?? 0));
  const fill = area<number | null>().defined(known).x((_, index) => x(index)).y0(floor).y1((value) => y(value ?? 0));
  return (
    <g stroke={one.colour} fill={one.colour}>
      {one.filled && <path d={fill(points) ?? ''} stroke="none" fillOpacity={0.18} />}
      <path d={path(points) ?? ''} fill="none" strokeWidth={2} strokeLinejoin="round" strokeDasharray={dashes} />
    </g>
  );
}
