import {errorText, useSetPolicyMutation} from '../api/api';
import {Confirm} from './Confirm';

/** Makes a policy the one by which this server decides, unless it is that already. `live`: the text of the one in force. */
export function MakeLive({name, text, label, live}: {name: string; text: string; label: string; live: string | undefined}) {
  const [set, result] = useSetPolicyMutation();
  // The server writes a policy in full, however it was put.
  const decides = live !== undefined && (text === live || (result.originalArgs === text && result.data?.text === live));
  return (
    <>
      {!decides && (
        <Confirm label={label} yes={`Yes, decide by ${name}`} disabled={result.isLoading}
          note="What waits is decided by it at once; jobs that run go on. Admin has the policy before it, and takes it back."
          act={() => void set(text)} />
      )}
      {result.error && <span role="alert" className="bad">Not changed: {errorText(result.error)}</span>}
      {result.data && decides && <span role="status" className="quiet">It decides now.</span>}
    </>
  );
}
