/** Crash and restart, again and again: run, its death, finish, the crash hook, run. */
import { spawnSync } from 'node:child_process';
import { constants, openSync, readFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { type Files, until } from '../tree.ts';
import { type Load, within } from './load.ts';

const SERVICES = Array.from({ length: 8 }, (_, i) => `crash${i}`);
/** Its line goes through our pipes, and is the tail that the hook gets. */
const RUN = `#!/bin/sh
echo "$1" >"$OUT/up"
read -r how <"$OUT/$1.how"
echo "it ends by $how"
[ "$how" = kill ] && kill -KILL $$
exit 1
`;
const FINISH = '#!/bin/sh\necho "$3 $1 $2" >>"$OUT/finished"\n';
const HOOK = `#!/bin/sh
[ "$1" = crash0 ] || [ -s "$SUPERVISE_LOG_TAIL" ] || echo "no tail of $1" >>"$OUT/wrong"
echo "$1 $2 $3" >>"$OUT/crashed"
`;

/** The services, and the hook. No delay: what is measured is ours. */
export const CYCLING: Files = Object.fromEntries([
  ...SERVICES.flatMap((name) => [
    [`${name}/run`, RUN],
    [`${name}/finish`, FINISH],
    [`${name}/restart-delay`, '0 0\n'],
  ]),
  // One of them has a logger, whose pipe outlives both.
  [`${SERVICES[0]}/log/run`, '#!/bin/sh\nexec cat >/dev/null\n'],
  ['.supervise/crash', HOOK],
]);

/** To be called ahead of the tree's start: its services wait at these pipes. */
export function makePipes(directory: string): void {
  const pipes = ['up', ...SERVICES.map((name) => `${name}.how`)].map((name) => join(directory, name));
  const { status, stderr } = spawnSync('mkfifo', pipes, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** @param directory `$OUT` of the services */
export function cycles(directory: string): Load & { close(): void } {
  const { O_RDWR, O_NONBLOCK } = constants;
  const pipe = (name: string): number => openSync(join(directory, name), O_RDWR | O_NONBLOCK);
  const orders = new Map(SERVICES.map((name) => [name, pipe(`${name}.how`)]));
  const waiting = new Map<string, () => void>();
  const isUp = new Set<string>();
  let rest = '';
  const reader = new Socket({ fd: pipe('up'), readable: true, writable: false });
  reader.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const name of lines) {
      isUp.add(name);
      waiting.get(name)?.();
    }
  });
  const up = async (name: string): Promise<void> => {
    if (isUp.has(name)) return;
    await within(`${name} is up`, new Promise<void>((resolve) => waiting.set(name, resolve)));
  };
  let done = 0;
  const linesOf = (name: string): number =>
    readFileSync(join(directory, name), 'latin1').split('\n').length - 1;
  return {
    name: 'a crash → up again',
    async run(count, took) {
      let left = count;
      const lane = async ([name, order]: [string, number]): Promise<void> => {
        await up(name);
        while (left-- > 0) {
          const before = performance.now();
          isUp.delete(name);
          writeSync(order, left % 2 === 0 ? 'exit\n' : 'kill\n');
          await up(name);
          took(performance.now() - before, 1);
        }
      };
      await Promise.all([...orders].map(lane));
      done += count;
      await until(`${done} crashes to be told to the hook`, () => linesOf('crashed') >= done);
      for (const name of ['finished', 'crashed']) {
        const told = linesOf(name);
        if (told !== done) throw new Error(`${done} crashes, and ${told} of them ${name}`);
      }
    },
    close: () => reader.destroy(),
  };
}
