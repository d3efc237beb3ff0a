/** The tree, its control and its end, on a machine without time: in any order of events, and to each end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Request } from '../../src/control/protocol.ts';
import type { Member } from '../../src/member.ts';
import { runs, SHRINKS } from '../nightly.ts';
import { DICE, EDITS, goOn, type Manners, SETUP, THROWS, throwAll } from './play.ts';
import { World } from './world.ts';

type Ending = (world: World) => Promise<void>;

const WELL: Manners = { obeysAfter: 3, isWell: true };

/** Any beginning and anything after it, then this end. */
async function play(ending: Ending, quick: number): Promise<void> {
  let steps = 0;
  let ends = 0;
  const count = runs(quick, THROWS);
  await fc.assert(
    fc.asyncProperty(SETUP, EDITS, DICE, async (setup, edits, dice) => {
      const world = new World(setup);
      try {
        if (!world.start()) return;
        await throwAll(world, dice, edits);
        if (world.exitCode === undefined) await ending(world);
        steps += world.steps;
        ends++;
      } finally {
        world.leave();
      }
    }),
    { numRuns: count, endOnFailure: !SHRINKS },
  );
  assert.ok(
    ends > count / 2 && steps > (count * THROWS) / 2,
    `only ${steps} steps in ${ends} of ${count} trees`,
  );
}

test('where all is well from here on, each service comes to what it was told, or says why not; and every client is answered', async () => {
  await play(async (world) => {
    await goOn(world, WELL, 30_000);
    if (world.exitCode !== undefined) return;
    for (const member of world.members) assertSettled(world, member);
    for (const { request } of world.asked) assert.ok(isOpen(world, request), JSON.stringify(request));
    assertNoTimers(world);
  }, 150);
});

test('what is ordered where all is well comes true: up, restart, down, and up again', async () => {
  await play(async (world) => {
    await goOn(world, WELL, 30_000);
    const names = world.members
      .filter((member) => isWhole(world.tree, member))
      .map(({ runner }) => runner.name);
    if (world.exitCode !== undefined || world.tree.stopping || names.length === 0) return;
    const isOrdered = async (verb: 'up' | 'restart' | 'down', until: 'ready' | 'down'): Promise<boolean> => {
      const { request, reply: refusal } = world.ask({ do: verb, services: names, until });
      if (refusal && !refusal.ok) {
        // Read again, it is of no use any more.
        assert.match(
          refusal.error,
          /^cannot (read|start|order|use|find)|waits for/,
          `${refusal.error}: ${JSON.stringify(request)}`,
        );
        return false;
      }
      const answer = world.asked.at(-1);
      await goOn(world, WELL, 30_000);
      if (world.exitCode !== undefined) return false;
      const reply = refusal ?? answer?.reply;
      // A templater that was told to be down renders nothing.
      assert.ok(reply ? reply.ok : isOpen(world, request), `${verb} ${names}: ${JSON.stringify(reply)}`);
      return reply !== undefined;
    };
    if (!(await isOrdered('up', 'ready'))) return;
    const pids = names.map((name) => world.tree.members.get(name)?.runner.service.pid);
    if (!(await isOrdered('restart', 'ready'))) return;
    for (const [i, name] of names.entries()) {
      const pid = world.tree.members.get(name)?.runner.service.pid;
      assert.ok(pid === undefined || pid !== pids[i], `${name} was not restarted`);
    }
    await isOrdered('down', 'down');
    await isOrdered('up', 'ready');
  }, 150);
});

test('a stop ends within the budget, though nobody obeys', async () => {
  await play(async (world) => {
    const { stopTimeout } = world.setup;
    // In a stop that has begun already, timers were late.
    const isWhole = !world.tree.stopping;
    await world.take(() => world.stopInOrder());
    await goOn(world, { obeysAfter: undefined, isWell: false }, 2 * stopTimeout);
    assert.notEqual(world.exitCode, undefined, 'it never ended');
    if (!isWhole) return;
    assert.ok(world.stopTook <= stopTimeout, `${world.stopTook} of ${stopTimeout} ms`);
    assert.equal(world.said.get('ran out of time to stop'), undefined);
  }, 150);
});

test('a stop ends as soon as the last process has, and a second one waits for nobody', async () => {
  await play(async (world) => {
    const begun = world.machine.now;
    await world.take(() => world.stopInOrder());
    await goOn(world, { obeysAfter: 1, isWell: true }, 1000);
    assert.notEqual(world.exitCode, undefined, 'it never ended');
    assert.ok(world.endedAt - begun <= 500, `${world.endedAt - begun} ms`);
  }, 60);
  await play(async (world) => {
    world.machine.isPrompt = () => true;
    const begun = world.machine.now;
    await world.take(() => {
      world.stop();
      world.shutdown.force();
    });
    await goOn(world, { obeysAfter: undefined, isWell: false }, 2000);
    assert.notEqual(world.exitCode, undefined, 'it never ended');
    // A finish hook that nobody can hurry has a second.
    assert.ok(world.endedAt - begun <= 1000 + 100, `${world.endedAt - begun} ms`);
  }, 60);
});

/** Nothing keeps it, or what it depends on, from being started; that somebody says it is not run here apart. */
function isWhole(tree: World['tree'], member: Member): boolean {
  return (
    !member.problem && !member.removed && tree.dependenciesOf(member).every((other) => isWhole(tree, other))
  );
}

/** It is where it was told to be, or says what keeps it from there. */
function assertSettled({ tree }: World, member: Member): void {
  const { runner, asked, problem } = member;
  const { is, want } = runner.service;
  const words = `${runner.name} is ${is}, wanted ${want}, asked ${asked}: ${tree.waitsFor(member)}`;
  if (problem && runner.isSettled) return;
  if (asked) {
    const roots = tree.dependenciesOf(member);
    const isShut = runner.config.hasTemplates && !tree.gate.isOpen(runner.name);
    assert.ok(roots.length > 0 || isShut, words);
    for (const { runner: other, asked: its, problem: its2 } of roots)
      assert.ok(its || its2 || other.service.want === 'down' || other.service.is === 'failed', words);
    return;
  }
  const ends = want === 'down' ? ['down'] : ['ready', 'done', 'failed'];
  assert.ok(ends.includes(is), words);
}

/** Whether there is no answer yet, where all is at rest. */
function isOpen({ tree }: World, { do: verb, services, until }: Request): boolean {
  const members = services.flatMap((name) => tree.members.get(name) ?? []);
  // The end of a run that goes on is waited for as long as it does; and two may never be down at once.
  if (until === 'down')
    return verb !== 'down' || members.some(({ runner, asked }) => !runner.isSettled || asked);
  return members.some((member) => waitsAtGate(tree, member));
}

/** A start that waits for templates, its own or those of what it depends on. */
function waitsAtGate(tree: World['tree'], member: Member): boolean {
  const { runner, asked, problem } = member;
  if (!asked || problem) return false;
  const isShut = runner.config.hasTemplates && !tree.gate.isOpen(runner.name);
  return isShut || tree.dependenciesOf(member).some((other) => waitsAtGate(tree, other));
}

/** But for those who are asked again and again. */
function assertNoTimers({ machine, members }: World): void {
  const probed = members.filter(({ runner }) => runner.service.is === 'ready').length;
  const dues = [...machine.alarms].filter(({ rung }) => !rung);
  assert.ok(
    dues.length <= probed,
    `${dues.map(({ due }) => due)} of ${machine.now}, ${probed} health checks`,
  );
  assert.equal(machine.timers.size, 0, 'a timer was left behind');
}
