/** The life of a service: stories of `[at, event, what follows]`, then properties over random worlds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type Death,
  type Effect,
  type Event,
  FINISH_NO_RESTART,
  isAlive,
  isForgiven,
  isUp,
  type LifeConfig,
  newService,
  type Service,
  type State,
  step,
  type Verdict,
  verdict,
  type Want,
} from '../../src/core/lifecycle.ts';
import { runs } from '../nightly.ts';

const CONFIG: LifeConfig = {
  type: 'longrun',
  hasFinish: false,
  notifies: false,
  restart: 'always',
  restartDelay: { min: 1000, max: 30_000 },
  restartLimit: undefined,
  timeoutUp: undefined,
  timeoutKill: 5000,
  timeoutFinish: 5000,
};

type Row = readonly [at: number, event: Event, follows: string];

const up: Event = { type: 'up' };
const once: Event = { type: 'up', once: true };
const down: Event = { type: 'down' };
const restart: Event = { type: 'restart' };
const kill: Event = { type: 'kill' };
const notified: Event = { type: 'notified' };
const unhealthy: Event = { type: 'unhealthy' };
const timeout: Event = { type: 'timeout' };
const spawned = (pid: number): Event => ({ type: 'spawned', pid });
const exit = (code: number): Event => ({ type: 'exited', code, signal: 0 });
const died = (signal: number): Event => ({ type: 'exited', code: 0, signal });
const refused: Event = { type: 'refused', code: 127, reason: 'cannot execute ./run' };
const downBy = (killBy: number): Event => ({ type: 'down', killBy });

/** Tells a story and holds each step against what is said to follow; the whole trace is compared, so that a failure shows it. */
function tell(config: Partial<LifeConfig>, rows: readonly Row[]): Service {
  let service = newService(0);
  const trace: string[] = [];
  for (const [at, event] of rows) {
    const { next, effects } = step(service, event, { ...CONFIG, ...config }, at);
    trace.push(line(at, event, inWords(next, effects)));
    service = next;
  }
  assert.equal(trace.join('\n'), rows.map((row) => line(...row)).join('\n'));
  return service;
}

function line(at: number, { type, ...values }: Event, follows: string): string {
  return `${at} ${[type, ...Object.values(values)].join(' ')} → ${follows}`;
}

/** `stopping @5100 | term 10`: the state, its deadline, the effects. */
function inWords(service: Service, effects: readonly Effect[]): string {
  const deadline = service.deadline === undefined ? '' : ` @${service.deadline}`;
  return [`${service.is}${deadline}`, ...effects.map(effectInWords)].join(' | ');
}

function effectInWords(effect: Effect): string {
  switch (effect.do) {
    case 'run':
      return 'run';
    case 'finish':
      return `finish ${effect.death.code} ${effect.death.signal} ${effect.death.pgid}`;
    case 'term':
    case 'kill':
      return `${effect.do} ${effect.pid}`;
    case 'sweep':
      return `sweep ${effect.pgid}`;
    case 'crashed':
      return `crashed, ${verdictInWords(effect.next)}`;
    case 'over':
      return `over ${effect.death.code} ${effect.death.signal}`;
  }
}

function verdictInWords(next: Verdict): string {
  return next.to === 'restart' ? `restart in ${next.delayMs}` : next.to;
}

describe('a start', () => {
  test('without readiness of its own: ready once executed', () => {
    const service = tell({}, [
      [5, up, 'starting | run'],
      [6, spawned(10), 'ready'],
    ]);
    assert.deepEqual(
      [service.want, service.pid, service.startedAt, service.readyAt, service.since],
      ['up', 10, 6, 6, 6],
    );
  });

  test('with a descriptor: ready when told, and told twice is told once', () => {
    const service = tell({ notifies: true }, [
      [0, up, 'starting | run'],
      [1, spawned(10), 'up'],
      [9, notified, 'ready'],
      [12, notified, 'ready'],
    ]);
    assert.equal(service.readyAt, 9);
    assert.equal(service.startedAt, 1);
  });

  test('of what runs already: only the wish changes', () => {
    const service = tell({}, [
      [0, once, 'starting | run'],
      [1, spawned(10), 'ready'],
      [2, up, 'ready'],
    ]);
    assert.equal(service.want, 'up');
  });

  test('once asked for while starting: not started again', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [0, once, 'starting'],
      [1, spawned(10), 'ready'],
      [9000, exit(0), 'down | sweep 10 | over 0 0'],
    ]);
  });
});

describe('restart policy', () => {
  const ends = (code: number, follows: string): Row[] => [
    [0, up, 'starting | run'],
    [0, spawned(10), 'ready'],
    [2000, exit(code), follows],
  ];
  const rows: [LifeConfig['restart'], number, string][] = [
    ['always', 0, 'starting | sweep 10 | run'],
    ['always', 3, 'starting | sweep 10 | run | crashed, restart in 0'],
    ['on-failure', 0, 'down | sweep 10 | over 0 0'],
    ['on-failure', 3, 'starting | sweep 10 | run | crashed, restart in 0'],
    ['never', 0, 'down | sweep 10 | over 0 0'],
  ];
  for (const [policy, code, follows] of rows)
    test(`${policy}, exit ${code}: ${follows}`, () => void tell({ restart: policy }, ends(code, follows)));

  test('never, exit 3: failed, and the crash is told ahead of the end', () => {
    const service = tell({ restart: 'never' }, ends(3, 'failed | sweep 10 | crashed, failed | over 3 0'));
    assert.equal(service.want, 'up', 'a failed service is still wanted, and so `check` complains');
  });

  test('a signal is a crash like any other: 256 and its number', () => {
    const { death } = tell({ restart: 'on-failure' }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [2000, died(9), 'starting | sweep 10 | run | crashed, restart in 0'],
    ]);
    assert.deepEqual(death, {
      kind: 'crash',
      code: 256,
      signal: 9,
      ranMs: 2000,
      reason: undefined,
      pgid: 10,
    });
  });

  test('once: neither a crash nor exit 0 starts it again', () => {
    tell({}, [
      [0, once, 'starting | run'],
      [0, spawned(10), 'ready'],
      [2000, exit(0), 'down | sweep 10 | over 0 0'],
      [3000, once, 'starting | run'],
      [3000, spawned(11), 'ready'],
      [3001, exit(1), 'down | sweep 11 | crashed, down | over 1 0'],
    ]);
  });

  test('an ordered restart of a once service is one more run, no more', () => {
    tell({}, [
      [0, once, 'starting | run'],
      [0, spawned(10), 'ready'],
      [10, restart, 'stopping @5010 | term 10'],
      [20, died(15), 'starting | sweep 10 | run'],
      [20, spawned(11), 'ready'],
      [30, exit(0), 'down | sweep 11 | over 0 0'],
    ]);
  });
});

