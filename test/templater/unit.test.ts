/** A kill between any two steps of a rollout: each file is whole, and the next templater finds all of them of one generation. */
import assert from 'node:assert/strict';
import fs, { constants, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Judgement } from '../../src/core/link.ts';
import { createLog } from '../../src/log.ts';
import { type Job, newJob } from '../../src/templater/job.ts';
import { createPrevious } from '../../src/templater/previous.ts';
import type { Template } from '../../src/templater/templates.ts';
import { Unit } from '../../src/templater/unit.ts';
import { generationOf } from '../../src/templater/write.ts';
import { tempDir } from '../tree.ts';

const NAMES = ['one/a.conf', 'one/b.conf', 'other/c.conf'];
/** What changes the disk. */
const STEPS = ['openSync', 'writeFileSync', 'fchmodSync', 'linkSync', 'renameSync', 'rmSync'] as const;

const log = createLog({ format: 'text', level: 'silent', write: () => {} });

class Killed extends Error {}

/** Lets so many changes of the disk happen; then nothing more does. A write is cut in the middle. Returns whether it came to that. */
async function killAfter(steps: number, work: () => Promise<void>): Promise<boolean> {
  const real = Object.fromEntries(STEPS.map((name) => [name, fs[name]])) as Record<
    string,
    (...args: unknown[]) => unknown
  >;
  let left = steps;
  for (const name of STEPS)
    Object.assign(fs, {
      [name]: (...args: unknown[]) => {
        const [, flags] = args;
        const isLook = name === 'openSync' && typeof flags === 'number' && !(flags & constants.O_CREAT);
        if (isLook || left-- > 0) return real[name]?.(...args);
        if (left === -1 && name === 'writeFileSync') real[name]?.(args[0], String(args[1]).slice(0, 2));
        throw new Killed();
      },
    });
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    Object.assign(fs, real);
    syncBuiltinESMExports();
  }
  return left < 0;
}

/** A unit as a templater that was just started has it, on a tree that has seen what `seen` says. */
async function startUnit(
  directory: string,
  seen: string,
): Promise<{ unit: Unit; work(value: string): Promise<void>; heard(judgement: Partial<Judgement>): void }> {
  const { signal } = new AbortController();
  const unit = new Unit({ service: 'app', previous: createPrevious(), log, signal, again: () => {} });
  const jobs = NAMES.map((name): Job => {
    const dest = join(directory, name);
    const settings = { dest, mode: 0o640, owner: undefined, check: undefined, onChange: 'restart' };
    return newJob({ id: name, service: 'app', directory, file: name, settings } as unknown as Template);
  });
  const heard = (judgement: Partial<Judgement>): void => {
    const standing = { service: 'app', seen, hold: false, good: null, bad: [], actedMsAgo: null };
    unit.heard({ ...standing, ...judgement });
  };
  heard({});
  await unit.adopt(jobs, new Set(jobs));
  await unit.mendTorn();
  return {
    unit,
    heard,
    work: (value) =>
      unit.work(new Map(jobs.map((job) => [job, Buffer.from(contentOf(job.template.id, value))]))),
  };
}

function contentOf(name: string, value: string): string {
  return `${name} ${value}\n`;
}

/** What each file holds, in one word. */
function valuesIn(directory: string): string[] {
  return NAMES.map((name) => {
    const text = readFileSync(join(directory, name), 'utf8');
    const value = ['old', 'new', 'newer'].find((each) => text === contentOf(name, each));
    return value ?? assert.fail(`${name} holds ${JSON.stringify(text)}`);
  });
}

/** Files of a service that runs on them. */
async function inUse(directory: string): Promise<string> {
  for (const name of ['one', 'other']) mkdirSync(join(directory, name), { recursive: true });
  for (const name of NAMES) writeFileSync(join(directory, name), contentOf(name, 'old'), { mode: 0o640 });
  const { unit } = await startUnit(directory, '');
  return generationOf(unit.files ?? []);
}

test('a kill between any two steps of a rollout', async (t) => {
  let torn = 0;
  for (let steps = 0; ; steps++) {
    const directory = tempDir(t);
    const seen = await inUse(directory);
    const { work } = await startUnit(directory, seen);
    const isCut = await killAfter(steps, () => work('new'));
    const values = valuesIn(directory);
    if (new Set(values).size > 1) torn++;
    if (!isCut) assert.deepEqual(values, ['new', 'new', 'new']);

    const { unit, ...next } = await startUnit(directory, seen);
    assert.deepEqual(valuesIn(directory), ['old', 'old', 'old'], `after ${steps} steps`);
    await next.work('newer');
    assert.deepEqual(valuesIn(directory), ['newer', 'newer', 'newer']);
    assert.equal(unit.canGoBack, true);
    const judged = generationOf(unit.files ?? []);
    next.heard({ seen: judged, good: judged });
    await next.work('newer');
    for (const name of NAMES) assert.equal(statSync(join(directory, name)).mode & 0o777, 0o640);
    assert.deepEqual(readdirSync(join(directory, 'one')), ['a.conf', 'b.conf'], `after ${steps} steps`);
    assert.deepEqual(readdirSync(join(directory, 'other')), ['c.conf']);
    if (!isCut) break;
    assert.ok(steps < 100);
  }
  assert.equal(torn, 2, 'between the renames, and nowhere else, is half a generation in place');
});

test('what the disk refuses at the last step takes the others back, and leaves nothing', async (t) => {
  const directory = tempDir(t);
  const seen = await inUse(directory);
  const { unit, work } = await startUnit(directory, seen);
  const { renameSync } = fs;
  t.mock.method(fs, 'renameSync', (from: string, to: string) => {
    if (to.endsWith('c.conf') && from.includes('-new-')) throw Object.assign(new Error(), { code: 'ENOSPC' });
    renameSync(from, to);
  });
  syncBuiltinESMExports();
  try {
    await work('new');
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
  assert.deepEqual(valuesIn(directory), ['old', 'old', 'old']);
  assert.equal(unit.canGoBack, false);
  assert.deepEqual(readdirSync(join(directory, 'one')), ['a.conf', 'b.conf']);
  unit.forget();
});
