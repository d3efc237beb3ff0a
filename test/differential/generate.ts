/** Random trees and random steps, by fast-check: `fc.sample(trees, { seed, numRuns })` is always the same list. */
import fc from 'fast-check';
import type { Answer, End, FinishPlan, HookPlan, Program, ServicePlan, Step, TreePlan } from './plan.ts';
import { SIGNALS } from './supervisors.ts';

type Weighted<T> = readonly (readonly [weight: number, value: T])[];

function weighted<T>(...choices: Weighted<T>): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
}

/** `arbitrary` in so many of a hundred. */
function maybe<T>(percent: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { weight: 100 - percent, arbitrary: fc.constant(undefined) },
    { weight: percent, arbitrary: arbitrary as fc.Arbitrary<T | undefined> },
  );
}

const PROGRAMS = weighted<Program>(
  [172, 'script'],
  [10, 'link'],
  ...(
    ['missing', 'not executable', 'directory', 'dangling', 'empty', 'no shebang', 'no interpreter'] as const
  ).map((program) => [3, program] as [number, Program]),
);

const EXITS = fc.constantFrom(0, 0, 1, 2, 3, 99, 100, 111, 125, 126, 127, 128, 143, 255);
/** What ends a shell: no signal that stops or does nothing, and no real-time one but now and then. */
const DEADLY = fc.constantFrom(
  1,
  2,
  3,
  4,
  6,
  7,
  8,
  9,
  9,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  15,
  15,
  24,
  25,
  30,
  31,
  40,
);
const END: fc.Arbitrary<End> = fc.oneof(
  { weight: 3, arbitrary: EXITS.map((exit) => ({ exit })) },
  { weight: 2, arbitrary: DEADLY.map((signal) => ({ signal })) },
);

/** Unique by the place in the plan. */
const NAMES = weighted<(index: number) => string>(
  [30, (i) => `app${i}`],
  [10, (i) => `Web_${i}`],
  [6, (i) => `${i}`],
  [6, (i) => `x.y-${i}`],
  [4, (i) => `a@b:${i}`],
  [4, (i) => `p+q=${i},r`],
  [3, (i) => `_${i}`],
  [3, (i) => `${'long'.repeat(30)}${i}`],
  [3, (i) => `.dot${i}`],
  [1, (i) => `with blank ${i}`],
  [1, (i) => `sm\u00f8rrebr\u00f8d${i}`],
  [1, (i) => `-dash${i}`],
  [1, (i) => `semi;${i}`],
  [1, (i) => `star*${i}`],
  [1, (i) => `per%s${i}`],
  [1, (i) => `~${i}`],
);

const ANSWERS = fc
  .dictionary(
    weighted(
      ...SIGNALS.filter((signal) => signal !== 'KILL' && signal !== 'STOP').map(
        (signal) => [signal === 'TERM' ? 5 : 1, signal] as [number, string],
      ),
    ),
    weighted<Answer>([6, 'note'], [1, 'ignore'], [2, 0], [1, 3], [1, 111]),
    { maxKeys: 4 },
  )
  .map((answers) => ({ ...answers }));

const FINISH: fc.Arbitrary<FinishPlan> = fc.record({
  is: PROGRAMS,
  does: fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant<End>({ exit: 0 }) },
      { weight: 2, arbitrary: END },
      { weight: 1, arbitrary: fc.constant<End>({ exit: 125 }) },
      { weight: 3, arbitrary: fc.constant<'wait'>('wait') },
    ),
    { maxLength: 3 },
  ),
});

const DOWN_SIGNALS = ['HUP', 'SIGINT', '2', 'USR1\n', 'SIGUSR2', 'QUIT', '9', 'KILL', '15', 'TERM', 'ALRM\n'];

