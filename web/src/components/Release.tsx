import {errorText, useActOnNodeMutation} from '../api/api';
import {Confirm} from './Confirm';

/** Puts a node that is in quarantine back into service. */
export function Release({name}: {name: string}) {
  const [act, result] = useActOnNodeMutation();
  return (
    <>
      {result.error && <span role="alert" className="bad">{errorText(result.error)}</span>}
      <Confirm label="Release" yes="Yes, back into service" disabled={result.isLoading}
        title="end its quarantine now" note="It gets tasks at once, and what it has shown is forgotten."
        act={() => void act({name, action: 'uncordon'})} />
    </>
  );
}
