import { formatDuration } from '../core/duration.ts';
import { isForgiven } from '../core/lifecycle.ts';
import { bareConfig, SETTINGS, type ServiceConfig } from '../core/servicedir.ts';
import { signalName } from '../core/signals.ts';
import type { Member } from '../member.ts';
import { now } from '../os/clock.ts';
import type { Tree } from '../tree.ts';
import { VERSION as PROGRAM } from '../version.ts';
import { type ServiceStatus, type Status, VERSION } from './protocol.ts';

/** What `status` answers. No names: all. @throws UserError when there is no such service */
export function statusOf(tree: Tree, scandir: string | undefined, names: readonly string[]): Status {
  const { source } = tree.gate;
  return {
    v: VERSION,
    version: PROGRAM,
    pid: process.pid,
    scandir: scandir ?? null,
    stopping: tree.stopping,
    package: packageStatus(tree),
    services: membersOf(tree, names).map((member) => serviceStatus(tree, member)),
    source: source
      ? {
          name: source.name,
          awaySince: source.awaySince === null ? null : iso(source.awaySince),
          cause: source.cause,
        }
      : null,
  };
}

function packageStatus({ package: found }: Tree): Status['package'] {
  const { name, version } = found ?? {};
  if (!found || name === undefined || version === undefined) return null;
  return { name, version, services: Object.fromEntries(found.services) };
}

export function serviceStatus(tree: Tree, member: Member): ServiceStatus {
  const { runner, asked, problem } = member;
  const { service, config } = runner;
  const { death } = service;
  const rollout = tree.rollouts.statusOf(runner.name);
  return {
    name: runner.name,
    type: config.type,
    is: isOf(member),
    wanted: asked ?? service.want,
    disabled: tree.isDisabled(config),
    since: iso(runner.changedAt),
    pid: service.pid ?? null,
    crashes: service.is === 'ready' && isForgiven(service, config, now()) ? 0 : service.crashes,
    lastDeath: death
      ? {
          code: death.signal === 0 ? death.code : null,
          signal: death.signal === 0 ? null : signalName(death.signal),
          ranMs: Math.round(death.ranMs),
          reason: death.reason ?? null,
          at: iso(runner.diedAt),
        }
      : null,
    nextStart:
      service.is === 'backoff' && service.deadline !== undefined
        ? iso(Date.now() + service.deadline - now())
        : null,
    dependencies: config.dependencies.flatMap((name) => {
      const other = tree.members.get(name);
      return other ? [{ name, is: isOf(other) }] : [];
    }),
    has: partsOf(config),
    waitsFor: tree.waitsFor(member),
    complaint: runner.complaint ?? null,
    heldBack: tree.gate.isOpen(runner.name) ? [...tree.gate.missing(runner.name)] : [],
    kept: [...tree.gate.kept(runner.name)],
    rollout: rollout ? { ...rollout, since: iso(rollout.since) } : null,
    problem: problem?.message ?? null,
    hint: problem?.hint ?? null,
    path: config.path ?? null,
    settings: settingsOf(tree.isDisabled(config) ? { ...config, down: false } : config),
  };
}

function isOf({ runner, problem }: Member): string {
  return problem && runner.service.is === 'down' ? 'failed' : runner.service.is;
}

/** What it has beside its run, by the names of the files. */
function partsOf({ hasCheck, hasHealth, hasFinish, hasLogger, hasTemplates }: ServiceConfig): string[] {
  const parts = {
    check: hasCheck,
    health: hasHealth,
    finish: hasFinish,
    log: hasLogger,
    templates: hasTemplates,
  };
  return Object.entries(parts).flatMap(([name, has]) => (has ? [name] : []));
}

/** Each service that should be up and ready and is not, with the reason. Empty: all is well. */
export function notWell(tree: Tree, names: readonly string[]): string[] {
  if (tree.stopping) return ['the tree is stopping'];
  return membersOf(tree, names).flatMap((member) => {
    const status = serviceStatus(tree, member);
    return status.wanted === 'down' || isWell(status) ? [] : [`${status.name}: ${whyNot(status)}`];
  });
}

/** Ready, or a oneshot that is done. */
export function isWell({ is }: Pick<ServiceStatus, 'is'>): boolean {
  return is === 'ready' || is === 'done';
}

/** Why a service that is wanted up is not ready, in words. */
export function whyNot(status: ServiceStatus): string {
  const { type, is, problem, waitsFor, complaint, crashes, nextStart, lastDeath } = status;
  if (problem) return problem;
  if (waitsFor.length > 0) return `waits for ${waitsFor.join(', ')}`;
  const after = lastDeath ? ` after ${deathName(lastDeath)}` : '';
  switch (is) {
    case 'backoff': {
      const left = nextStart === null ? 0 : Math.max(0, Date.parse(nextStart) - Date.now());
      return `in backoff${after}, starts in ${formatDuration(left)}`;
    }
    case 'failed':
      return `failed${after}${crashes > 1 ? `, ${crashes} crashes in a row` : ''}`;
    case 'up':
      if (type === 'oneshot') return 'still runs';
      return `up, not ready yet${complaint === null ? '' : ` (${complaint})`}`;
    case 'finishing':
      return `its finish runs${after}${complaint === null ? '' : ` (${complaint})`}`;
    default:
      return `is ${is}${is === 'down' ? after : ''}${complaint === null ? '' : ` (${complaint})`}`;
  }
}

/** How a run ended, in words. */
export function deathName({ code, signal, reason }: NonNullable<ServiceStatus['lastDeath']>): string {
  return reason ?? signal ?? `exit ${code}`;
}

export function membersOf(tree: Tree, names: readonly string[]): Member[] {
  return names.length > 0 ? names.map((name) => tree.find(name)) : [...tree.members.values()];
}

const DEFAULTS = new Map<string, unknown>(Object.entries(bareConfig('-', ['-'])));

/** The settings that are not the default, by the files that set them, in words. */
function settingsOf(config: ServiceConfig): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [key, value] of Object.entries(config)) {
    const file = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const isDefault = JSON.stringify(value) === JSON.stringify(DEFAULTS.get(key));
    if (Object.hasOwn(SETTINGS, file) && !isDefault) settings[file] = inWords(key, value);
  }
  const { account } = config;
  if (account) settings['user'] = `${account.name ?? account.uid} (${account.uid}:${account.gid})`;
  return settings;
}

function inWords(key: string, value: unknown): string {
  if (value === undefined) return 'none';
  if (value === true) return 'yes';
  if (typeof value === 'number' && key.endsWith('Signal')) return signalName(value);
  if (typeof value === 'number' && /^timeout|Delay$|Interval$/.test(key)) return formatDuration(value);
  if (typeof value === 'object' && value !== null && 'min' in value && 'max' in value)
    return `${formatDuration(Number(value.min))} ${formatDuration(Number(value.max))}`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