const SETTINGS: fc.Arbitrary<Record<string, string>> = fc
  .record({
    down: maybe(10, fc.constantFrom('', 'yes')),
    'notification-fd': maybe(15, fc.constantFrom('3', '4\n', '5', '7', '3\n')),
    'timeout-kill': maybe(12, fc.constantFrom('0', '300', '400\n', '20000')),
    'timeout-finish': maybe(12, fc.constantFrom('0', '400', '20000\n')),
    'down-signal': maybe(12, fc.constantFrom(...DOWN_SIGNALS)),
    'max-death-tally': maybe(3, fc.constantFrom('0', '10')),
    'data/file': maybe(3, fc.constant('of its own')),
    'env/FROM_FILE': maybe(2, fc.constantFrom('value', '')),
    'strange-file': maybe(3, fc.constant('x')),
    'flag-timeout-killpg': maybe(2, fc.constant('')),
  })
  .map(present);

/** What cannot be read, or is read in another way; rare, since little can be seen behind it. */
const ODD = maybe(
  2,
  fc.constantFrom<Record<string, string>>(
    { 'notification-fd': 'three' },
    { 'timeout-kill': 'soon' },
    { 'timeout-finish': '-1' },
    { 'down-signal': 'SIGNONE' },
    { 'notification-fd': '1' },
  ),
);

const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Step>({ do: 'down' }) },
  { weight: 8, arbitrary: fc.constant<Step>({ do: 'up' }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'once' }) },
  { weight: 6, arbitrary: fc.constant<Step>({ do: 'restart' }) },
  { weight: 3, arbitrary: fc.constant<Step>({ do: 'reload' }) },
  { weight: 8, arbitrary: fc.constantFrom(...SIGNALS).map((signal): Step => ({ do: 'signal', signal })) },
  { weight: 8, arbitrary: END.map((how): Step => ({ do: 'end', how })) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom('up', 'down', 'once', 'restart')
      .map((order): Step => ({ do: 'backoff', order }) as Step),
  },
  {
    weight: 5,
    arbitrary: weighted([9, '\n'], [4, 'x\n'], [4, '\n\n'], [1, 'x']).map(
      (text): Step => ({ do: 'tell', text }),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'fork', apart: false }, { do: 'fork', apart: true }) },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'halt' }) },
  { weight: 12, arbitrary: END.map((how): Step => ({ do: 'release', how })) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Step>(
      { do: 'edit', file: 'run', content: 'script' },
      { do: 'edit', file: 'finish', content: 'script' },
      { do: 'edit', file: 'finish', content: undefined },
      { do: 'edit', file: 'down', content: '' },
      { do: 'edit', file: 'down', content: undefined },
      { do: 'edit', file: 'down-signal', content: 'HUP' },
      { do: 'edit', file: 'down-signal', content: undefined },
      { do: 'edit', file: 'timeout-kill', content: '400' },
      { do: 'edit', file: 'max-death-tally', content: '3' },
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'vanish' }) },
);