describe('restart-delay', () => {
  test('a run of at least the minimum starts again at once, one of less waits, and the delay doubles up to the maximum', () => {
    const service = tell({ restartDelay: { min: 100, max: 300 } }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [99, exit(1), 'backoff @199 | sweep 1 | crashed, restart in 100'],
      [199, timeout, 'starting | run'],
      [199, spawned(2), 'ready'],
      [200, exit(1), 'backoff @400 | sweep 2 | crashed, restart in 200'],
      [400, timeout, 'starting | run'],
      [400, spawned(3), 'ready'],
      [401, exit(1), 'backoff @701 | sweep 3 | crashed, restart in 300'],
      [701, timeout, 'starting | run'],
      [701, spawned(4), 'ready'],
      [702, exit(1), 'backoff @1002 | sweep 4 | crashed, restart in 300'],
      [1002, timeout, 'starting | run'],
      [1002, spawned(5), 'ready'],
      [1102, exit(1), 'starting | sweep 5 | run | crashed, restart in 0'],
    ]);
    assert.equal(service.crashes, 5);
  });

  test('a run of the minimum does not make the delay forgotten; ready for the maximum does', () => {
    const forgotten = tell({ restartDelay: { min: 100, max: 300 } }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [1, exit(1), 'backoff @101 | sweep 1 | crashed, restart in 100'],
      [101, timeout, 'starting | run'],
      [101, spawned(2), 'ready'],
      [400, exit(1), 'starting | sweep 2 | run | crashed, restart in 0'],
      [400, spawned(3), 'ready'],
      [401, exit(1), 'backoff @601 | sweep 3 | crashed, restart in 200'],
      [601, timeout, 'starting | run'],
      [601, spawned(4), 'ready'],
      [901, exit(1), 'starting | sweep 4 | run | crashed, restart in 0'],
      [901, spawned(5), 'ready'],
      [902, exit(1), 'backoff @1002 | sweep 5 | crashed, restart in 100'],
    ]);
    assert.equal(forgotten.crashes, 2);
  });

  test('it is being ready that counts, not being up', () => {
    const service = tell({ notifies: true, restartDelay: { min: 100, max: 300 } }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'up'],
      [1, exit(1), 'backoff @101 | sweep 1 | crashed, restart in 100'],
      [101, timeout, 'starting | run'],
      [101, spawned(2), 'up'],
      [1000, notified, 'ready'],
      [1299, exit(1), 'starting | sweep 2 | run | crashed, restart in 0'],
    ]);
    assert.deepEqual([service.crashes, service.delay], [2, 100]);
  });

  test('that the run before was ready for long says nothing of this one', () => {
    const service = tell({ notifies: true, restartDelay: { min: 100, max: 300 } }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'up'],
      [1, notified, 'ready'],
      [50, exit(1), 'backoff @150 | sweep 1 | crashed, restart in 100'],
      [150, timeout, 'starting | run'],
      [150, spawned(2), 'up'],
      [400, exit(1), 'starting | sweep 2 | run | crashed, restart in 0'],
    ]);
    assert.deepEqual([service.crashes, service.delay], [2, 100]);
  });

  test('exit 0 in no time waits too, and its delays double', () => {
    tell({ restartDelay: { min: 100, max: 300 } }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [1, exit(0), 'backoff @101 | sweep 1'],
      [101, timeout, 'starting | run'],
      [101, spawned(2), 'ready'],
      [102, exit(0), 'backoff @302 | sweep 2'],
    ]);
  });

  test('finish runs inside the delay, not in front of it', () => {
    tell({ hasFinish: true, restartDelay: { min: 100, max: 300 } }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [10, exit(1), 'finishing | finish 1 0 1'],
      [10, spawned(2), 'finishing @5010'],
      [50, exit(0), 'backoff @110 | sweep 1 | crashed, restart in 60'],
    ]);
    tell({ hasFinish: true, restartDelay: { min: 100, max: 300 } }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [10, exit(1), 'finishing | finish 1 0 1'],
      [10, spawned(2), 'finishing @5010'],
      [500, exit(0), 'starting | sweep 1 | run | crashed, restart in 0'],
    ]);
  });

  test('an order waits for no delay, and forgets the crashes before it', () => {
    for (const order of [up, restart]) {
      const service = tell({}, [
        [0, up, 'starting | run'],
        [0, spawned(1), 'ready'],
        [1, exit(1), 'backoff @1001 | sweep 1 | crashed, restart in 1000'],
        [2, order, 'starting | run'],
      ]);
      assert.deepEqual([service.crashes, service.delay, service.want], [0, 0, 'up']);
    }
  });
});

describe('no restart-delay at all', () => {
  const AT_ONCE = { restartDelay: { min: 0, max: 0 } };

  test('a crash starts again at once, and a row of them is broken by a second of being ready', () => {
    const service = tell(AT_ONCE, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [0, exit(1), 'starting | sweep 1 | run | crashed, restart in 0'],
      [0, spawned(2), 'ready'],
      [999, exit(1), 'starting | sweep 2 | run | crashed, restart in 0'],
      [999, spawned(3), 'ready'],
    ]);
    assert.equal(service.crashes, 2);
    const config = { ...CONFIG, ...AT_ONCE };
    assert.equal(isForgiven(service, config, 1998), false);
    assert.equal(isForgiven(service, config, 1999), true);
    assert.equal(step(service, exit(1), config, 1999).next.crashes, 1);
  });

  test('but what cannot be executed is tried ten times a second, no oftener', () => {
    tell(AT_ONCE, [
      [0, up, 'starting | run'],
      [0, refused, 'backoff @100 | crashed, restart in 100'],
      [100, timeout, 'starting | run'],
      [100, refused, 'backoff @200 | crashed, restart in 100'],
    ]);
  });
});

test('a service that nobody has started', () => {
  assert.deepEqual(newService(7), {
    is: 'down',
    want: 'down',
    since: 7,
    deadline: undefined,
    pid: undefined,
    startedAt: 7,
    readyAt: undefined,
    death: undefined,
    crashes: 0,
    delay: 0,
    notBefore: 7,
    fault: undefined,
    ordered: false,
    killed: false,
  });
  assert.equal(FINISH_NO_RESTART, 125, 's6’s');
});

test('who lives, and on whom others may depend', () => {
  const states: State[] = [
    'down',
    'starting',
    'up',
    'ready',
    'done',
    'stopping',
    'finishing',
    'backoff',
    'failed',
  ];
  const those = (is: (service: Service) => boolean, pid?: number): State[] =>
    states.filter((state) => is({ ...newService(0), is: state, pid }));
  assert.deepEqual(those(isAlive), ['starting', 'finishing'], 'a child may be on its way');
  assert.deepEqual(those(isAlive, 7), states);
  assert.deepEqual(those(isUp), ['ready', 'done']);
});

test('isForgiven: not what was never ready', () => {
  assert.equal(isForgiven({ ...newService(0), is: 'up', pid: 1 }, CONFIG, 1e9), false);
});

test('finishing without a death, which cannot be, ends in down', () => {
  const { next, effects } = step({ ...newService(0), is: 'finishing', pid: 3 }, exit(0), CONFIG, 5);
  assert.deepEqual([next.is, next.since, effects], ['down', 5, []]);
});

