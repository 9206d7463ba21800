import type {Node} from '../api/api';

/** "silent": its line stands or stood a moment ago, and nothing came of late. */
export type AgentState = 'connected' | 'silent' | 'away';

export function agentOf({state, machine}: Pick<Node, 'state' | 'machine'>): AgentState {
  if (state === 'silent') return 'silent';
  return machine === null || state === 'down' ? 'away' : 'connected';
}

/** When the server has last heard of it: what a node's state stands for. */
export const HEARD: Record<AgentState, string> = {
  connected: 'within the last 5 s',
  silent: 'more than 5 s ago: its tasks are taken to run until their lease is over',
  away: 'before it went away',
};
