import {useShowChaosQuery} from '../api/api';
import {useAppSelector} from '../store';

/** Faults on purpose, and who takes them. Without data in a simulated world, where nothing is broken. */
export function useChaos() {
  const simulated = useAppSelector(({link}) => link.simulation !== null);
  return useShowChaosQuery(undefined, {skip: simulated});
}
