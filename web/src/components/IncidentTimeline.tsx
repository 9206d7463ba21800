/** Incidents over time: one lane a symptom, one bar from detection to the end. The list beside it says the same in words. */
import {scaleTime} from 'd3-scale';

import type {Incident} from '../api/api';
import {axisTime} from '../lib/clock';
import {count, words} from '../lib/format';
import {isOpen} from '../lib/healing';
import {useWidth} from '../lib/width';

const LANE_PX = 24;
const PAD = {left: 18, right: 18, bottom: 22};
const BAR_MIN_PX = 4;
const BAR_TOP_PX = 14; // below the lane's name

export function IncidentTimeline({incidents, fromMs, toMs}: {
  incidents: readonly Incident[];
  fromMs: number;
  toMs: number;
}) {
  const [box, width] = useWidth();
  const lanes = [...new Set(incidents.map((one) => one.symptom))].sort();
  const height = lanes.length * LANE_PX + PAD.bottom;
  const x = scaleTime().domain([fromMs, Math.max(toMs, fromMs + 1000)]).range([PAD.left, width - PAD.right]).clamp(true);
  return (
    <figure className="chart incident-timeline">
      <div ref={box} role="img" aria-label={`${count(incidents.length, 'incident')} over time; the list has each of them.`}>
        <svg width={width} height={height} aria-hidden="true">
          {x.ticks(Math.max(2, Math.floor(width / 130))).map((tick) => (
            <g key={+tick} className="grid">
              <line x1={x(tick)} x2={x(tick)} y1={0} y2={height - PAD.bottom} />
              <text x={x(tick)} y={height - 6} textAnchor="middle">{axisTime(+tick, toMs - fromMs)}</text>
            </g>
          ))}
          {lanes.map((symptom, lane) => (
            <g key={symptom} transform={`translate(0 ${lane * LANE_PX})`}>
              <text x={0} y={10}>{words(symptom)}</text>
              {incidents.filter((one) => one.symptom === symptom).map((one) => {
                const from = x(Date.parse(one.detected_at));
                const to = isOpen(one) ? x(toMs) : x(Date.parse(one.closed_at ?? one.detected_at));
                const left = Math.min(from, width - PAD.right - BAR_MIN_PX);
                return <rect key={one.id} className={one.outcome} x={left} y={BAR_TOP_PX} height={7} rx={2}
                  width={Math.max(BAR_MIN_PX, to - left)} />;
              })}
            </g>
          ))}
        </svg>
      </div>
      <figcaption className="legend">
        <span><i className="outcome recovered" /> recovered</span>
        <span><i className="outcome open" /> open</span>
        <span><i className="outcome held" /> held</span>
        <span><i className="outcome noted" /> noted, undone or ended</span>
      </figcaption>
    </figure>
  );
}
