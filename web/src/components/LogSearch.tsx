/** The lines of a whole log that have a text, as the server finds them. */
import {useEffect, useState} from 'react';

import {bytes, count, number} from '../lib/format';
import {printable} from '../lib/log';
import {NOTHING_FOUND, searchLog, type LogName, type Search} from '../lib/logReading';

const FOUND_MAX = 200;

export function LogSearch({name, text, at, go, close}: {
  name: LogName;
  text: string;
  at: number | null; // the line that is shown
  go: (offset: number) => void;
  close: () => void;
}) {
  const [search, setSearch] = useState<Search>(NOTHING_FOUND);
  const {job, rank, attempt, stream} = name;
  useEffect(() => {
    const ending = new AbortController();
    void searchLog({job, rank, attempt, stream}, text, FOUND_MAX, ending.signal, setSearch);
    return () => ending.abort();
  }, [job, rank, attempt, stream, text]);
  return (
    <section className="found" aria-label="Found in all of the log">
      <div className="bar">
        <strong role="status">{summary(search)}</strong>
        {search.state === 'running' && <progress max={search.size || 1} value={search.searched} aria-label="Searching" />}
        <span className="grow" />
        <button onClick={close}>{search.state === 'running' ? 'Stop searching' : 'Close'}</button>
      </div>
      {search.state === 'failed' && <p role="alert" className="bad">The search broke off: {search.error}.</p>}
      {search.lines.length > 0 && (
        <ol>
          {search.lines.map((line) => (
            <li key={line.offset}>
              <button aria-current={line.offset === at || undefined} onClick={() => go(line.offset)} title="Show it in the log">
                <small>{number(line.offset)}</small> <code dir="auto">{printable(line.text)}</code>
              </button>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function summary({state, lines, searched, size, more, dropped}: Search): string {
  const found = lines.length === 0 ? 'not found' : count(lines.length, 'line');
  const lost = dropped > 0 ? `; ${bytes(dropped)} of it are no longer kept` : '';
  if (state === 'running') return `${found} so far in the first ${bytes(searched)}${size > 0 ? ` of ${bytes(size)}` : ''}`;
  if (more) return `the first ${found}, in the first ${bytes(searched)} of ${bytes(size)}; a longer text finds fewer${lost}`;
  if (state === 'failed') return `${found} in the first ${bytes(searched)}`;
  return `${found} in all ${bytes(searched)}${lost}`;
}