describe('crashes in a row', () => {
  const QUICK = { restartDelay: { min: 1, max: 1000 } };

  test('are numbered from 1; a clean exit breaks the row', () => {
    const crash = (service: Service, at: number, event: Event): Service => {
      const started = step(service, spawned(at), { ...CONFIG, ...QUICK }, at).next;
      return step(started, event, { ...CONFIG, ...QUICK }, at + 5).next;
    };
    let service = step(newService(0), up, CONFIG, 0).next;
    const seen: number[] = [];
    for (const event of [exit(1), died(11), exit(2), exit(0), exit(1)]) {
      service = crash(service, seen.length * 10 + 1, event);
      seen.push(service.crashes);
    }
    assert.deepEqual(seen, [1, 2, 3, 0, 1]);
  });

  test('an ordered restart neither counts nor breaks the row', () => {
    const service = tell(QUICK, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [5, exit(1), 'starting | sweep 1 | run | crashed, restart in 0'],
      [5, spawned(2), 'ready'],
      [6, restart, 'stopping @5006 | term 2'],
      [7, exit(1), 'starting | sweep 2 | run'],
      [7, spawned(3), 'ready'],
      [17, exit(1), 'starting | sweep 3 | run | crashed, restart in 0'],
    ]);
    assert.equal(service.crashes, 2);
  });

  test('restart-limit: that many and it has failed, until somebody orders it', () => {
    const service = tell({ ...QUICK, restartLimit: 2 }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [5, exit(1), 'starting | sweep 1 | run | crashed, restart in 0'],
      [5, spawned(2), 'ready'],
      [15, exit(4), 'failed | sweep 2 | crashed, failed | over 4 0'],
      [16, timeout, 'failed'],
      [20, up, 'starting | run'],
      [20, spawned(3), 'ready'],
      [30, exit(1), 'starting | sweep 3 | run | crashed, restart in 0'],
    ]);
    assert.equal(service.crashes, 1);
  });

  test('restart-limit is of crashes in a row: one that was stable starts a new row, exit 0 is none', () => {
    tell({ restartDelay: { min: 1, max: 100 }, restartLimit: 2 }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [5, exit(1), 'starting | sweep 1 | run | crashed, restart in 0'],
      [5, spawned(2), 'ready'],
      [105, exit(1), 'starting | sweep 2 | run | crashed, restart in 0'],
      [105, spawned(3), 'ready'],
      [110, exit(0), 'starting | sweep 3 | run'],
      [110, spawned(4), 'ready'],
      [115, exit(1), 'starting | sweep 4 | run | crashed, restart in 0'],
      [115, spawned(5), 'ready'],
      [120, exit(1), 'failed | sweep 5 | crashed, failed | over 1 0'],
    ]);
  });
});

describe('a refused run', () => {
  test('is a crash without a process: no finish, no sweep, and always a delay', () => {
    const service = tell({ hasFinish: true, restartDelay: { min: 100, max: 150 } }, [
      [0, up, 'starting | run'],
      [0, refused, 'backoff @100 | crashed, restart in 100'],
      [100, timeout, 'starting | run'],
      [100, refused, 'backoff @250 | crashed, restart in 150'],
    ]);
    assert.equal(service.crashes, 2);
    assert.deepEqual(service.death, {
      kind: 'crash',
      code: 127,
      signal: 0,
      ranMs: 0,
      reason: 'cannot execute ./run',
      pgid: undefined,
    });
  });

  test('obeys never and the limit', () => {
    tell({ restart: 'never' }, [
      [0, up, 'starting | run'],
      [0, refused, 'failed | crashed, failed | over 127 0'],
    ]);
    tell({ restartLimit: 1 }, [
      [0, up, 'starting | run'],
      [0, refused, 'failed | crashed, failed | over 127 0'],
    ]);
  });

  test('of a finish: the verdict all the same', () => {
    tell({ hasFinish: true }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [2000, exit(1), 'finishing | finish 1 0 1'],
      [2000, refused, 'starting | sweep 1 | run | crashed, restart in 0'],
    ]);
  });
});

describe('a hold', () => {
  const crashed: Row[] = [
    [0, up, 'starting | run'],
    [0, spawned(1), 'ready'],
    [2000, exit(1), 'starting | sweep 1 | run | crashed, restart in 0'],
    [2000, { type: 'hold', until: 4000 }, 'backoff @4000'],
  ];

  test('of a start ends in time', () => {
    tell({}, [...crashed, [4000, timeout, 'starting | run']]);
  });

  test('gives way to an order', () => {
    tell({}, [...crashed, [2010, restart, 'starting | run']]);
    tell({}, [...crashed, [2010, down, 'down']]);
  });

  test('is nothing to what runs', () => {
    tell({}, [...crashed.slice(0, 2), [1, { type: 'hold', until: 4000 }, 'ready']]);
  });
});

describe('a stop', () => {
  test('TERM, then KILL at timeout-kill, then down', () => {
    const service = tell({}, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [100, down, 'stopping @5100 | term 10'],
      [5100, timeout, 'stopping | kill 10'],
      [5101, died(9), 'down | sweep 10'],
    ]);
    assert.equal(service.killed, true);
    assert.equal(service.death?.kind, 'stopped');
    assert.equal(service.crashes, 0);
  });

  test('is no crash, whatever the code', () => {
    tell({ restart: 'always' }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, down, 'stopping @5001 | term 10'],
      [2, exit(1), 'down | sweep 10'],
    ]);
  });

  test('no timeout-kill: waits', () => {
    tell({ timeoutKill: undefined }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, down, 'stopping | term 10'],
      [1e9, kill, 'stopping | kill 10'],
      [1e9, died(9), 'down | sweep 10'],
    ]);
  });

  test("a shutdown's budget cuts timeout-kill short, and never lengthens it", () => {
    const begin: Row[] = [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
    ];
    tell({}, [...begin, [1, downBy(300), 'stopping @300 | term 10']]);
    tell({}, [...begin, [1, downBy(9000), 'stopping @5001 | term 10']]);
    tell({ timeoutKill: undefined }, [...begin, [1, downBy(9000), 'stopping @9000 | term 10']]);
  });

  test('a budget that comes while it is stopping already cuts what is left, and no second TERM', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, restart, 'stopping @5001 | term 10'],
      [2, downBy(300), 'stopping @300'],
      [3, downBy(7000), 'stopping @300'],
      [4, down, 'stopping @300'],
    ]);
  });

  test('a budget bounds finish as well', () => {
    tell({ hasFinish: true }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, down, 'stopping @5001 | term 10'],
      [2, died(15), 'finishing | finish 256 15 10'],
      [2, spawned(11), 'finishing @5002'],
      [2, downBy(500), 'finishing @500'],
      [500, timeout, 'finishing | kill 11'],
      [501, died(9), 'down | sweep 10'],
    ]);
    tell({ hasFinish: true, timeoutFinish: undefined }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, exit(1), 'finishing | finish 1 0 10'],
      [2, downBy(500), 'finishing @500'],
      [3, spawned(11), 'finishing @500'],
    ]);
  });

  test('kill: at once, and once is enough', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, down, 'stopping @5001 | term 10'],
      [2, kill, 'stopping | kill 10'],
      [3, died(9), 'down | sweep 10'],
      [4, kill, 'down'],
    ]);
  });

  test('while starting: told to stop as soon as it is there', () => {
    const service = tell({ hasFinish: true }, [
      [0, up, 'starting | run'],
      [1, down, 'starting'],
      [2, spawned(10), 'stopping @5002 | term 10'],
      [3, died(15), 'finishing | finish 256 15 10'],
      [3, spawned(11), 'finishing @5003'],
      [4, exit(0), 'down | sweep 10'],
    ]);
    assert.equal(service.death?.kind, 'stopped');
  });

  test('while starting, inside a budget: the budget goes with it', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [1, downBy(300), 'starting @300'],
      [2, spawned(10), 'stopping @300 | term 10'],
    ]);
  });

  test('while starting, and refused: down, not tried again', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [1, down, 'starting'],
      [2, refused, 'down | crashed, down'],
    ]);
  });

  test('while starting, and up again before it is there: it goes on', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [1, down, 'starting'],
      [1, up, 'starting'],
      [2, spawned(10), 'ready'],
    ]);
  });

  test('while starting, and a restart after it: the last order counts', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [1, down, 'starting'],
      [1, restart, 'starting'],
      [2, spawned(10), 'ready'],
    ]);
  });

  test('of a backoff: down, and no timer is left', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [1, exit(1), 'backoff @1001 | sweep 1 | crashed, restart in 1000'],
      [2, down, 'down'],
      [1001, timeout, 'down'],
    ]);
  });

  test('while finishing: down when finish is done, without a second start and without `over`', () => {
    tell({ hasFinish: true }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [2000, exit(1), 'finishing | finish 1 0 1'],
      [2000, spawned(2), 'finishing @7000'],
      [2001, down, 'finishing @7000'],
      [2002, exit(0), 'down | sweep 1 | crashed, down'],
    ]);
  });

  test('of what failed: down', () => {
    const service = tell({ restart: 'never' }, [
      [0, up, 'starting | run'],
      [0, refused, 'failed | crashed, failed | over 127 0'],
      [1, down, 'down'],
    ]);
    assert.equal(service.want, 'down');
  });

  test('KILL that comes ahead of the child is kept for it', () => {
    tell({ timeoutKill: undefined }, [
      [0, up, 'starting | run'],
      [1, down, 'starting'],
      [1, kill, 'starting'],
      [2, spawned(10), 'stopping | kill 10'],
      [3, died(9), 'down | sweep 10'],
    ]);
    tell({ hasFinish: true, timeoutFinish: undefined }, [
      [0, up, 'starting | run'],
      [0, spawned(1), 'ready'],
      [1, exit(1), 'finishing | finish 1 0 1'],
      [2, kill, 'finishing'],
      [3, spawned(11), 'finishing | kill 11'],
    ]);
  });
});

