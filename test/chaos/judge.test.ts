/** The judge believes nothing that was not done, and all that was: orders that wait, runs that are heard of late. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Book } from './book.ts';
import { Judge } from './judge.ts';
import { Ledger } from './ledger.ts';
import type { Nature } from './services.ts';
import { Truth } from './truth.ts';
import { Verdicts } from './verdicts.ts';

const USR2 = 12;

test('an order counts for the run that it reached, however long it waited', (t) => {
  const { ledger, tell, later, judge } = court(t);
  ledger.ordered('sleeps', USR2);
  later(3000);
  tell('started', { pid: 7 });
  tell('signalled', { signal: 'SIGUSR2' });
  tell('died', { signal: 'SIGUSR2' });
  assert.equal(judge(), undefined);
});

test('an order that was not passed on explains no end', (t) => {
  const { ledger, tell, judge } = court(t);
  tell('started', { pid: 7 });
  ledger.ordered('sleeps', USR2);
  tell('died', { signal: 'SIGUSR2' });
  assert.equal(judge(), 'every status is exact');
});

test('one order is one signal', (t) => {
  const { ledger, tell, judge } = court(t);
  ledger.ordered('sleeps', USR2);
  for (const pid of [7, 8]) {
    tell('started', { pid });
    tell('signalled', { signal: 'SIGUSR2' });
    tell('died', { signal: 'SIGUSR2' });
  }
  assert.equal(judge(), 'a signal is passed on as ordered, once');
});

test('what befell a run before we heard of it counts; what befell the one before it with that pid does not', (t) => {
  for (const [isHeard, found] of [
    [false, undefined],
    [true, 'every status is exact'],
  ] as const) {
    const { ledger, tell, later, judge } = court(t);
    ledger.sent(7, USR2, isHeard);
    later(3000);
    tell('started', { pid: 7 });
    tell('died', { signal: 'SIGUSR2' });
    assert.equal(judge(), found);
  }
});

/** One sleeper, and a clock that stands still. */
function court(t: TestContext) {
  let now = 100_000;
  t.mock.method(performance, 'now', () => now);
  const directory = mkdtempSync(join(tmpdir(), 'supervise-judge-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const natures = new Map<string, Nature>([
    ['sleeps', { name: 'sleeps', kind: 'sleeper', hasFinish: false }],
  ]);
  const [book, ledger, verdicts] = [new Book(), new Ledger(), new Verdicts()];
  const judge = new Judge({ natures, book, truth: new Truth(directory), ledger, verdicts });
  let seq = 0;
  return {
    ledger,
    later: (ms: number): void => {
      now += ms;
    },
    tell: (event: string, fields: Record<string, string | number>): void =>
      book.take({ v: 1, seq: ++seq, time: '', level: 'info', service: 'sleeps', event, fields }),
    /** @returns what was not as it must be */
    judge: (): string | undefined => {
      judge.judge(false);
      return verdicts.violation?.invariant;
    },
  };
}
