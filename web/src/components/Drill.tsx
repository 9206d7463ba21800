/** What is broken on purpose just now, so that nobody hunts for it, and what ends it. */
import {errorText, useMendNodeMutation, useTurnChaosMutation, type Fault} from '../api/api';
import {useNow, worldTime} from '../lib/clock';
import {count, duration} from '../lib/format';
import {useChaos} from '../lib/chaos';
import {faultLeftMs, faultText, openFaults} from '../lib/faults';
import {Confirm} from './Confirm';
import {JobLink, Name, NodeLink} from './Bits';

const SHOWN_MAX = 5;
const SOME_LAST = 'An agent that is stopped or away comes back when its time is over, not before.';

/** Of one node alone where one is given. Nothing where nothing is broken on purpose. */
export function Drill({node}: {node?: string}) {
  const chaos = useChaos();
  const faults = [...openFaults(chaos.data).values()].filter((one) => node === undefined || one.node === node);
  if (chaos.error !== undefined && chaos.data === undefined) {
    return <p role="alert" className="bad">Nothing is known of faults on purpose: {errorText(chaos.error)}</p>;
  }
  if (faults.length === 0) return null;
  const on = chaos.data?.on ?? false;
  return (
    <section className="reason wait drill" aria-label="Broken on purpose">
      <strong role="status">{node === undefined ? `A drill: ${count(faults.length, 'node')} broken on purpose` : 'A drill: broken on purpose'}</strong>
      <ul>{faults.slice(0, SHOWN_MAX).map((one) => <li key={one.id}><Line fault={one} named={node === undefined} /></li>)}</ul>
      {faults.length > SHOWN_MAX && <p>and {count(faults.length - SHOWN_MAX, 'more node')}</p>}
      {on ? <p className="undo"><ChaosSwitch on lasting /></p>
        : <p>No more faults on purpose are allowed; what is left here has only to recover.</p>}
    </section>
  );
}

function Line({fault, named}: {fault: Fault; named: boolean}) {
  const now = useNow();
  const [mend, result] = useMendNodeMutation();
  const left = faultLeftMs(fault, now);
  return (
    <>
      {named && <><NodeLink name={fault.node} />: </>}{faultText(fault)}
      {fault.job !== null && <>, of <JobLink id={fault.job} /></>}, by <Name>{fault.by}</Name> at {worldTime(fault.at, now)};{' '}
      {left === null ? 'it is over, and the fleet has yet to recover' : `it ends by itself in ${duration(left)}`}{' '}
      {left !== null && (
        <Confirm label="End it now" yes="Yes, end it" disabled={result.isLoading} note={SOME_LAST} act={() => void mend(fault.node)} />
      )}
      {result.error && <span role="alert" className="bad"> Not ended: {errorText(result.error)}</span>}
    </>
  );
}

/** Allows faults on purpose, or no more. `lasting`: some are not over. */
export function ChaosSwitch({on, lasting}: {on: boolean; lasting: boolean}) {
  const [turn, result] = useTurnChaosMutation();
  return (
    <>
      {on ? (
        <Confirm label={lasting ? 'End all, and allow no more' : 'Allow no more'} yes="Yes, switch faults on purpose off" disabled={result.isLoading}
          note={`What lasts is mended, and each further fault is refused, also when the server starts anew. ${SOME_LAST}`}
          act={() => void turn(false)} />
      ) : (
        <Confirm label="Allow faults on purpose" yes="Yes, allow them" disabled={result.isLoading}
          note="Whoever reaches this server may then break nodes whose agents take faults." act={() => void turn(true)} />
      )}
      {result.error && <span role="alert" className="bad">Not switched: {errorText(result.error)}</span>}
    </>
  );
}
