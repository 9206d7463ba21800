import type {Waiting} from '../api/api';
import {useNow} from '../lib/clock';
import {count, duration, sentence} from '../lib/format';
import {JobLink} from './Bits';

type Outlook = NonNullable<Waiting['outlook']>;

/** The time from now until then; what is past is about to come. */
function span(now: number, then: string): string {
  return duration(Math.max(0, Date.parse(then) - now));
}

/** When it is expected to start, or why nobody knows. */
function start(now: number, {start}: Outlook): string {
  if (!start.earliest) return `When it will start is unknown: ${start.unknown}.`;
  if (!start.median) {
    const latest = start.latest ? `in ${span(now, start.latest)} at the latest, if all else goes as expected, and ` : '';
    return `Expected to start ${latest}in ${span(now, start.earliest)} at the earliest: ${start.unknown}.`;
  }
  if (start.earliest === start.latest) return `Expected to start in ${span(now, start.median)}; no spread is known.`;
  const until = start.latest ? `and ${span(now, start.latest)}` : 'and later than can be looked ahead';
  return `Expected to start in ${span(now, start.median)}, between ${
    span(now, start.earliest)} ${until} (aimed at ${start.scenarios_percent} %).`;
}

/** The one reason why a job waits, with the numbers behind it, and what would start sooner. */
export function WaitingReason({waiting}: {waiting: Waiting}) {
  const now = useNow();
  const alternatives = waiting.outlook?.alternatives ?? [];
  const atOnce = alternatives.filter((one) => one.starts_now).map((one) => one.change);
  const sooner = alternatives.flatMap(({change, expected_start, latest_start}) =>
    expected_start ? [`${change} (in ${span(now, expected_start)})`] :
    latest_start ? [`${change} (in ${span(now, latest_start)} at the latest)`] : []);
  const unseen = alternatives.filter((one) => !one.looked_ahead).map((one) => one.change);
  return (
    <div className="reason wait" role="status">
      <strong>{sentence(waiting.reason)}</strong>
      <p>{waiting.detail}</p>
      <p className="quiet">
        {waiting.jobs_ahead > 0 ? `${count(waiting.jobs_ahead, 'job')} ahead of it. ` : 'First of its line. '}
        {waiting.blocked_by !== null && <>Waits for <JobLink id={waiting.blocked_by} />. </>}
        {waiting.outlook && start(now, waiting.outlook)}
        {waiting.no_outlook && `When it will start was not looked for: ${waiting.no_outlook}.`}
      </p>
      {atOnce.length > 0 && <p className="quiet">It would start now if it were: {atOnce.join('; ')}.</p>}
      {sooner.length > 0 && <p className="quiet">It would start sooner if it were: {sooner.join('; ')}.</p>}
      {unseen.length > 0 && <p className="quiet">Not looked ahead for, since it would take too long: {unseen.join('; ')}.</p>}
    </div>
  );
}
