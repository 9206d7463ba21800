/** Over a simulated world: what time it is there, and buttons that turn it. */
import {useEffect, useState} from 'react';

import {api, errorText, turnSimulation} from '../api/api';
import {played} from '../api/live';
import {isPlayedTime, useNow} from '../lib/clock';
import {duration} from '../lib/format';
import {useAppDispatch, useAppSelector} from '../store';

const SPEEDS = [1, 10, 60, 600, 3600, 36_000];

export function PlayBar() {
  const simulation = useAppSelector(({link}) => link.simulation);
  const dispatch = useAppDispatch();
  const now = useNow();
  const [drag, setDrag] = useState<number | null>(null);
  const [error, setError] = useState('');
  const [furthest, setFurthest] = useState(0);
  const nowS = isPlayedTime() ? Math.floor(now / 1000) : 0;
  useEffect(() => setFurthest((old) => Math.max(old, nowS)), [nowS]);
  if (!simulation) return null;
  const endS = Math.max(1, Math.ceil(Date.parse(simulation.last_arrival_at) / 1000), furthest);
  const turn = async (change: Parameters<typeof turnSimulation>[0]) => {
    try {
      dispatch(played(await turnSimulation(change)));
      setError('');
      if (change.seek_s !== undefined) {
        dispatch(api.util.invalidateTags(['Jobs', 'Job', 'Nodes', 'Queues', 'Overview', 'History', 'Decisions']));
      }
    } catch (problem) {
      setError(errorText(problem));
    }
    setDrag(null);
  };
  const speeds = SPEEDS.includes(simulation.speed) ? SPEEDS : [...SPEEDS, simulation.speed].sort((a, b) => a - b);
  const shownS = drag ?? Math.min(nowS, endS);
  const state = simulation.seeking ? 'seeking' : simulation.over ? 'over' : simulation.paused ? 'paused' : 'playing';
  return (
    <div className="play" role="region" aria-label="Simulation">
      <strong>Simulation</strong>
      <button onClick={() => void turn({paused: !simulation.paused})} disabled={simulation.over}>
        {simulation.paused ? '▶ Play' : '❚❚ Pause'}
      </button>
      <label>
        <span className="hidden">Speed</span>
        <select value={simulation.speed} onChange={(event) => void turn({speed: Number(event.target.value)})}>
          {speeds.map((speed) => <option key={speed} value={speed}>{speed.toLocaleString('en-US')} ×</option>)}
        </select>
      </label>
      <input type="range" min={0} max={endS} step={1} value={shownS} aria-label="Time of the simulation"
        aria-valuetext={duration(shownS * 1000)}
        onChange={(event) => setDrag(Number(event.target.value))}
        onPointerUp={() => { if (drag !== null) void turn({seek_s: drag}); }}
        onKeyUp={() => { if (drag !== null) void turn({seek_s: drag}); }} />
      <output data-testid="play-time">{duration(shownS * 1000)}</output>
      <span className="quiet" data-testid="play-state">{state}</span>
      {error && <span role="alert" className="bad">{error}</span>}
    </div>
  );
}