test('a kill changes neither since when it is stopping nor what finish has', () => {
  const service = tell({ hasFinish: true }, [
    [0, up, 'starting | run'],
    [0, spawned(10), 'ready'],
    [1, down, 'stopping @5001 | term 10'],
    [5001, timeout, 'stopping | kill 10'],
  ]);
  assert.deepEqual([service.since, service.killed], [1, true]);
  const config = { ...CONFIG, hasFinish: true };
  const finishing = step(service, died(9), config, 5002).next;
  assert.deepEqual([finishing.is, finishing.killed], ['finishing', false]);
  const { next, effects } = step(finishing, spawned(11), config, 5003);
  assert.deepEqual([next.is, next.deadline, effects], ['finishing', 10_003, []]);
});

test('a kill of what runs is remembered, and what it died of is told', () => {
  const service = tell({}, [
    [0, up, 'starting | run'],
    [0, spawned(10), 'ready'],
    [3, kill, 'stopping | kill 10'],
  ]);
  assert.deepEqual([service.since, service.killed], [3, true]);
  const { next } = step(service, { type: 'exited', code: 0, signal: 9, reason: 'oom' }, CONFIG, 4);
  assert.deepEqual(
    [next.death?.kind, next.death?.reason, next.fault, next.killed],
    ['stopped', 'oom', undefined, false],
  );
});

describe('an ordered restart', () => {
  test('of what runs: stop, finish, start, with no delay and no crash', () => {
    const service = tell({ hasFinish: true, restart: 'never' }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, restart, 'stopping @5001 | term 10'],
      [2, died(15), 'finishing | finish 256 15 10'],
      [2, spawned(11), 'finishing @5002'],
      [3, exit(0), 'starting | sweep 10 | run'],
      [3, spawned(12), 'ready'],
    ]);
    assert.deepEqual([service.crashes, service.ordered], [0, false]);
  });

  test('of what is not ready yet', () => {
    tell({ notifies: true, timeoutUp: 100 }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'up @100'],
      [1, restart, 'stopping @5001 | term 10'],
      [2, died(15), 'starting | sweep 10 | run'],
    ]);
  });

  test('of what is down, or failed: a start', () => {
    tell({ restart: 'never' }, [
      [0, restart, 'starting | run'],
      [0, refused, 'failed | crashed, failed | over 127 0'],
      [1, restart, 'starting | run'],
    ]);
  });

  test('that the service meets with a kill: it starts again all the same', () => {
    tell({}, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, restart, 'stopping @5001 | term 10'],
      [5001, timeout, 'stopping | kill 10'],
      [5002, died(9), 'starting | sweep 10 | run'],
      [5002, spawned(11), 'ready'],
    ]);
  });

  test('while finishing: as soon as finish is done, whatever the policy says', () => {
    tell({ hasFinish: true, restart: 'never' }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, exit(1), 'finishing | finish 1 0 10'],
      [1, spawned(11), 'finishing @5001'],
      [2, restart, 'finishing @5001'],
      [3, exit(0), 'starting | sweep 10 | run | crashed, restart in 0'],
    ]);
  });

  test('so is an up after a down, while finishing', () => {
    tell({ hasFinish: true, restart: 'never' }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, exit(1), 'finishing | finish 1 0 10'],
      [1, spawned(11), 'finishing @5001'],
      [2, down, 'finishing @5001'],
      [3, up, 'finishing @5001'],
      [4, exit(0), 'starting | sweep 10 | run | crashed, restart in 0'],
    ]);
  });

  test('an up that changes nothing is no order: the policy and the delay stand', () => {
    tell({ hasFinish: true }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, exit(1), 'finishing | finish 1 0 10'],
      [1, spawned(11), 'finishing @5001'],
      [2, up, 'finishing @5001'],
      [3, exit(0), 'backoff @1001 | sweep 10 | crashed, restart in 998'],
    ]);
  });

  test('down after it: the last order counts; and up after that', () => {
    const begin: Row[] = [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [1, restart, 'stopping @5001 | term 10'],
      [2, down, 'stopping @5001'],
    ];
    tell({}, [...begin, [3, died(15), 'down | sweep 10']]);
    tell({}, [...begin, [3, up, 'stopping @5001'], [4, died(15), 'starting | sweep 10 | run']]);
  });
});

