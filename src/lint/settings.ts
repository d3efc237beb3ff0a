import { constants } from 'node:os';
import { signalName } from '../core/signals.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Directory, Facts } from './facts.ts';

const UNCATCHABLE: readonly number[] = [constants.signals.SIGKILL, constants.signals.SIGSTOP];

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

function readiness({ raw, config }: Directory): Complaint[] {
  const { name } = config;
  if (config.timeoutUp === undefined || config.notifies) return [];
  const file = `${raw.path}/timeout-up`;
  return [
    complain('warning', name, file, {
      message: `cannot use ${file}: nothing tells when "${name}" is ready, so it is ready once executed`,
      hint: `add ${raw.path}/notification-fd, or remove timeout-up`,
    }),
  ];
}

function essential({ raw, config }: Directory): Complaint[] {
  if (!config.essential || !raw.texts.has('down')) return [];
  const file = `${raw.path}/down`;
  return [
    complain('warning', config.name, file, {
      message: `cannot end the tree with "${config.name}": it is essential, but not started at boot`,
      hint: `rm ${file}, or ${raw.path}/essential`,
    }),
  ];
}
