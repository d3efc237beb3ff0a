/** What the walks of tree.test.ts have found, each as a story of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyServiceDir, type RawServiceDir } from '../../src/core/servicedir.ts';
import { goOn } from './play.ts';
import { type Setup, World } from './world.ts';

const SETUP: Setup = {
  services: [],
  hasCommand: false,
  hasReaper: true,
  hooks: [],
  disabled: [],
  stopTimeout: 9000,
  settle: 0,
  gate: 'wait',
};

/** A service that is ready when it says so; `texts` and `more` over that. */
function service(name: string, needs: string[] = [], more: Partial<RawServiceDir> = {}): RawServiceDir {
  return {
    ...emptyServiceDir(name, `/s/${name}`),
    run: { is: 'ok' },
    texts: new Map([['notification-fd', '3']]),
    dependencies: needs,
    ...more,
  };
}

const BROKEN: Partial<RawServiceDir> = { run: { is: 'missing' } };
const TEMPLATES: Partial<RawServiceDir> = { templates: ['x.hbs'] };

function tell(name: string, setup: Partial<Setup>, story: (world: World) => Promise<void>): void {
  test(name, async () => {
    const world = new World({ ...SETUP, ...setup });
    world.machine.isPrompt = () => true;
    try {
      assert.ok(world.start());
      await story(world);
    } finally {
      world.leave();
    }
  });
}

/** The state of a service, and what it waits for. */
function at(world: World, name: string): string {
  const member = world.tree.members.get(name);
  if (!member) return 'unknown';
  return [member.runner.service.is, ...world.tree.waitsFor(member)].join(', ');
}

async function order(
  world: World,
  verb: 'up' | 'once' | 'down' | 'restart' | 'rescan',
  ...services: string[]
): Promise<string> {
  let reply: unknown;
  await world.take(() => {
    reply = world.ask({ do: verb, services }).reply;
  });
  return (reply as { error?: string }).error ?? 'yes';
}

async function sayReady(world: World, name: string): Promise<void> {
  const { pid = 0 } = world.tree.members.get(name)?.runner.service ?? {};
  await world.take(() => void world.machine.children.get(pid)?.sockets.get(3)?.hear(Buffer.from('\n')));
}

async function exit(world: World, name: string, code: number): Promise<void> {
  const { pid = 0 } = world.tree.members.get(name)?.runner.service ?? {};
  const child = world.machine.children.get(pid);
  assert.ok(child);
  await world.take(() => world.machine.exit(child, code, 0));
}

tell(
  'whoever waits for a disabled service that somebody has started goes on without it when it is down again',
  { services: [service('db'), service('web', ['db'])], disabled: ['db'] },
  async (world) => {
    await order(world, 'down', 'web');
    await exit(world, 'web', 0);
    await order(world, 'up', 'db');
    await order(world, 'up', 'web');
    assert.equal(at(world, 'web'), 'down, db (nothing written to descriptor 3 yet)');
    await order(world, 'down', 'db');
    assert.equal(at(world, 'web'), 'up');
  },
);

tell(
  'a start that waits goes on waiting when it is told to restart while the old run still ends',
  { services: [service('db'), service('web', ['db'])] },
  async (world) => {
    await sayReady(world, 'db');
    await exit(world, 'db', 1);
    await order(world, 'down', 'web');
    await order(world, 'up', 'web');
    assert.equal(at(world, 'web'), 'stopping, db (backoff)');
    await order(world, 'restart', 'web');
    await exit(world, 'web', 0);
    assert.equal(at(world, 'web'), 'down, db (backoff)');
    await order(world, 'restart', 'db');
    await sayReady(world, 'db');
    assert.equal(at(world, 'web'), 'up');
  },
);

for (const [what, edit, waits] of [
  ['waits for what it depends on', undefined, 'down, db (backoff)'],
  ['is not started when its directory is of no use any more', BROKEN, 'down'],
] as const)
  tell(
    `a service that has failed and gets new config ${what}`,
    {
      services: [
        service('db'),
        service('web', ['db'], { ...TEMPLATES, texts: new Map([['restart', 'never']]) }),
      ],
    },
    async (world) => {
      await world.take(() => world.render('web', 'one', false));
      await sayReady(world, 'db');
      await exit(world, 'web', 1);
      if (edit) {
        world.edit([service('db'), service('web', ['db'], { ...TEMPLATES, ...edit })]);
        await order(world, 'rescan');
      } else await exit(world, 'db', 1);
      assert.match(at(world, 'web'), /^failed/);
      await world.take(() => world.render('web', 'two', false));
      assert.equal(at(world, 'web'), waits);
    },
  );

tell(
  'a service that waits to be mended starts when it is, though the order that read it is refused for another',
  { services: [service('a', [], BROKEN), service('b', ['a']), service('c', [], BROKEN)] },
  async (world) => {
    world.edit([service('a'), service('b', ['a']), service('c', [], BROKEN)]);
    assert.equal(await order(world, 'up', 'a', 'c'), 'cannot start "c": /s/c has no run');
    assert.equal(at(world, 'a'), 'up');
  },
);

tell(
  'a service whose directory has come back stays, whatever else is not read yet',
  { services: [service('a'), service('b')] },
  async (world) => {
    world.edit([service('b')]);
    await order(world, 'rescan');
    world.edit([service('a'), service('b')]);
    assert.equal(await order(world, 'up', 'a'), 'yes');
    await exit(world, 'a', 0);
    await order(world, 'down', 'a');
    await exit(world, 'a', 0);
    assert.equal(at(world, 'a'), 'down');
  },
);

tell(
  'what is on its way out is nothing to depend on, and the templater that nobody needs is not started again',
  { services: [service('a'), service('b'), service('c', [], TEMPLATES)] },
  async (world) => {
    world.edit([service('b')]);
    await order(world, 'rescan');
    world.edit([service('a'), service('b', ['a'])]);
    assert.equal(
      await order(world, 'up', 'b'),
      'cannot order services: "b" depends on "a", which is no service',
    );
    assert.equal(
      await order(world, 'restart', 'templater'),
      'cannot start "templater": no service needs it any more',
    );
    await goOn(world, { obeysAfter: 1, isWell: true }, 10_000);
    assert.deepEqual([...world.tree.members.keys()], ['b']);
  },
);