describe('a oneshot', () => {
  const ONESHOT = { type: 'oneshot', restart: 'never' } as const;

  test('is up while it runs and done once it has succeeded; nothing of it is over', () => {
    const service = tell(ONESHOT, [
      [0, up, 'starting | run'],
      [1, spawned(10), 'up'],
      [2, notified, 'up'],
      [90, exit(0), 'done | sweep 10'],
      [95, up, 'done'],
      [99, kill, 'done'],
    ]);
    assert.deepEqual([service.want, service.pid, service.crashes], ['up', undefined, 0]);
    assert.equal(service.death?.kind, 'ended');
  });

  test('is done after its finish, whatever that says', () => {
    tell({ ...ONESHOT, hasFinish: true }, [
      [0, up, 'starting | run'],
      [1, spawned(10), 'up'],
      [5, exit(0), 'finishing | finish 0 0 10'],
      [5, spawned(11), 'finishing @5005'],
      [6, exit(FINISH_NO_RESTART), 'done | sweep 10'],
    ]);
  });

  test('that fails has failed, until somebody orders it; with a policy it is tried again until it succeeds', () => {
    tell(ONESHOT, [
      [0, up, 'starting | run'],
      [1, spawned(10), 'up'],
      [9, exit(3), 'failed | sweep 10 | crashed, failed | over 3 0'],
      [20, up, 'starting | run'],
    ]);
    for (const policy of ['on-failure', 'always'] as const)
      tell({ ...ONESHOT, restart: policy }, [
        [0, up, 'starting | run'],
        [1, spawned(10), 'up'],
        [9, exit(3), 'backoff @1009 | sweep 10 | crashed, restart in 1000'],
        [1009, timeout, 'starting | run'],
        [1010, spawned(11), 'up'],
        [1020, exit(0), 'done | sweep 11'],
      ]);
  });

  test('runs again when it is told to, and goes down without a process to stop', () => {
    tell(ONESHOT, [
      [0, up, 'starting | run'],
      [1, spawned(10), 'up'],
      [9, exit(0), 'done | sweep 10'],
      [20, restart, 'starting | run'],
      [21, spawned(11), 'up'],
      [29, exit(0), 'done | sweep 11'],
      [30, down, 'down'],
    ]);
  });

  test('told to stop while it runs: TERM, and down', () => {
    tell(ONESHOT, [
      [0, up, 'starting | run'],
      [1, spawned(10), 'up'],
      [9, down, 'stopping @5009 | term 10'],
      [12, exit(0), 'down | sweep 10'],
    ]);
  });

  test('timeout-up bounds it', () => {
    tell({ ...ONESHOT, timeoutUp: 100 }, [
      [0, up, 'starting | run'],
      [1, spawned(10), 'up @101'],
      [101, timeout, 'stopping @5101 | term 10'],
      [102, died(15), 'failed | sweep 10 | crashed, failed | over 256 15'],
    ]);
  });

  test('started once, it is done once', () => {
    const service = tell(ONESHOT, [
      [0, once, 'starting | run'],
      [1, spawned(10), 'up'],
      [9, exit(0), 'done | sweep 10'],
    ]);
    assert.equal(service.want, 'once');
  });
});

test('unhealthy: told to stop, and that is a crash with this reason', () => {
  const service = tell({ notifies: true }, [
    [0, up, 'starting | run'],
    [1, spawned(10), 'up'],
    [2, unhealthy, 'up'],
    [3, notified, 'ready'],
    [5000, unhealthy, 'stopping @10000 | term 10'],
    [5001, unhealthy, 'stopping @10000'],
    [5010, exit(0), 'starting | sweep 10 | run | crashed, restart in 0'],
  ]);
  assert.deepEqual([service.crashes, service.death?.reason, service.death?.kind], [1, 'health', 'crash']);
});

describe('timeouts', () => {
  test('timeout-up: not ready by then is a crash with that reason', () => {
    const service = tell({ notifies: true, timeoutUp: 100, restart: 'on-failure' }, [
      [0, up, 'starting | run'],
      [10, spawned(10), 'up @110'],
      [110, timeout, 'stopping @5110 | term 10'],
      [120, exit(0), 'backoff @1120 | sweep 10 | crashed, restart in 1000'],
    ]);
    assert.deepEqual(
      [service.death?.kind, service.death?.reason, service.crashes],
      ['crash', 'timeout-up', 1],
    );
  });

  test('timeout-up: readiness that comes too late changes nothing', () => {
    tell({ notifies: true, timeoutUp: 100 }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'up @100'],
      [100, timeout, 'stopping @5100 | term 10'],
      [101, notified, 'stopping @5100'],
      [5100, timeout, 'stopping | kill 10'],
      [5101, died(9), 'starting | sweep 10 | run | crashed, restart in 0'],
    ]);
  });

  test('timeout-up: ready in time, and its deadline is gone', () => {
    tell({ notifies: true, timeoutUp: 100 }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'up @100'],
      [99, notified, 'ready'],
    ]);
  });

  test('timeout-up is for what tells its readiness', () => {
    tell({ timeoutUp: 100 }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
    ]);
  });

  test('timeout-up of a service that is then told to go down: down', () => {
    tell({ notifies: true, timeoutUp: 100 }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'up @100'],
      [100, timeout, 'stopping @5100 | term 10'],
      [101, down, 'stopping @5100'],
      [102, died(15), 'down | sweep 10 | crashed, down'],
    ]);
  });

  test('timeout-finish: KILL to the group of finish, and on', () => {
    tell({ hasFinish: true, timeoutFinish: 200 }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [2000, exit(1), 'finishing | finish 1 0 10'],
      [2000, spawned(11), 'finishing @2200'],
      [2200, timeout, 'finishing | kill 11'],
      [2201, died(9), 'starting | sweep 10 | run | crashed, restart in 0'],
    ]);
  });

  test('no timeout-finish: waits', () => {
    tell({ hasFinish: true, timeoutFinish: undefined }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [2000, exit(1), 'finishing | finish 1 0 10'],
      [2000, spawned(11), 'finishing'],
      [1e9, exit(0), 'starting | sweep 10 | run | crashed, restart in 0'],
    ]);
  });
});

describe('finish 125', () => {
  const finished = (code: number, follows: string, orders: Row[] = []): Row[] => [
    [0, up, 'starting | run'],
    [0, spawned(10), 'ready'],
    [2000, exit(code), `finishing | finish ${code} 0 10`],
    [2000, spawned(11), 'finishing @7000'],
    ...orders,
    [2001, exit(FINISH_NO_RESTART), follows],
  ];
  test('after a crash: failed', () => {
    const service = tell({ hasFinish: true }, finished(1, 'failed | sweep 10 | crashed, failed | over 1 0'));
    assert.equal(service.want, 'up');
  });
  test('after exit 0: down', () => {
    const service = tell({ hasFinish: true }, finished(0, 'down | sweep 10 | over 0 0'));
    assert.equal(service.want, 'down');
  });
  test('to a service that is told to go down: nothing more', () => {
    tell({ hasFinish: true }, finished(0, 'down | sweep 10', [[2000, down, 'finishing @7000']]));
  });
  test('any other code says nothing', () => {
    tell({ hasFinish: true }, [
      [0, up, 'starting | run'],
      [0, spawned(10), 'ready'],
      [2000, exit(0), 'finishing | finish 0 0 10'],
      [2000, spawned(11), 'finishing @7000'],
      [2001, exit(124), 'starting | sweep 10 | run'],
    ]);
  });
});

