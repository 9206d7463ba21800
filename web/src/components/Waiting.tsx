import type {Waiting} from '../api/api';
import {useNow} from '../lib/clock';
import {count, duration, sentence} from '../lib/format';
import {JobLink} from './Bits';

const SOON_MS = 2000; // a start that is expected this soon, and does not come, was expected without grounds

/** The one reason why a job waits, with the numbers behind it. */
export function WaitingReason({waiting}: {waiting: Waiting}) {
  const now = useNow();
  const startsIn = waiting.expected_start ? Date.parse(waiting.expected_start) - now : 0;
  return (
    <div className="reason wait" role="status">
      <strong>{sentence(waiting.reason)}</strong>
      <p>{waiting.detail}</p>
      <p className="quiet">
        {waiting.jobs_ahead > 0 ? `${count(waiting.jobs_ahead, 'job')} ahead of it. ` : 'First of its line. '}
        {waiting.blocked_by !== null && <>Waits for <JobLink id={waiting.blocked_by} />. </>}
        {startsIn > SOON_MS ? `Expected to start in ${duration(startsIn)}, if jobs end when expected.`
          : 'When it will start cannot be told: what it waits for has no expected end.'}
      </p>
    </div>
  );
}
