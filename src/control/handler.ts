import { isForgiven } from '../core/lifecycle.ts';
import { signalName } from '../core/signals.ts';
import { now } from '../os/clock.ts';
import type { Member, Tree } from '../tree.ts';
import { VERSION as PROGRAM } from '../version.ts';
import {
  agree,
  type Reply,
  type Request,
  refuse,
  type ServiceStatus,
  type Status,
  VERSION,
} from './protocol.ts';

/** What the control verbs do to the tree. */
export function controlHandler(
  tree: Tree,
  scandir: string | undefined,
  stop: () => void,
): (request: Request) => Reply {
  return (request) => {
    const { services } = request;
    switch (request.do) {
      case 'status':
        return agree(statusOf(tree, scandir, services));
      case 'check':
        return agree(notWell(tree, services));
      case 'rescan':
        return agree(tree.rescan());
      case 'stop':
        stop();
        return agree(null);
      default:
        return order(tree, request.do, services);
    }
  };
}

/** All names are looked up before the first is touched: an order is taken whole or not at all. */
function order(tree: Tree, verb: 'up' | 'down' | 'restart' | 'reload', services: readonly string[]): Reply {
  if (services.length === 0) return refuse(`cannot ${verb}: expected the name of a service`);
  for (const name of services) tree.find(name);
  for (const name of services) tree[verb](name);
  return agree(null);
}

function statusOf(tree: Tree, scandir: string | undefined, names: readonly string[]): Status {
  const { source } = tree.gate;
  return {
    v: VERSION,
    version: PROGRAM,
    pid: process.pid,
    scandir: scandir ?? null,
    stopping: tree.stopping,
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

function serviceStatus(tree: Tree, member: Member): ServiceStatus {
  const { runner, asked, problem } = member;
  const { service } = runner;
  const { death } = service;
  return {
    name: runner.name,
    type: runner.config.type,
    is: problem && service.is === 'down' ? 'failed' : service.is,
    wanted: asked ?? (problem && !runner.config.down ? 'up' : service.want),
    since: iso(runner.changedAt),
    pid: service.pid ?? null,
    crashes: service.is === 'ready' && isForgiven(service, runner.config, now()) ? 0 : service.crashes,
    lastDeath: death
      ? {
          code: death.signal === 0 ? death.code : null,
          signal: death.signal === 0 ? null : signalName(death.signal),
          ranMs: Math.round(death.ranMs),
          reason: death.reason ?? null,
        }
      : null,
    nextStart:
      service.is === 'backoff' && service.deadline !== undefined
        ? iso(Date.now() + service.deadline - now())
        : null,
    waitsFor: tree.waitsFor(member),
    complaint: runner.complaint ?? null,
    heldBack: tree.gate.isOpen(runner.name) ? [...tree.gate.missing(runner.name)] : [],
    problem: problem?.message ?? null,
  };
}

/** Each service that should be up and ready and is not, with the reason. Empty: all is well. */
function notWell(tree: Tree, names: readonly string[]): string[] {
  if (tree.stopping) return ['the tree is stopping'];
  return membersOf(tree, names).flatMap((member) => {
    const { name, is, wanted, waitsFor, problem } = serviceStatus(tree, member);
    if (wanted === 'down' || is === 'ready' || is === 'done') return [];
    const why = problem ?? (waitsFor.length > 0 ? `waits for ${waitsFor.join(', ')}` : `is ${is}`);
    return [`${name}: ${why}`];
  });
}

function membersOf(tree: Tree, names: readonly string[]): Member[] {
  return names.length > 0 ? names.map((name) => tree.find(name)) : [...tree.members.values()];
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
