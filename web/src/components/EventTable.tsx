/** Changes of jobs' states, in the order given; a column of one's own beside the time. */
import type {ReactNode} from 'react';

import type {JobEvent} from '../api/api';
import {useNow, worldTime} from '../lib/clock';
import {words} from '../lib/format';
import {StateMark} from './Bits';

export function EventTable({caption, events, heading, cell}: {
  caption: string;
  events: readonly JobEvent[];
  heading: string;
  cell: (event: JobEvent) => ReactNode;
}) {
  const now = useNow();
  return (
    <div className="wide-table" tabIndex={0} role="region" aria-label="Table of events">
      <table>
        <caption className="hidden">{caption}</caption>
        <thead><tr><th scope="col">When</th><th scope="col">{heading}</th><th scope="col">Became</th>
          <th scope="col" className="number">Attempt</th><th scope="col">Why</th></tr></thead>
        <tbody>{events.map((event) => (
          <tr key={event.id} data-event={event.id}>
            <td><time dateTime={event.at} title={event.at}>{worldTime(event.at, now)}</time></td>
            <td>{cell(event)}</td>
            <td><StateMark state={event.to} /></td>
            <td className="number">{event.attempt}</td>
            <td>{event.detail || (event.reason ? words(event.reason) : '–')}</td>
          </tr>
        ))}</tbody>
      </table>
    </div>
  );
}
