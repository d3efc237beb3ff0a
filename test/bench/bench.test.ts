/** The program that measures runs, says what it could not, and leaves nothing: its figures are for quiet hours. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NODE, tempDir, until } from '../tree.ts';
import { absence, PEERS } from './peers/peers.ts';
import { withEnvironment } from './proc.ts';

const BENCH = join(import.meta.dirname, 'bench.ts');

interface Written {
  bars: { what: string; bar: string; measured: string; met?: boolean }[];
  unrun: string[];
  series: { measure: string; what: string; peer: string; n: number; median: number; samples: number[] }[];
}

test('--quick measures what is here, says what is not, and judges it', async (t) => {
  const json = join(tempDir(t), 'figures.json');
  const only = 'floor,supervise,s6,tini';
  const bench = run(t, [
    'start',
    'crash',
    'size',
    '--quick',
    '--rounds',
    '1',
    '--only',
    only,
    '--json',
    json,
  ]);
  assert.equal(await bench.ended, 0, bench.output());
  const { bars, unrun, series } = JSON.parse(readFileSync(json, 'utf8')) as Written;
  const of = (what: RegExp, peer = 'supervise') => {
    const found = series.find((one) => what.test(one.what) && one.peer === peer);
    assert.ok(found, `${what} of ${peer} in\n${bench.output()}`);
    return found;
  };
  for (const what of [/^start: .* 1 service$/, /^start: .* 10 services$/, /^crash: /]) {
    const { n, median, samples } = of(what);
    assert.equal(n, samples.length);
    assert.ok(n >= 1 && median > 0, `${n} samples, median ${median}`);
  }
  assert.ok(of(/^start: .* 1 service$/).median > of(/^start: .* 1 service$/, 'floor').median / 4);
  assert.ok(of(/^size: on disk/, 'supervise.cjs').median < 500);
  for (const peer of PEERS.filter(({ name }) => ['s6', 'tini'].includes(name))) {
    const why = absence(peer);
    if (why) assert.ok(unrun.includes(`${peer.name} was not run: ${why}`), unrun.join('\n'));
    else assert.ok(of(/^start: .* 1 service$/, peer.name).median > 0);
  }
  const crash = bars.find(({ what }) => what.startsWith('crash'));
  assert.equal(crash?.met, of(/^crash: /).median <= 5);
  assert.equal(bars.find(({ what }) => what === 'idle')?.measured, 'not measured');
  assert.match(bench.output(), /^supervise +1 +[\d.]+ +[\d.]+ +[\d.]+ +1$/m);
  assert.ok(!bench.output().includes('given up'), bench.output());
  assert.deepEqual(withEnvironment(`SUPERVISE_BENCH=${bench.pid}-`), []);
});

test('Ctrl-C takes everything along', async (t) => {
  const bench = run(t, ['memory', '--only', 'supervise']);
  const mark = `SUPERVISE_BENCH=${bench.pid}-`;
  await until('the supervisor and its service', () => withEnvironment(mark).length >= 2);
  process.kill(bench.pid, 'SIGINT');
  assert.equal(await bench.ended, 130, bench.output());
  assert.deepEqual(withEnvironment(mark), []);
});

test('what is mistyped is said in words', async (t) => {
  for (const [args, words] of [
    [['starts'], /^bench: there is no measure starts; there are start, stop, /],
    [['--only', 'upstart'], /^bench: there is no peer upstart; there are floor, supervise, /],
    [['--rounds', 'many'], /^bench: --rounds many is no number of rounds$/m],
  ] as const) {
    const bench = run(t, args);
    assert.equal(await bench.ended, 100);
    assert.match(bench.output(), words);
  }
});

function run(t: Parameters<typeof tempDir>[0], args: readonly string[]) {
  const child = spawn(NODE, [BENCH, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  // It takes what it started along.
  t.after(() => child.kill('SIGTERM') && ended);
  return { pid: child.pid ?? 0, ended, output: () => output };
}
