import {useAppSelector} from '../store';

/** Whether a trace is played: nothing of that world can be changed. */
export const useIsSimulated = () => useAppSelector(({link}) => link.simulation !== null);

/** Why something cannot be done there. */
export const PLAYED = 'A simulation plays a trace: nothing in it can be changed.';
