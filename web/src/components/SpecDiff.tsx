import {useMemo} from 'react';

import {changesOf, diffLines} from '../lib/diff';
import {count} from '../lib/format';
import {Empty} from './States';

const SIGNS = {same: ' ', old: '−', new: '+'};

/** What changed from one spec to another, line by line. */
export function SpecDiff({before, after, label, alike}: {before: string; after: string; label: string; alike: string}) {
  const lines = useMemo(() => diffLines(before, after), [before, after]);
  const [gone, come] = (['old', 'new'] as const).map((kind) => lines.filter((line) => line.kind === kind).length);
  if (gone === 0 && come === 0) return <Empty>{alike}</Empty>;
  return (
    <>
      <p className="quiet">{count(gone!, 'line')} removed, {count(come!, 'line')} added.</p>
      <pre className="diff" tabIndex={0} role="group" aria-label={label}>
        {changesOf(lines).map((line, index) => line.kind === 'skipped'
          ? <span key={index} className="skipped">{`… ${count(line.count, 'line')} alike\n`}</span>
          : line.kind === 'same' ? <span key={index}>{`${SIGNS.same} ${line.text}\n`}</span>
            : line.kind === 'old' ? <del key={index}>{`${SIGNS.old} ${line.text}\n`}</del>
              : <ins key={index}>{`${SIGNS.new} ${line.text}\n`}</ins>)}
      </pre>
    </>
  );
}
