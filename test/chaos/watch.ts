/** What must be so at every moment: looked at many times a second, from outside. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './client.ts';
import { innerPid, isIdle, processes } from './processes.ts';
import { patience, type World } from './world.ts';

const LOOK_MS = 100;
const FILE_MS = 25;
const ASK_MS = 250;
/** How long a zombie may last, where PID 1 was seen so often with nothing to do. Where it is busy, a little longer. */
const ZOMBIE_MS = 1000;
const IDLE = 5;
const BUSY_ZOMBIE_MS = 5000;
/** How long an answer may take, where nothing keeps PID 1 from it. */
export const ANSWER_MS = 3000;
/** After a time in which nobody could be answered. */
const AFTER_MS = 1500;

interface Zombie {
  since: number;
  /** How often PID 1 was seen to have nothing to do meanwhile. */
  idle: number;
}

export class Watch {
  readonly #world: World;
  readonly #timers: NodeJS.Timeout[];
  #zombies = new Map<string, Zombie>();
  /** Our own loop was not late: what seems to last did last. */
  #lookedAt = performance.now();
  #asking = false;
  slowestAnswer = 0;

  constructor(world: World) {
    this.#world = world;
    this.#timers = [
      setInterval(() => this.#look(), LOOK_MS),
      setInterval(() => this.#lookAtFiles(), FILE_MS),
      setInterval(() => void this.#ask(), ASK_MS),
    ];
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #look(): void {
    const { subject, ledger, verdicts } = this.#world;
    const now = performance.now();
    const lag = now - this.#lookedAt - LOOK_MS;
    this.#lookedAt = now;
    if (subject.pid === 0 || subject.isStopping) {
      this.#zombies.clear();
      return;
    }
    if (subject.end) {
      const how = subject.end.signal ?? `exit ${subject.end.code}`;
      verdicts.violate('PID 1 is alive', 'it is', `it ended: ${how}`);
      return;
    }
    verdicts.checked('PID 1 is alive');
    const zombies = new Map<string, Zombie>();
    // Whoever is stopped reaps nobody; and after it all wait that came meanwhile.
    const frozen = ledger.suffered(['frozen'], now, now);
    const idle = isIdle(subject.pid) ? 1 : 0;
    for (const { pid, ppid, state, startedAt } of processes()) {
      if (ppid !== subject.pid || state !== 'Z') continue;
      const key = `${pid} ${startedAt}`;
      const before = frozen || lag > LOOK_MS ? undefined : this.#zombies.get(key);
      const zombie = before ?? { since: now, idle: 0 };
      zombie.idle += idle;
      zombies.set(key, zombie);
      const lasts = now - zombie.since;
      if ((lasts > ZOMBIE_MS && zombie.idle > IDLE) || lasts > patience(BUSY_ZOMBIE_MS))
        verdicts.violate(
          'no zombie lasts',
          `none for more than ${ZOMBIE_MS} ms`,
          `pid ${innerPid(pid)} for ${Math.round(lasts)} ms, PID 1 idle in ${zombie.idle} looks`,
        );
    }
    this.#zombies = zombies;
    verdicts.checked('no zombie lasts');
  }

  #lookAtFiles(): void {
    const { company, arena, consul, verdicts } = this.#world;
    for (const { rendered } of company.natures.values()) {
      if (rendered === undefined) continue;
      let text: string;
      try {
        text = readFileSync(join(arena.small, 'out', rendered), 'utf8');
      } catch {
        continue;
      }
      const generation = consul.generationOf(text);
      if (generation === undefined || generation > consul.generation)
        verdicts.violate(
          'a rendered file is whole and of one generation',
          `one of 1 to ${consul.generation}`,
          `${rendered}: ${text.length} bytes, ${JSON.stringify(text.slice(0, 60))} … ${JSON.stringify(text.slice(-60))}`,
        );
      verdicts.checked('a rendered file is whole and of one generation');
    }
  }

  async #ask(): Promise<void> {
    const { subject, ledger, verdicts } = this.#world;
    if (
      this.#asking ||
      subject.pid === 0 ||
      !subject.isAlive ||
      subject.isStopping ||
      !subject.follower.connections
    )
      return;
    this.#asking = true;
    const from = performance.now();
    const verb = Math.round(from) % 2 === 0 ? 'status' : 'check';
    const limit = patience(ANSWER_MS);
    const reply = await ask(subject.socket, { do: verb }, limit);
    const to = performance.now();
    this.#asking = false;
    const starved = ledger.suffered(['no control', 'frozen', 'no descriptors'], from, to, AFTER_MS);
    const isSame = subject === this.#world.subject && !subject.isStopping && subject.isAlive;
    if (starved || !isSame) return;
    if (!reply) {
      verdicts.violate(
        'PID 1 answers',
        `${verb} within ${Math.round(limit)} ms`,
        `nothing in ${Math.round(to - from)} ms`,
      );
      return;
    }
    this.slowestAnswer = Math.max(this.slowestAnswer, to - from);
    verdicts.checked('PID 1 answers');
  }
}
