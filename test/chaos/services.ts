/**
 * The services that the adversary torments. Each writes down itself, beside the scandir (`$TRUTH/NAME`), what it is about to do: `start
 * PID`, `exit CODE PID`, `kill SIGNAL PID`; its finish what it was told: `finish CODE SIGNAL PID`; and a run that finds the one
 * before it alive: `two PID PID`.
 */
import type { Files } from '../tree.ts';
import { Random } from './random.ts';

/** What is known of a service beforehand. */
export interface Nature {
  name: string;
  /**
   * How it can come to an end. `sleeper`: once it sleeps, by a signal alone; `script`: by a signal, as it says itself, or as a shell does
   * that cannot fork; `program`: a Node of our own.
   */
  kind: 'sleeper' | 'script' | 'program';
  hasFinish: boolean;
  oneshot?: boolean;
  /** Signals that it may get from the tree itself. */
  sent?: readonly number[];
  /** Gets what PID 1 passes on. */
  essential?: boolean;
  /** The file of `$SMALL/out` that is rendered for it. */
  rendered?: string;
  health?: boolean;
}

export interface Company {
  files: Files;
  natures: ReadonlyMap<string, Nature>;
}

/** A logger's name has a slash; its file has none. */
const LOGGER_TRUTH = truthName('logged/log');
const ENDS = 16;
const USR1 = 10;
const HUP = 1;
/** How long a service may take to come back once it is left alone: the greatest delay, and what it needs itself. */
export const DELAY = '50ms 800ms';

/** A services directory of so many services, the logger and the templater not counted. */
export function company(count: number, seed: number, isRoot: boolean): Company {
  const random = new Random(seed);
  const files: Files = { ...hooks() };
  const natures = new Map<string, Nature>();
  const add = (nature: Nature, own: Files): void => {
    natures.set(nature.name, nature);
    const all = { 'restart-delay': `${DELAY}\n`, ...(nature.hasFinish ? { finish: FINISH } : {}), ...own };
    for (const [file, content] of Object.entries(all)) files[`${nature.name}/${file}`] = content;
  };
  const sleeper = (name: string, own: Files = {}, more: Partial<Nature> = {}): void =>
    add({ name, kind: 'sleeper', hasFinish: true, ...more }, { run: SLEEPS, ...own });
  const script = (name: string, body: string, own: Files = {}, more: Partial<Nature> = {}): void =>
    add({ name, kind: 'script', hasFinish: true, ...more }, { run: `${BEGIN}${body}`, ...own });

  sleeper('essential', { essential: '' }, { essential: true });
  script('notifies', 'sleep 0.1\necho >&3\nexec sleep 1000000\n', { 'notification-fd': '3\n' });
  sleeper('checked', { check: '#!/bin/sh\n[ -e "$TRUTH" ]\n', 'timeout-up': '5s' });
  sleeper(
    'healthy',
    { health: '#!/bin/sh\n[ ! -e "$TRUTH/sick" ]\n', 'health-interval': '300ms', 'health-retries': '2' },
    { health: true },
  );
  script('logged', 'n=0\nwhile :; do n=$((n+1)); echo "$$ $n"; sleep 0.05; done\n', {
    'log/run': LOGS,
    'log/finish': FINISH.replace('$3', LOGGER_TRUTH),
    'log/restart-delay': DELAY,
  });
  natures.set('logged/log', { name: 'logged/log', kind: 'sleeper', hasFinish: true });
  script('talks', 'while :; do echo "talks: a line"; echo "talks: another" >&2; sleep 0.05; done\n');
  script('once', `echo "exit 0 $$" >>"$t"\nexit 0\n`, { type: 'oneshot' }, { oneshot: true });
  script(
    'once-unsure',
    // Dies three times of four.
    `${COUNT}[ $((n % 4)) = 0 ] && { echo "exit 0 $$" >>"$t"; exit 0; }\necho "exit $((n % 256)) $$" >>"$t"\nexit $((n % 256))\n`,
    { type: 'oneshot', restart: 'on-failure' },
    { oneshot: true },
  );
  sleeper('depends', { 'dependencies.d/notifies': '', 'dependencies.d/once': '' });
  sleeper('depends-deeper', { 'dependencies.d/depends': '', 'dependencies.d/once-unsure': '' });
  script('wayward', 'trap "" TERM INT HUP QUIT\nwhile :; do sleep 0.3; done\n', { 'timeout-kill': '300ms' });
  sleeper('slow-finish', { finish: `${FINISH}exec sleep 1000\n`, 'timeout-finish': '200ms' });
  sleeper('last-word', {
    finish: `${FINISH}n=0; read -r n 2>/dev/null <"$TRUTH/$3.finished"; echo $((n+1)) >"$TRUTH/$3.finished"\n[ $((n % 5)) = 4 ] && exit 125\nexit 0\n`,
  });
  sleeper('forgets-finish', {}, { hasFinish: false });
  script('orphans', ORPHANS);
  for (const [name, onChange, trap] of [
    ['restarts', 'restart', ''],
    ['reloads', 'reload', 'trap : HUP USR1\n'],
    ['signals', 'signal USR1', 'trap : HUP USR1\n'],
  ] as const)
    script(
      name,
      `${trap}while :; do sleep 1 & wait $!; done\n`,
      { 'templates/conf.hbs': template(name, onChange) },
      { rendered: `${name}.conf`, sent: trap ? [HUP, USR1] : [] },
    );
  natures.set('templater', { name: 'templater', kind: 'program', hasFinish: false });
  if (isRoot) sleeper('other-user', { user: '65534:65534\n' });
  // What remains: half of it sleeps, a third dies by itself, the rest forks.
  for (let i = 0; natures.size - 2 < count; i++) {
    if (i % 6 < 3) sleeper(`sleeps-${i}`);
    else if (i % 6 < 5) script(`dies-${i}`, dies(random));
    else script(`forks-${i}`, FORKS);
  }
  return { files, natures };
}

