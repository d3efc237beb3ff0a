import { constants } from 'node:os';
import { signalName, UNCATCHABLE } from '../core/signals.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Directory, Facts } from './facts.ts';

/** Settings that can be read, and do not do what whoever wrote them expects. */
export function checkSettings({ directories }: Facts): Complaint[] {
  return directories.flatMap((directory) => [
    ...flags(directory),
    ...signals(directory),
    ...readiness(directory),
    ...essential(directory),
  ]);
}

/** `echo no >essential` is a mistake that the name of the file invites. */
function flags({ raw, config }: Directory): Complaint[] {
  return ['down', 'essential'].flatMap((name) => {
    const text = raw.texts.get(name)?.trim() ?? '';
    const file = `${raw.path}/${name}`;
    const warn = (cause: string, hint: string): Complaint[] => [
      complain('warning', config.name, file, { message: `cannot use ${file}: ${cause}`, hint }),
    ];
    if (/^(0|no|n|false|off)$/i.test(text))
      return warn(`it says ${JSON.stringify(text)}, but its presence alone means yes`, `rm ${file}`);
    if (name === 'down' && text.startsWith('#!'))
      return warn(
        'it is a script, as in s6-rc, but here its presence alone means: not started at boot',
        `put its commands into ${raw.path}/finish, and remove it`,
      );
    return [];
  });
}

function signals({ raw, config }: Directory): Complaint[] {
  const { name } = config;
  return (
    [
      ['down-signal', config.downSignal, `"${name}" has no chance to clean up`],
      ['reload-signal', config.reloadSignal, `to reload "${name}" would end it`],
    ] as const
  ).flatMap(([setting, number, follows]) => {
    if (!UNCATCHABLE.includes(number)) return [];
    const file = `${raw.path}/${setting}`;
    const message =
      number === constants.signals.SIGSTOP
        ? `cannot use ${file}: SIGSTOP only halts "${name}"`
        : `cannot use ${file}: ${signalName(number)} cannot be caught, so ${follows}`;
    return [
      complain('warning', name, file, { message, hint: 'name a signal that it catches, such as SIGTERM' }),
    ];
  });
}

/** Files that say when it is ready, or that it is well, where nobody asks them. */
function readiness({ raw, config }: Directory): Complaint[] {
  const { name, type, notifies, hasCheck, hasHealth } = config;
  const found: [file: string, cause: string, hint: string][] = [];
  const has = (file: string): boolean => raw.texts.has(file);
  if (type === 'oneshot') {
    const cause = 'a oneshot is ready when it is done';
    const hint = 'remove it, or write longrun into the file "type"';
    for (const file of ['notification-fd', 'reload-signal']) if (has(file)) found.push([file, cause, hint]);
    if (hasCheck) found.push(['check', cause, hint]);
    if (hasHealth) found.push(['health', cause, hint]);
  } else {
    if (has('timeout-up') && !notifies)
      found.push([
        'timeout-up',
        `nothing tells when "${name}" is ready, so it is ready once executed`,
        `add ${raw.path}/check or ${raw.path}/notification-fd, or remove it`,
      ]);
    if (hasCheck && has('notification-fd'))
      found.push([
        'check',
        `notification-fd tells too that "${name}" is ready, and whichever comes first counts`,
        'remove one of them',
      ]);
  }
  if (!hasHealth)
    for (const file of ['health-interval', 'health-retries'])
      if (has(file))
        found.push([file, 'there is no health', `add an executable ${raw.path}/health, or remove it`]);
  return found.map(([file, cause, hint]) => {
    const path = `${raw.path}/${file}`;
    return complain('warning', name, path, { message: `cannot use ${path}: ${cause}`, hint });
  });
}

function essential({ raw, config }: Directory): Complaint[] {
  if (!config.essential || !config.down || !raw.texts.has('down')) return [];
  const file = `${raw.path}/down`;
  return [
    complain('warning', config.name, file, {
      message: `cannot end the tree with "${config.name}": it is essential, but not started at boot`,
      hint: `rm ${file}, or ${raw.path}/essential`,
    }),
  ];
}