test('what is not of a state leaves it as it is, the very same object', () => {
  const strange: [State, Event[]][] = [
    ['down', [down, kill, spawned(7), refused, exit(1), notified, timeout]],
    ['backoff', [kill, spawned(7), refused, exit(1), notified]],
    ['failed', [kill, spawned(7), refused, exit(1), notified, timeout]],
    ['starting', [exit(1), notified]],
    ['ready', [spawned(7), refused, notified, timeout]],
    ['done', [kill, spawned(7), refused, exit(1), notified, unhealthy, timeout]],
    ['up', [unhealthy]],
  ];
  for (const [is, events] of strange)
    for (const event of events) {
      const service: Service = { ...newService(0), is, pid: is === 'ready' ? 3 : undefined };
      const { next, effects } = step(service, event, CONFIG, 9);
      assert.equal(next, service, `${is} on ${event.type}`);
      assert.deepEqual(effects, []);
    }
});

test('verdict: what was told to stop and is wanted starts again, however often it is to run', () => {
  const death: Death = { kind: 'stopped', code: 0, signal: 0, ranMs: 5, reason: undefined, pgid: 7 };
  for (const want of ['up', 'once'] as const)
    assert.deepEqual(verdict({ ...newService(0), want, death }, CONFIG, 0), { to: 'restart', delayMs: 0 });
});

test('verdict: nothing that never died is started by it', () => {
  assert.deepEqual(verdict(newService(0), CONFIG, 0), { to: 'down' });
  assert.deepEqual(verdict({ ...newService(0), want: 'up' }, CONFIG, 0), { to: 'down' });
});

/* ---------------------------------------------------------------------------------------------------------------------
 * Properties: a small world that carries out the effects, in whatever order and time a list of numbers says.
 */

const SETTINGS: fc.Arbitrary<LifeConfig> = fc
  .record({
    type: fc.constantFrom<LifeConfig['type']>('longrun', 'longrun', 'oneshot'),
    hasFinish: fc.boolean(),
    notifies: fc.boolean(),
    restart: fc.constantFrom<LifeConfig['restart']>('always', 'always', 'on-failure', 'never'),
    min: fc.nat(40),
    more: fc.integer({ min: 0, max: 100 }),
    restartLimit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    timeoutUp: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    timeoutKill: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    timeoutFinish: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
  })
  .map(({ min, more, ...rest }) => ({ ...rest, restartDelay: { min, max: min + more } }));

const THROWS = 250;
/** Each throw of the world takes one. */
const DICE = fc.array(fc.nat(0xff_ffff), { minLength: THROWS, maxLength: THROWS, size: 'max' });
/** For a world that is only to get into some state. */
const FEW_DICE = fc.array(fc.nat(0xff_ffff), { maxLength: 60, size: 'max' });
const RUNS = runs(1000, THROWS);
/** How many steps of the walk. */
const STEPS = RUNS * THROWS;

interface Child {
  what: 'run' | 'finish';
  pid: number;
  /** SIGKILL was sent: it will end, by signal 9. */
  killed: boolean;
  told: boolean;
}

/** The rules that hold whatever happens, checked after each step. */
class World {
  service: Service;
  now = 1000;
  child: Child | undefined;
  /** An effect whose answer is still on its way. */
  pending: 'run' | 'finish' | undefined;
  /** As os/clock.ts: arming the same time again is nothing; each time that is armed rings once. */
  alarm: { due: number; rung: boolean } | undefined;
  readonly config: LifeConfig;
  #pid = 1;
  #lastRun: number | undefined;
  /** Runs that ended (or never began) and whose death was not told yet. */
  #ends = 0;
  deaths = 0;
  crashes = 0;
  #reportedFor: Death | undefined;
  #sweptFor: Death | undefined;
  /** An order to start since the last start. */
  #ordered = false;
  /** Frozen, and stepped twice, on one step in so many: it costs more than the step. */
  #sample = 0;
  steps = 0;

  constructor(config: LifeConfig) {
    this.config = Object.freeze({ ...config, restartDelay: Object.freeze({ ...config.restartDelay }) });
    this.service = Object.freeze(newService(this.now));
  }

  take(event: Event): void {
    const { service: before, config, now } = this;
    Object.freeze(event);
    const result = step(before, event, config, now);
    if (this.#sample++ % 8 === 0)
      assert.deepEqual(step(before, event, config, now), result, 'the same in, the same out');
    this.steps++;
    const { next, effects } = result;
    this.service = Object.freeze(next);
    if (next.death) Object.freeze(next.death);
    this.#arm(next.deadline);
    if (event.type === 'up' || event.type === 'restart') this.#ordered = true;
    if (event.type === 'down') this.#ordered = false;
    this.#holdOrder(before, event);
    this.#holdDeath(before, event);
    this.#holdPolicy(before, effects);
    for (const effect of effects) this.#perform(effect, before);
    this.#holdState(event);
  }

  #arm(due: number | undefined): void {
    if (due === undefined) this.alarm = undefined;
    else if (this.alarm?.due !== due) this.alarm = { due, rung: false };
  }

