import {useShowServerQuery} from '../api/api';
import {useNow, worldTime} from '../lib/clock';

/** What a server's own memory reaches back to, as the end of a sentence: "since this server started at 12:00:03". */
export function SinceStart() {
  const server = useShowServerQuery();
  const now = useNow();
  if (!server.data) return <>since this server started</>;
  const {started_at: at} = server.data;
  return at === null ? <>since the simulation’s beginning</>
    : <>since this server started at <time dateTime={at}>{worldTime(at, now)}</time></>;
}
