import {browserAheadMs, useNow} from '../lib/clock';
import {duration} from '../lib/format';
import {useAppSelector} from '../store';

const WORDS = {connecting: 'connecting', live: 'live', away: 'server away', resting: 'resting'};

/** Whether what is shown is what is. */
export function LinkState() {
  const {state, events} = useAppSelector(({link}) => link);
  return (
    <span className={`link ${state}`} role="status" data-testid="link" data-events={events}>
      <i aria-hidden="true" />
      {WORDS[state]}
    </span>
  );
}

/** Below the head of the page, while the server is away or the clocks differ. */
export function LinkBanner() {
  const {state, sinceMs, simulation} = useAppSelector(({link}) => link);
  useNow();
  if (state === 'away') {
    return (
      <div className="banner bad" role="alert">
        The server has not answered for {duration(Date.now() - sinceMs)}. What you see is from before; this page tries
        again by itself and then goes on where it was. If it was ended, start it with <code>gyre up</code>.
      </div>
    );
  }
  const ahead = browserAheadMs();
  if (state === 'live' && !simulation && Math.abs(ahead) > 60_000) {
    return (
      <div className="banner" role="note">
        This browser’s clock is {duration(Math.abs(ahead))} {ahead > 0 ? 'ahead of' : 'behind'} the server’s. Times here
        go by the server’s.
      </div>
    );
  }
  return null;
}