  /** What is ordered is what is wanted from then on; nobody else wants anything, but that what is over is not wanted up. */
  #holdOrder(before: Service, event: Event): void {
    const { want, is } = this.service;
    if (event.type === 'down') assert.equal(want, 'down');
    else if (event.type === 'up') assert.equal(want, event.once ? 'once' : 'up');
    else if (event.type === 'restart')
      assert.equal(want, before.want === 'once' && isAlive(before) ? 'once' : 'up');
    else
      assert.ok(want === before.want || (want === 'down' && is === 'down'), `${event.type} makes it ${want}`);
    const isOrder = event.type === 'up' || event.type === 'restart';
    if (isOrder && !isAlive(before) && (event.type === 'restart' || before.is !== 'done'))
      assert.equal(is, 'starting');
    if (event.type === 'down' && !isAlive(before)) assert.equal(is, 'down');
  }

  /** A run that ended is told as one death, once, and nothing else is. */
  #holdDeath(before: Service, event: Event): void {
    const { service, config, now } = this;
    if (service.death === before.death) {
      assert.equal(this.#ends, 0, 'an end that was not told');
      const started = service.is === 'starting' && before.is !== 'starting';
      const afresh = started && event.type !== 'timeout' && !isAlive(before);
      assert.equal(
        service.crashes,
        afresh ? 0 : before.crashes,
        `crashes changed without a death, on ${event.type}`,
      );
      return;
    }
    const { death } = service;
    assert.ok(death);
    this.deaths++;
    assert.equal(--this.#ends, 0, 'a death without an end');
    const stable =
      before.readyAt !== undefined &&
      event.type === 'exited' &&
      now - before.readyAt >= (config.restartDelay.max || 1000);
    const row = stable ? 0 : before.crashes;
    const asked = before.is === 'stopping' && before.fault === undefined;
    const clean =
      event.type === 'exited' && event.code === 0 && event.signal === 0 && before.fault === undefined;
    assert.equal(death.kind, asked ? 'stopped' : clean ? 'ended' : 'crash');
    assert.equal(service.crashes, asked ? before.crashes : clean ? 0 : row + 1);
    if (event.type === 'exited') {
      assert.equal(death.signal, event.signal);
      assert.equal(death.code, event.signal === 0 ? event.code : 256);
      assert.equal(death.pgid, before.pid);
      assert.equal(death.ranMs, now - before.startedAt);
    }
  }

  /** Who is started again, and when. */
  #holdPolicy(before: Service, effects: readonly Effect[]): void {
    const { service, config, now } = this;
    const runs = effects.filter((effect) => effect.do === 'run').length;
    assert.ok(runs + effects.filter((effect) => effect.do === 'finish').length <= 1, 'two children at once');
    assert.equal(service.is === 'starting' && before.is !== 'starting', runs === 1);
    if (runs === 0) return;
    assert.notEqual(service.want, 'down', 'started although it is wanted down');
    const { death } = service;
    if (!this.#ordered) {
      assert.ok(death, 'started, and nobody asked for it');
      assert.equal(service.want, 'up', 'a once service was started again');
      if (death.kind !== 'stopped') {
        assert.notEqual(config.restart, 'never');
        if (config.type === 'oneshot') assert.equal(death.kind, 'crash', 'what is done was started again');
        if (config.restart === 'on-failure') assert.equal(death.kind, 'crash');
        if (config.restartLimit !== undefined) assert.ok(service.crashes < config.restartLimit);
        assert.ok(now >= service.notBefore, 'started inside its delay');
      }
    }
    this.#ordered = false;
  }

  #perform(effect: Effect, before: Service): void {
    switch (effect.do) {
      case 'run':
      case 'finish':
        assert.equal(this.child, undefined, `${effect.do} beside a living child`);
        assert.equal(this.pending, undefined, `${effect.do} beside another`);
        this.pending = effect.do;
        if (effect.do === 'finish') {
          assert.ok(this.config.hasFinish);
          assert.equal(effect.death, this.service.death);
        }
        return;
      case 'term':
        assert.equal(this.child?.pid, effect.pid);
        assert.equal(this.child?.what, 'run');
        assert.equal(this.child?.told, false, 'TERM twice');
        if (this.child) this.child.told = true;
        return;
      case 'kill':
        assert.equal(this.child?.pid, effect.pid);
        if (this.child) this.child.killed = true;
        return;
      case 'sweep':
        assert.equal(effect.pgid, this.#lastRun);
        assert.notEqual(this.child?.pid, effect.pgid, 'swept what lives');
        assert.notEqual(this.#sweptFor, this.service.death, 'swept twice');
        this.#sweptFor = this.service.death;
        return;
      case 'crashed':
        assert.equal(effect.death, this.service.death);
        assert.equal(effect.death.kind, 'crash');
        assert.notEqual(this.#reportedFor, effect.death, 'a crash told twice');
        this.#reportedFor = effect.death;
        this.crashes++;
        if (effect.next.to === 'restart') {
          assert.equal(this.service.is, effect.next.delayMs > 0 ? 'backoff' : 'starting');
          if (effect.next.delayMs > 0) assert.equal(this.service.deadline, this.now + effect.next.delayMs);
          // What cannot be executed is tried ten times a second at the most.
          const most = Math.max(this.config.restartDelay.max, effect.death.pgid === undefined ? 100 : 0);
          assert.ok(effect.next.delayMs <= most);
        } else assert.equal(this.service.is, effect.next.to);
        return;
      case 'over':
        assert.equal(effect.death, this.service.death);
        assert.notEqual(before.want, 'down', 'over, though it was ordered');
        if (this.config.type === 'oneshot') assert.notEqual(effect.death.kind, 'ended', 'done is not over');
        assert.ok(this.service.is === 'down' || this.service.is === 'failed');
    }
  }

  /** What the state says is what the world has, and there is a way on. */
  #holdState(event: Event): void {
    const { service, child, pending, config, now } = this;
    const { is } = service;
    assert.equal(service.pid, child?.pid, `${is}: its pid is not the child's`);
    if (is === 'starting') assert.equal(pending, 'run');
    else if (is === 'finishing')
      assert.ok(pending === 'finish' || child?.what === 'finish', 'finishing without a finish');
    else if (is === 'up' || is === 'ready' || is === 'stopping') {
      assert.equal(pending, undefined);
      assert.equal(child?.what, 'run');
    } else {
      assert.equal(child, undefined, `${is} with a living child`);
      assert.equal(pending, undefined, `${is} with one on its way`);
      if (service.death?.kind === 'crash')
        assert.equal(this.#reportedFor, service.death, 'a crash that nobody was told of');
      if (service.death?.pgid !== undefined)
        assert.equal(this.#sweptFor, service.death, 'a group that nobody swept');
    }
    if (is === 'down') assert.equal(service.want, 'down');
    if (is === 'failed' || is === 'done') assert.notEqual(service.want, 'down');
    if (is === 'done') assert.equal(service.death?.kind, 'ended');
    if (is === 'done') assert.equal(config.type, 'oneshot');
    if (is === 'ready') assert.equal(config.type, 'longrun');
    if (is === 'backoff') assert.equal(service.want, 'up');
    if (is === 'down' || is === 'failed' || is === 'ready' || is === 'done')
      assert.equal(service.deadline, undefined);
    if (is === 'backoff') assert.ok(service.deadline !== undefined && service.deadline > now - 1e9);
    if (is === 'up') assert.equal(service.deadline === undefined, config.timeoutUp === undefined);
    if (is === 'stopping' && config.timeoutKill !== undefined)
      assert.ok(child?.killed || service.deadline !== undefined, 'stopping without end');
    if (is === 'finishing' && child && config.timeoutFinish !== undefined)
      assert.ok(child.killed || service.deadline !== undefined, 'finishing without end');
    if (service.deadline === undefined) return;
    assert.equal(this.alarm?.rung, false, `${is}: a deadline that will never ring, after ${event.type}`);
    if (event.type === 'timeout')
      assert.ok(service.deadline > now, `${is}: a deadline in the past after it rang`);
  }

  /** Everything that the world may do now, besides orders. */
  moves(dice: number, obliging: boolean): (() => void)[] {
    const moves: (() => void)[] = [];
    const { child, pending, alarm } = this;
    if (pending) {
      moves.push(() => this.#spawn(pending));
      if (!obliging || pending === 'finish') moves.push(() => this.#refuse(pending));
    }
    if (child && (!obliging || child.killed)) moves.push(() => this.#exit(child, dice));
    if (child?.what === 'run' && !obliging)
      moves.push(
        () => this.take({ type: 'notified' }),
        () => this.take({ type: 'unhealthy' }),
      );
    if (alarm && !alarm.rung && this.now >= alarm.due)
      moves.push(() => {
        alarm.rung = true;
        this.take({ type: 'timeout' });
      });
    return moves;
  }

  #spawn(what: 'run' | 'finish'): void {
    this.pending = undefined;
    this.child = { what, pid: ++this.#pid, killed: false, told: false };
    if (what === 'run') this.#lastRun = this.#pid;
    this.take({ type: 'spawned', pid: this.#pid });
  }

  #refuse(what: 'run' | 'finish'): void {
    this.pending = undefined;
    if (what === 'run') this.#ends++;
    this.take({ type: 'refused', code: 111, reason: 'cannot execute' });
  }

  #exit(child: Child, dice: number): void {
    this.child = undefined;
    if (child.what === 'run') this.#ends++;
    const code = [0, 1, FINISH_NO_RESTART, 111][dice % 4] ?? 0;
    const signal = child.killed ? 9 : (dice >> 2) % 3 === 0 ? 15 : 0;
    this.take({ type: 'exited', code: signal === 0 ? code : 0, signal });
  }

  order(dice: number): void {
    const killBy = this.now + ((dice >> 4) % 80);
    const orders: Event[] = [
      { type: 'up' },
      { type: 'up' },
      { type: 'up', once: true },
      { type: 'down' },
      { type: 'down', killBy },
      { type: 'restart' },
      // Who stops waiting has told to stop before (shutdown.ts).
      ...(this.service.want === 'down' ? [{ type: 'kill' } as const] : []),
    ];
    this.take(orders[dice % orders.length] ?? down);
  }

  /** One throw: some time, then an order or a move of the world. Late rings and answers out of turn are part of it. */
  throw(dice: number): void {
    const kind = dice % 8;
    const rest = dice >> 3;
    if (kind > 3) this.now += rest % 40;
    const moves = this.moves(rest >> 4, false);
    if (kind === 0 || moves.length === 0) this.order(rest);
    else moves[rest % moves.length]?.();
  }
}

function runWorld(config: LifeConfig, dice: readonly number[]): World {
  const world = new World(config);
  for (const one of dice) world.throw(one);
  return world;
}

test(`${STEPS} steps: one child, one death for each end, crashes that count, a way on from everywhere`, () => {
  let steps = 0;
  let deaths = 0;
  const seen = new Set<string>();
  fc.assert(
    fc.property(SETTINGS, DICE, (config, dice) => {
      const world = new World(config);
      for (const one of dice) {
        const before = world.service.is;
        world.throw(one);
        seen.add(`${before} → ${world.service.is}`);
      }
      steps += world.steps;
      deaths += world.deaths;
    }),
    { numRuns: RUNS },
  );
  // The walk went everywhere, or it says nothing.
  const ways = [
    ['down → starting', 'starting → up', 'starting → ready', 'starting → stopping', 'starting → backoff'],
    ['starting → down', 'starting → failed', 'up → ready', 'up → stopping', 'up → finishing', 'up → backoff'],
    [
      'ready → stopping',
      'ready → finishing',
      'ready → backoff',
      'ready → starting',
      'ready → down',
      'ready → failed',
    ],
    [
      'stopping → finishing',
      'stopping → down',
      'stopping → starting',
      'stopping → backoff',
      'stopping → failed',
    ],
    ['finishing → down', 'finishing → backoff', 'finishing → starting', 'finishing → failed'],
    ['backoff → starting', 'backoff → down', 'failed → starting', 'failed → down'],
    ['up → done', 'finishing → done', 'done → starting', 'done → down'],
  ].flat();
  assert.deepEqual(
    ways.filter((way) => !seen.has(way)),
    [],
  );
  assert.ok(steps >= STEPS && deaths > STEPS / 20, `only ${steps} steps, ${deaths} deaths`);
});

test('down ends in down, whatever was before, as soon as the children die', () => {
  fc.assert(
    fc.property(SETTINGS, FEW_DICE, fc.nat(0xff_ffff), (config, dice, seed) => {
      const world = runWorld(config, dice);
      world.take({ type: 'down' });
      for (let moves = 0; ; moves++) {
        const [move] = world.moves(seed + moves, false);
        if (!move) break;
        assert.ok(moves < 8, `still ${world.service.is}`);
        // The first move is an answer or an end; a child that is told nothing more ends by itself.
        move();
      }
      assert.equal(world.service.is, 'down');
      assert.equal(isAlive(world.service), false);
    }),
    { numRuns: RUNS },
  );
});

test('down ends within timeout-kill and timeout-finish, though no child obeys', () => {
  const bounded = SETTINGS.map((config) => ({
    ...config,
    timeoutKill: config.timeoutKill ?? 30,
    timeoutFinish: config.timeoutFinish ?? 30,
  }));
  fc.assert(
    fc.property(bounded, FEW_DICE, (config, dice) => {
      const world = runWorld(config, dice);
      world.take({ type: 'down' });
      assert.ok(endStubbornly(world) <= config.timeoutKill + config.timeoutFinish);
    }),
    { numRuns: RUNS },
  );
});

test('down with a budget: SIGKILL by then, though neither timeout is set', () => {
  const unbounded = SETTINGS.map((config) => ({
    ...config,
    timeoutKill: undefined,
    timeoutFinish: undefined,
  }));
  fc.assert(
    fc.property(unbounded, FEW_DICE, fc.nat(50), (config, dice, budget) => {
      const world = runWorld(config, dice);
      const killBy = world.now + budget;
      world.take({ type: 'down', killBy });
      const spent = endStubbornly(world, () => {
        // As the shutdown does: a finish that begins gets the same end.
        if (world.service.is === 'finishing')
          world.take({ type: 'down', killBy: Math.max(killBy, world.now) });
      });
      assert.ok(spent <= budget, `${spent} of ${budget} ms`);
    }),
    { numRuns: RUNS },
  );
});

test('down and kill: over without any waiting', () => {
  fc.assert(
    fc.property(SETTINGS, FEW_DICE, (config, dice) => {
      const world = runWorld(config, dice);
      world.take({ type: 'down' });
      world.take({ type: 'kill' });
      const spent = endStubbornly(world, () => {
        if (world.service.is === 'finishing') world.take({ type: 'kill' });
      });
      assert.equal(spent, 0);
    }),
    { numRuns: RUNS },
  );
});

/** Children obey nothing but SIGKILL; time passes only up to the next deadline. Returns how much of it did. */
function endStubbornly(world: World, between: () => void = () => {}): number {
  const begin = world.now;
  for (let moves = 0; world.service.is !== 'down'; moves++) {
    assert.ok(moves < 20, `still ${world.service.is}`);
    const before = world.service.is;
    const [move] = world.moves(moves, true);
    if (move) move();
    else {
      const { alarm } = world;
      assert.ok(alarm && !alarm.rung, `${world.service.is} for ever`);
      world.now = Math.max(world.now, alarm.due);
    }
    if (world.service.is !== before) between();
  }
  return world.now - begin;
}

test('any event in any state: an answer, and nothing of the question changed', () => {
  const wants: Want[] = ['up', 'once', 'down'];
  const event: fc.Arbitrary<Event> = fc.oneof(
    fc.record({ type: fc.constant('up' as const), once: fc.boolean() }),
    fc.record({ type: fc.constant('down' as const), killBy: fc.nat(5000) }),
    fc.constantFrom<Event>(down, restart, kill, notified, unhealthy, timeout, refused),
    fc.nat(99).map((pid) => spawned(pid + 1)),
    fc.record({ type: fc.constant('exited' as const), code: fc.nat(255), signal: fc.constantFrom(0, 9, 15) }),
  );
  fc.assert(
    fc.property(
      SETTINGS,
      fc.array(event, { maxLength: 60 }),
      fc.constantFrom(...wants),
      (config, events, want) => {
        let service: Service = { ...newService(0), want };
        for (const [i, next] of events.entries()) {
          const before = JSON.stringify(service);
          const result = step(deepFreeze(service), deepFreeze(next), deepFreeze(config), i * 7);
          assert.equal(JSON.stringify(service), before);
          service = result.next;
        }
      },
    ),
  );
});

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value))
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}
