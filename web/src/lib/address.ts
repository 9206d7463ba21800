import {useSearchParams} from 'react-router';

type Changes = Record<string, string | undefined>;

/** What the address says behind its "?", and what changes some of it; a part without a value goes. */
export function useAddress(): [URLSearchParams, (changes: Changes) => void] {
  const [params, setParams] = useSearchParams();
  const change = (changes: Changes) => setParams((old) => {
    const next = new URLSearchParams(old);
    for (const [name, value] of Object.entries(changes)) {
      if (value) next.set(name, value);
      else next.delete(name);
    }
    return next;
  }, {replace: true});
  return [params, change];
}