/** The name of the file that a service writes to. */
export function truthName(service: string): string {
  return service.replace('/', ',');
}

const BEGIN = `#!/bin/sh
t="$TRUTH/$1"
old=
read -r old 2>/dev/null <"$t.pid"
[ -n "$old" ] && [ "$old" != $$ ] && [ "/proc/$old/cwd" -ef . ] && echo "two $$ $old" >>"$t"
echo $$ >"$t.pid"
echo "start $$" >>"$t"
`;
const SLEEPS = `${BEGIN}exec sleep 1000000\n`;
const LOGS = `${BEGIN.replace('$1', LOGGER_TRUTH)}exec cat >>"$t.lines"\n`;
const FINISH = '#!/bin/sh\necho "finish $1 $2 $4" >>"$TRUTH/$3"\n';
const COUNT = 'n=0; read -r n 2>/dev/null <"$t.count"; n=$((n+1)); echo $n >"$t.count"\n';
/** Children in the group, an orphan of another session now and then; all of them end by themselves. */
const FORKS = `while :; do
  sleep 2 & sleep 3 &
  (setsid sleep 2 &)
  sleep 1 & wait $!
done
`;
/** Told how many by a FIFO. */
const ORPHANS = `[ -p "$TRUTH/orphans.fifo" ] || mkfifo -m 666 "$TRUTH/orphans.fifo"
while :; do
  read -r count <"$TRUTH/orphans.fifo" || continue
  i=0
  while [ "$i" -lt "$count" ]; do ( (exit "$((i % 256))") & ); i=$((i + 1)); done
  echo "made $count" >>"$t.made"
done
`;

/** Dies after a while in one of so many ways, one after the other. */
function dies(random: Random): string {
  const ways = Array.from({ length: ENDS }, (_, i) => {
    const after = (random.next() ** 2 * 3).toFixed(2);
    if (random.chance(0.5)) return `${i}) sleep ${after}; echo "exit ${i * 17} $$" >>"$t"; exit ${i * 17};;`;
    const signal = random.chance(0.4)
      ? random.from(34, 64)
      : random.pick([1, 2, 3, 4, 6, 7, 8, 9, 11, 13, 15, 24]);
    return `${i}) sleep ${after}; echo "kill ${signal} $$" >>"$t"; kill -${signal} $$; sleep 5;;`;
  });
  return `ulimit -c 0\n${COUNT}case $((n % ${ENDS})) in\n${ways.join('\n')}\nesac\n`;
}

/**
 * `min`: a Consul that was restarted with nothing in it must not be believed by a templater that was restarted too, and so has no
 * last value to keep.
 */
function template(name: string, onChange: string): string {
  const settings = `dest: \${SMALL}/out/${name}.conf\non-change: ${onChange}\ncheck: grep -q '^end$' {file}`;
  return `{{!--\n${settings}\n--}}\n{{#each (tree "chaos" min=1)}}{{Key}}={{Value}}\n{{/each}}end\n`;
}

function hooks(): Files {
  return {
    '.supervise/crash': '#!/bin/sh\necho "$1 $2 $3 $4 $SUPERVISE_RAN_MS" >>"$TRUTH/.crash"\n',
    '.supervise/finish': '#!/bin/sh\necho "$1 $2 $3" >>"$TRUTH/.finish"\n',
  };
}
