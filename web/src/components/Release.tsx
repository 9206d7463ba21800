import {errorText, useActOnNodeMutation} from '../api/api';
import {Confirm} from './Confirm';

/** Puts a node that is in quarantine, or was taken out of service to heal it, back into service. */
export function Release({name, label = 'Release'}: {name: string; label?: string}) {
  const [act, result] = useActOnNodeMutation();
  return (
    <>
      {result.error && <span role="alert" className="bad">{errorText(result.error)}</span>}
      <Confirm label={label} yes="Yes, back into service" disabled={result.isLoading}
        title="back into service now" note="It gets tasks at once, and what it has shown is forgotten."
        act={() => void act({name, action: 'uncordon'})} />
    </>
  );
}
