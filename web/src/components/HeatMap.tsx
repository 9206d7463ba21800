/** The fleet at a glance: one cell a node, darker the more of its GPUs is given out. Ten thousand nodes are drawn on a
 *  canvas; arrow keys walk through them. */
import {useEffect, useMemo, useRef, useState} from 'react';
import {useNavigate} from 'react-router';

import type {Node} from '../api/api';
import {number, percent} from '../lib/format';

const LEVELS = 5;

/** 0: nothing given out, LEVELS - 1: all; -1: down. */
export function level(node: Pick<Node, 'gpus' | 'gpus_free'> & {state: string}): number {
  if (node.state === 'down') return -1;
  if (node.gpus === 0) return 0;
  const used = (node.gpus - node.gpus_free) / node.gpus;
  return used <= 0 ? 0 : used >= 1 ? LEVELS - 1 : 1 + Math.min(LEVELS - 3, Math.floor(used * (LEVELS - 2)));
}

function sizeOf(count: number): number {
  return count > 4000 ? 10 : count > 800 ? 14 : count > 100 ? 20 : 34;
}

export function HeatMap({nodes}: {nodes: readonly Node[]}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [at, setAt] = useState<number | null>(null);
  const [theme, setTheme] = useState(0);
  const navigate = useNavigate();
  const cell = sizeOf(nodes.length);
  const columns = Math.max(1, Math.floor(width / cell));
  const rows = Math.ceil(nodes.length / columns);

  useEffect(() => {
    const element = box.current!;
    const watcher = new ResizeObserver(() => setWidth(element.clientWidth));
    watcher.observe(element);
    const repaint = () => setTheme((n) => n + 1);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', repaint);
    const attribute = new MutationObserver(repaint);
    attribute.observe(document.documentElement, {attributeFilter: ['data-theme']});
    return () => {
      watcher.disconnect();
      scheme.removeEventListener('change', repaint);
      attribute.disconnect();
    };
  }, []);

  const levels = useMemo(() => nodes.map((node) => ({heat: level(node), closed: node.state !== 'up'})), [nodes]);
  useEffect(() => {
    const element = canvas.current;
    const pen = element?.getContext('2d');
    if (!element || !pen || width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    element.width = columns * cell * ratio;
    element.height = rows * cell * ratio;
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const heat = Array.from({length: LEVELS}, (_, n) => colour(`--heat${n}`));
    const bad = colour('--red');
    const amber = colour('--amber');
    const ground = colour('--ground');
    levels.forEach(({heat: one, closed}, index) => {
      const x = (index % columns) * cell;
      const y = Math.floor(index / columns) * cell;
      const side = cell - 2;
      pen.fillStyle = one < 0 ? ground : heat[one]!;
      pen.fillRect(x, y, side, side);
      if (one < 0) {
        pen.strokeStyle = bad;
        pen.lineWidth = 1.5;
        pen.beginPath();
        pen.rect(x + 0.75, y + 0.75, side - 1.5, side - 1.5);
        pen.moveTo(x, y);
        pen.lineTo(x + side, y + side);
        pen.moveTo(x + side, y);
        pen.lineTo(x, y + side);
        pen.stroke();
      }
      if (one >= 0 && closed) {
        pen.strokeStyle = amber;
        pen.lineWidth = 2;
        pen.strokeRect(x + 1, y + 1, side - 2, side - 2);
      }
    });
  }, [levels, width, columns, rows, cell, theme]);

  const find = (event: React.PointerEvent | React.MouseEvent): number | null => {
    const place = canvas.current!.getBoundingClientRect();
    const column = Math.floor((event.clientX - place.left) / cell);
    const index = Math.floor((event.clientY - place.top) / cell) * columns + column;
    return column < columns && index >= 0 && index < nodes.length ? index : null;
  };
  const open = (index: number | null) => {
    const node = index === null ? undefined : nodes[index];
    if (node) navigate(`/nodes/${encodeURIComponent(node.name)}`);
  };
  const onKey = (event: React.KeyboardEvent) => {
    const by = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[event.key];
    if (event.key === 'Enter') return open(at);
    if (by === undefined) return;
    event.preventDefault();
    setAt((now) => Math.min(nodes.length - 1, Math.max(0, now === null ? 0 : now + by)));
  };
  const shown = at === null ? undefined : nodes[at];
  const text = shown
    ? `${shown.name}: ${shown.state}, ${number(shown.gpus - shown.gpus_free)} of ${shown.gpus} GPUs given out (${
      percent(shown.gpus - shown.gpus_free, shown.gpus)})`
    : '';
  return (
    <div className="heatmap">
      <div ref={box} role="application" tabIndex={0} onKeyDown={onKey} onFocus={() => setAt((now) => now ?? 0)}
        onBlur={() => setAt(null)}
        aria-label={`Map of ${number(nodes.length)} nodes; arrow keys walk, Enter opens. ${text}`}>
        <canvas ref={canvas} style={{width: columns * cell, height: rows * cell}} aria-hidden="true"
          onPointerMove={(event) => setAt(find(event))} onPointerLeave={() => setAt(null)}
          onClick={(event) => open(find(event))} />
        {at !== null && at < nodes.length && (
          <i className="at" style={{left: (at % columns) * cell, top: Math.floor(at / columns) * cell, width: cell - 2, height: cell - 2}} />
        )}
      </div>
      <div className="legend">
        <span>free</span>
        {Array.from({length: LEVELS}, (_, n) => <i key={n} className={`heat${n}`} />)}
        <span>all GPUs given out</span>
        <i className="closed" /> <span>takes nothing new</span>
        <i className="down" /> <span>down</span>
        <span className="grow" />
        <output aria-live="polite">{text || 'one cell is one node'}</output>
      </div>
    </div>
  );
}
