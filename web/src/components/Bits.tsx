/** The small parts that every page uses. */
import type {ReactNode} from 'react';
import {Link} from 'react-router';

import type {JobState} from '../api/api';
import {percent} from '../lib/format';

const MARKS: Record<string, string> = {
  queued: '◷', starting: '◔', running: '▶', preempting: '⇤', stopping: '■',
  succeeded: '✓', failed: '✕', cancelled: '⊘', up: '●', down: '✕', cordoned: '◐', draining: '⇣', silent: '?', quarantined: '✚', unsure: '?',
  good: '✓', low: '◔', idle: '✕', unknown: '?', 'in use': '▶', 'held but idle': '✕', free: '○',
  ok: '✓', lost: '✕', ready: '✓', updating: '⇄', short: '◔', resting: '◐', frozen: '❄', 'not ready': '✕',
  open: '◔', held: '‖', recovered: '✓', undone: '↶', ended: '⊘', noted: '·',
  slow: '◔', full: '✕', away: '?', starved: '◷', valid: '✓', over: '✕', 'ends soon': '◔',
  live: '●', 'at hand': '○', connected: '●', lasts: '◔', refused: '⊘', allowed: '◔', off: '⊘',
};

/** A state by word, mark and colour; the colour of another state where that is given. */
export function StateMark({state, like = state}: {state: JobState | string; like?: string}) {
  return (
    <span className={`state ${like.replaceAll(' ', '-')}`}>
      <span aria-hidden="true">{MARKS[state] ?? '·'}</span> {state}
    </span>
  );
}

/** Text that others chose: kept apart from the direction of what surrounds it. */
export function Name({children}: {children: string}) {
  return <bdi className="name">{children}</bdi>;
}

export function JobLink({id, name}: {id: number; name?: string}) {
  return (
    <Link to={`/jobs/${id}`}>
      {name ? <Name>{name}</Name> : `job ${id}`}
    </Link>
  );
}

export function NodeLink({name}: {name: string}) {
  return (
    <Link to={`/nodes/${encodeURIComponent(name)}`}>
      <Name>{name}</Name>
    </Link>
  );
}

export function Panel({title, aside, children, className}: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={`panel ${className ?? ''}`} aria-label={title}>
      <div className="panel-head">
        <h2>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** How much of something is in use, as a bar and in words. */
export function Meter({label, used, all, show}: {
  label: string;
  used: number;
  all: number;
  show: (value: number) => string;
}) {
  return (
    <div className="meter">
      <span>{label}</span>
      <span className="meter-text">
        {show(used)} of {show(all)} ({percent(used, all)})
      </span>
      <meter min={0} max={all || 1} value={used} aria-label={label}>{percent(used, all)}</meter>
    </div>
  );
}

/** Buttons of which any number is pressed. */
export function Chips({label, options, chosen, toggle}: {
  label: string;
  options: readonly {value: string; label: string}[];
  chosen: readonly string[];
  toggle: (value: string) => void;
}) {
  return (
    <div className="chips" role="group" aria-label={label}>
      {options.map((option) => (
        <button key={option.value} type="button" aria-pressed={chosen.includes(option.value)}
          onClick={() => toggle(option.value)}>
          {option.label}
        </button>
      ))}
    </div>
  );
}

/** Buttons of which one is pressed. */
export function Choice<Value extends string>({label, options, chosen, choose, show = (value) => value}: {
  label: string;
  options: readonly Value[];
  chosen: Value;
  choose: (value: Value) => void;
  show?: (value: Value) => string;
}) {
  return (
    <div className="chips" role="group" aria-label={label}>
      {options.map((value) => (
        <button key={value} type="button" aria-pressed={value === chosen} onClick={() => choose(value)}>{show(value)}</button>
      ))}
    </div>
  );
}

/** Looks for things of one kind by name; shown where there are many. */
export function SearchBar({thing, value, change}: {thing: string; value: string; change: (value: string) => void}) {
  return (
    <div className="bar">
      <input type="search" placeholder={thing} aria-label={`Search ${thing}s`} value={value}
        onChange={(event) => change(event.target.value)} />
    </div>
  );
}

export function Tile({value, unit, label, children}: {
  value: string;
  unit?: string;
  label: string;
  children?: ReactNode;
}) {
  return (
    <div className="tile">
      <div className="tile-label">{label}</div>
      <div className="tile-value">
        {value} {unit && <small>{unit}</small>}
      </div>
      {children}
    </div>
  );
}

/** One line of a list of facts. */
export function Fact({name, children}: {name: string; children: ReactNode}) {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}
