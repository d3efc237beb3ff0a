/** A few trees that are always the same: with what s6 made of them, they are held against ours where there is no s6. */
import type { ServicePlan, TreePlan } from './plan.ts';

const PLAIN: ServicePlan = {
  name: 'app',
  form: 'directory',
  run: 'script',
  first: [],
  answers: {},
  finish: undefined,
  settings: {},
  logger: undefined,
  steps: [],
};

function tree(services: readonly Partial<ServicePlan>[], rest: Partial<TreePlan> = {}): TreePlan {
  return {
    services: services.map((service) => ({ ...PLAIN, ...service })),
    hooks: {},
    signals: [],
    stop: 'SIGTERM',
    inherits: false,
    ...rest,
  };
}

const QUIET_FINISH: ServicePlan['finish'] = { is: 'script', does: [] };
const FAST = { 'restart-delay': '50ms 50ms' };
const HELD = { 'timeout-kill': '20000' };

export const FIXED: Readonly<Record<string, TreePlan>> = {
  'starts, ends and orders': tree([
    {
      name: 'crashes',
      first: [{ exit: 3 }, { signal: 9 }],
      finish: QUIET_FINISH,
      settings: FAST,
      steps: [{ do: 'end', how: { signal: 40 } }],
    },
    {
      name: 'stays-down',
      finish: { is: 'script', does: [{ exit: 125 }] },
      steps: [{ do: 'end', how: { exit: 0 } }, { do: 'up' }],
    },
    {
      name: 'down-at-boot',
      settings: { down: '' },
      steps: [{ do: 'once' }, { do: 'end', how: { exit: 1 } }, { do: 'restart' }],
    },
    {
      name: 'held',
      answers: { TERM: 'note', HUP: 'note' },
      settings: HELD,
      steps: [
        { do: 'reload' },
        { do: 'down' },
        { do: 'down' },
        { do: 'end', how: { exit: 7 } },
        { do: 'up' },
      ],
    },
    {
      name: 'held-once',
      answers: { TERM: 'note' },
      settings: HELD,
      steps: [{ do: 'down' }, { do: 'once' }, { do: 'end', how: { exit: 3 } }],
    },
    {
      name: 'deaf',
      answers: { TERM: 'ignore' },
      settings: { 'timeout-kill': '400' },
      finish: QUIET_FINISH,
      steps: [{ do: 'down' }, { do: 'up' }],
    },
    {
      name: 'halted',
      steps: [{ do: 'halt' }, { do: 'down' }, { do: 'up' }, { do: 'signal', signal: 'QUIT' }],
    },
    {
      name: 'in-backoff',
      settings: { 'restart-delay': '1s 1s' },
      steps: [{ do: 'backoff', order: 'down' }, { do: 'up' }],
    },
    {
      name: 'another-signal',
      answers: { USR1: 3 },
      finish: QUIET_FINISH,
      settings: { 'down-signal': 'USR1\n', 'env/NAME': 'value' },
      steps: [{ do: 'down' }],
    },
  ]),
  'finish, readiness, leftovers': tree([
    {
      name: 'finishes',
      finish: { is: 'script', does: ['wait', 'wait'] },
      settings: { 'timeout-finish': '0', ...FAST },
      steps: [
        { do: 'end', how: { exit: 1 } },
        { do: 'down' },
        { do: 'release', how: { exit: 0 } },
        { do: 'up' },
        { do: 'down' },
        { do: 'once' },
        { do: 'release', how: { exit: 0 } },
      ],
    },
    {
      name: 'slow-finish',
      finish: { is: 'script', does: ['wait'] },
      settings: { 'timeout-finish': '400', ...FAST },
      steps: [{ do: 'end', how: { exit: 1 } }],
    },
    {
      name: 'ready',
      settings: { 'notification-fd': '3' },
      steps: [{ do: 'tell', text: '\n' }, { do: 'restart' }],
    },
    {
      name: 'leaves',
      settings: FAST,
      steps: [
        { do: 'fork', apart: false },
        { do: 'fork', apart: true },
        { do: 'end', how: { exit: 1 } },
      ],
    },
    { name: 'logged', logger: { first: [] }, finish: QUIET_FINISH, steps: [{ do: 'restart' }] },
    { name: 'late', form: 'late', finish: QUIET_FINISH, steps: [{ do: 'appear' }, { do: 'vanish' }] },
    {
      name: 'linked',
      form: 'link',
      run: 'link',
      finish: QUIET_FINISH,
      steps: [{ do: 'restart' }, { do: 'vanish' }],
    },
  ]),
  'what is no service, or cannot run': tree([
    { name: 'file', form: 'file' },
    { name: 'dangling', form: 'dangling' },
    { name: '.dot' },
    { name: 'no-run', run: 'missing', finish: QUIET_FINISH },
    { name: 'not-executable', run: 'not executable' },
    { name: 'no-interpreter', run: 'no interpreter' },
    { name: 'bad-finish', finish: { is: 'not executable', does: [] } },
    { name: 'bad-value', settings: { 'timeout-kill': 'soon' } },
    { name: 'a blank' },
  ]),
  'hooks and signals': tree([{ settings: FAST, steps: [{ do: 'end', how: { exit: 1 } }] }], {
    hooks: {
      finish: { is: 'script', exit: 7 },
      crash: { is: 'script', exit: 0 },
      SIGUSR1: { is: 'script', exit: 0 },
    },
    signals: ['SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGWINCH'],
    stop: 'SIGINT',
    inherits: true,
  }),
  'a finish hook that cannot be executed': tree([{}], {
    hooks: { finish: { is: 'not executable', exit: 0 } },
  }),
  'a hook of SIGTERM': tree([{}], { hooks: { SIGTERM: { is: 'script', exit: 1 } } }),
  'less than a line': tree([{ settings: { 'notification-fd': '3' }, steps: [{ do: 'tell', text: 'x' }] }]),
};
