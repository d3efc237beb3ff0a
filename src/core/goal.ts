/** What can be waited for, of a service. `up`: executed, ready or not. `down`: over, or failed. */
export const GOALS = ['ready', 'up', 'down'] as const;
export type Goal = (typeof GOALS)[number];