const SERVICE = fc
  .record({
    named: NAMES,
    form: weighted<ServicePlan['form']>(
      [84, 'directory'],
      [6, 'link'],
      [6, 'late'],
      [2, 'file'],
      [2, 'dangling'],
    ),
    run: PROGRAMS,
    first: fc.oneof(
      { weight: 6, arbitrary: fc.constant<End[]>([]) },
      { weight: 3, arbitrary: fc.array(END, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(END, { minLength: 2, maxLength: 2 }) },
    ),
    answers: ANSWERS,
    finish: maybe(60, FINISH),
    settings: SETTINGS,
    odd: ODD,
    delay: weighted<string | undefined>([6, '50ms 50ms'], [3, '1s 1s'], [1, undefined]),
    logger: maybe(8, fc.record({ first: fc.array(END, { maxLength: 1 }) })),
    steps: fc.array(STEP, { maxLength: 7 }),
  })
  .map(({ named, odd, delay, settings, ...plan }) => ({
    ...plan,
    named,
    delay,
    settings: { ...settings, ...odd },
  }));

const HOOK: fc.Arbitrary<HookPlan> = fc.record({
  is: weighted<HookPlan['is']>([15, 'script'], [1, 'not executable']),
  exit: fc.constantFrom(0, 0, 0, 1, 7, 111),
});

/** A random tree. */
export const TREES: fc.Arbitrary<TreePlan> = fc.record({
  services: fc.array(SERVICE, { minLength: 1, maxLength: 4 }).map((all) =>
    all.map(({ named, delay, ...plan }, i) =>
      sensible({
        ...plan,
        name: named(i),
        settings: { ...plan.settings, ...(delay ? { 'restart-delay': delay } : {}) },
      }),
    ),
  ),
  hooks: fc
    .record({
      finish: maybe(25, HOOK),
      crash: maybe(10, HOOK),
      SIGUSR1: maybe(8, HOOK),
      SIGUSR2: maybe(4, HOOK),
      SIGHUP: maybe(6, HOOK),
      SIGWINCH: maybe(3, HOOK),
      SIGQUIT: maybe(3, HOOK),
      SIGINT: maybe(2, HOOK),
      SIGTERM: maybe(2, HOOK),
    })
    .map(present),
  signals: fc.array(
    weighted([4, 'SIGHUP'], [4, 'SIGUSR1'], [3, 'SIGUSR2'], [3, 'SIGWINCH'], [2, 'SIGALRM'], [2, 'SIGPWR']),
    { maxLength: 3 },
  ),
  stop: weighted<TreePlan['stop']>([70, 'SIGTERM'], [15, 'SIGINT'], [15, 'order']),
  inherits: weighted([9, false], [1, true]),
});

/** Takes out what would wait for nothing: every wait in a play must have an end that both know. */
function sensible(plan: ServicePlan): ServicePlan {
  const settings = { ...plan.settings };
  const answers = { ...plan.answers };
  let steps = plan.steps.filter(
    (step) => (step.do !== 'fork' || !plan.logger) && (step.do !== 'tell' || 'notification-fd' in settings),
  );
  // A finish that waits is released, or killed soon.
  if (plan.finish?.does.includes('wait') && settings['timeout-finish'] !== '400')
    settings['timeout-finish'] = '0';
  // Whoever is deaf to the stop is killed soon, and whoever goes on is told to end, or killed soon.
  const stubborn = ['TERM', 'HUP', 'INT', 'USR1', 'USR2', 'QUIT', 'ALRM'].filter(
    (signal) => answers[signal] === 'ignore' || answers[signal] === 'note',
  );
  if (stubborn.length > 0) {
    const deaf = stubborn.some((signal) => answers[signal] === 'ignore');
    if (deaf) settings['timeout-kill'] = '400';
    else if (settings['timeout-kill'] !== '400') settings['timeout-kill'] = '20000';
    // s6 restarts without a limit.
    if (settings['timeout-kill'] === '400') steps = steps.filter(({ do: what }) => what !== 'restart');
    steps = steps.filter((step) => step.do !== 'edit' || step.file !== 'timeout-kill');
  }
  // The whole row of delays would be waited for.
  const ends = steps.filter(
    ({ do: what }) => what === 'end' || what === 'backoff' || what === 'signal',
  ).length;
  if (!settings['restart-delay'] && plan.first.length + ends > 1) settings['restart-delay'] = '1s 1s';
  if (steps.some(({ do: what }) => what === 'backoff')) settings['restart-delay'] = '1s 1s';
  // A mended run is tried again by s6 after ten seconds.
  if (plan.run !== 'script' && plan.run !== 'link')
    steps = steps.filter((step) => step.do !== 'edit' || step.file !== 'run');
  const vanishes = steps.findIndex(({ do: what }) => what === 'vanish');
  if (vanishes >= 0) steps = steps.slice(0, vanishes + 1);
  if (plan.form === 'late') steps = [{ do: 'appear' }, ...steps];
  return { ...plan, settings, answers, steps };
}

function present<T>(record: Record<string, T | undefined>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(record).filter((entry): entry is [string, T] => entry[1] !== undefined),
  );
}
