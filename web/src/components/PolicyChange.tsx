import type {Policy, PolicyEntry} from '../api/api';
import {MakeLive} from './MakeLive';
import {SpecDiff} from './SpecDiff';

/** What a change of the policy changed, of `before`; and the way back to an earlier one, where `back` says how it is called. */
export function PolicyChange({entry, before, live, back}: {
  entry: PolicyEntry;
  before: PolicyEntry | undefined;
  live: Policy;
  back?: {label: string; to: PolicyEntry};
}) {
  return (
    <>
      {back && <p className="undo"><MakeLive name={back.to.name} text={back.to.text} label={back.label} live={live.text} /></p>}
      {before && (
        <details>
          <summary>What it changed</summary>
          <SpecDiff before={before.text} after={entry.text} label={`From policy ${before.name} to ${entry.name}`}
            alike="Nothing: it decides as the one before." />
        </details>
      )}
    </>
  );
}
