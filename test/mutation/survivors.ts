/**
 * Mutants of core that no test can see, and why: file → the line, the mistake, the reason. `npm run mutants` names every other
 * survivor.
 */
export const SURVIVORS: Readonly<Record<string, readonly Survivor[]>> = {
  'core/columns.ts': [
    [
      'const head = row.slice(0, -1).map((cell, i) => `${cell.padEnd(widths[i] ?? 0)}  `);',
      'widths[i] ?? 0 → widths[i]',
      'each of these columns was measured',
    ],
    [
      'const head = row.slice(0, -1).map((cell, i) => `${cell.padEnd(widths[i] ?? 0)}  `);',
      '0 → 1',
      'each of these columns was measured',
    ],
  ],
  'core/duration.ts': [
    ["if (ms < 1000) return '1.0s';", 'ms < 1000 → ms <= 1000', 'a second is 1.0s either way'],
    ["if (ms < 1000) return '1.0s';", '1000 → 1001', 'a second is 1.0s either way'],
  ],
  'core/lifecycle.ts': [
    [
      "if (death.kind === 'crash') {",
      "death.kind === 'crash' → true",
      'of an end the row of crashes is 0, and the policy always',
    ],
    [
      "if (run.killed) return killRun(run, { type: 'kill' }, config, now);",
      "'kill' → ''",
      'the rule asks nothing of its event',
    ],
    [
      "if (service.killed) return killChild({ ...service, pid }, { type: 'kill' }, config, now);",
      "'kill' → ''",
      'the rule asks nothing of its event',
    ],
    [
      'const least = death.pgid === undefined ? REFUSED_LEAST : 0;',
      '0 → 1',
      'with a least delay of 0 a run that was executed starts again at once, ahead of this',
    ],
  ],
  'core/package.ts': [
    [
      'if (services === undefined) return { ...manifest, services: undefined };',
      'services: undefined → ',
      'what is not there reads as undefined',
    ],
  ],
  'core/order.ts': [
    [
      'if (candidate && candidate.sum > (below?.sum ?? -1)) below = candidate;',
      'candidate.sum > (below?.sum ?? -1) → candidate.sum >= (below?.sum ?? -1)',
      'of two ways of one length either is the longest',
    ],
    [
      'if (candidate && candidate.sum > (below?.sum ?? -1)) below = candidate;',
      '1 → 2',
      'no way takes less than no time',
    ],
  ],
  'core/printable.ts': [
    [
      'return ODD.test(text) ? text.replaceAll(ALL_ODD, escaped) : text;',
      'ODD.test(text) → true',
      'a text without any is replaced by itself: it only costs time',
    ],
  ],
  'core/rollout.ts': [
    ['if (!hasBeenReady) return false;', 'false → undefined as never', 'undefined is as false as false'],
  ],
  'core/services.ts': [
    [
      'return disabled.has(name) || disabled.has(ownerOf(name) ?? name);',
      'ownerOf(name) ?? name → ownerOf(name)',
      'nobody is called undefined, and the name itself was looked for',
    ],
  ],
  'core/signals.ts': [
    [
      "for (const name of ['SIGABRT', 'SIGIO', 'SIGSYS']) if (NUMBERS[name]) NAMES.set(NUMBERS[name], name);",
      "'SIGSYS' → ''",
      'of this one not every system has an alias',
    ],
    [
      "for (const name of ['SIGABRT', 'SIGIO', 'SIGSYS']) if (NUMBERS[name]) NAMES.set(NUMBERS[name], name);",
      'NUMBERS[name] → true',
      'Linux has them all',
    ],
    [
      "const offset = Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1);",
      "Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1) → Number(realTime[3] ?? 0) / (realTime[2] === '-' ? -1 : 1)",
      'by 1 or -1 it is the same',
    ],
  ],
  'core/stop-budget.ts': [
    ['if (left <= 0) return 0;', 'left <= 0 → left < 0', 'of nothing the cap is nothing'],
    [
      'if (time > cap) break;',
      'time > cap → time >= cap',
      'who asks for exactly its share leaves the same share to the others',
    ],
  ],
};

type Survivor = readonly [line: string, mistake: string, why: string];
