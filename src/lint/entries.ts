import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type RawServiceDir, SERVICE_FILES } from '../core/servicedir.ts';
import { didYouMean } from '../errors.ts';
import { isDirectory, readHead } from '../os/files.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Directory, Facts } from './facts.ts';

const MOST_BYTES = 131_072;
/** What templates include: no template itself. */
const PARTIALS = 'partials';
/** `run`, `env` … */
const KNOWN = Object.keys(SERVICE_FILES).map((file) => file.split('/', 1)[0] ?? file);

/** Files of other supervisors: whose they are, and what does their work here. */
const FOREIGN: Readonly<Record<string, readonly [whose: string, instead: string]>> = {
  'max-death-tally': ['s6', 'status shows the last death, events the ones before; remove it'],
  'lock-fd': ['s6', 'what a dead run left in its process group is killed before the next one; remove it'],
  'flag-timeout-killpg': ['s6', 'timeout-kill always kills the whole process group; remove it'],
  'flag-newpidns': ['s6', 'let run exec unshare --pid --fork, or remove it'],
  nosetsid: ['s6', 'every service has a session of its own; remove it'],
  event: ['s6', 'it is the state of another supervisor; remove it'],
  supervise: ['s6 or runit', 'it is the state of another supervisor; remove it'],
  instance: ['s6', 'write one service directory for each instance'],
  instances: ['s6', 'write one service directory for each instance'],
  control: ['runit', 'down-signal and reload-signal name other signals; or let run trap them'],
  conf: ['runit', 'if run reads it, keep it in data/ or write env/NAME'],
  up: ['s6-rc', 'name it run, and write oneshot into a file "type"'],
  'timeout-down': ['s6-rc', 'name it timeout-kill'],
  dependencies: ['s6-rc', 'put one empty file for each name into dependencies.d/'],
  contents: ['s6-rc', 'there are no bundles: name services in dependencies.d/'],
  'contents.d': ['s6-rc', 'there are no bundles: name services in dependencies.d/'],
  'producer-for': ['s6-rc', 'the logger is the service’s own log/run'],
  'consumer-for': ['s6-rc', 'the logger is the service’s own log/run'],
  'pipeline-name': ['s6-rc', 'the logger is the service’s own log/run'],
  'flag-essential': ['s6-rc', 'name it essential'],
  'flag-recommended': ['s6-rc', 'remove it'],
  start: ['s6-rc', 'name it run, and write oneshot into a file "type" if it ends by itself'],
};

/** What files are called elsewhere, or by who does not look them up; too far from ours for `didYouMean`. */
const MEANT: Readonly<Record<string, string>> = {
  'timeout-stop': 'timeout-kill',
  'stop-timeout': 'timeout-kill',
  'kill-timeout': 'timeout-kill',
  'stop-signal': 'down-signal',
  stopsignal: 'down-signal',
  depends: 'dependencies.d',
  depends_on: 'dependencies.d',
  healthcheck: 'health',
  environment: 'env',
};

/** What lies about in the scandir and is passed over at run time: typing mistakes, leftovers, other supervisors' files. */
export function checkEntries({ scandir, directories }: Facts): Complaint[] {
  const services = new Set(directories.map(({ raw }) => raw.path));
  return [...inScandir(scandir.path, scandir.hooks, services), ...directories.flatMap(inService)];
}

/** An editor's or a package manager's backup of a file. */
export function isLeftover(name: string): boolean {
  return /~$|^#.*#$|\.(bak|orig|rej|old|swp|swo|tmp|rpmnew|rpmsave|rpmorig)$|\.dpkg-\w+$/.test(name);
}

function inScandir(path: string, hooks: string | undefined, services: ReadonlySet<string>): Complaint[] {
  return namesIn(path).flatMap((name) => {
    const full = join(path, name);
    const warn = (cause: string, hint: string): Complaint => passedOver(null, full, cause, hint);
    if (name === '.supervise' || name === '.s6-svscan') {
      if (!isDirectory(full))
        return warn('it is no directory', 'make it one; it holds the hooks of the tree');
      if (name !== hooks)
        return warn('there is .supervise beside it', `move its hooks to ${path}/.supervise`);
      return [];
    }
    if (name.startsWith('.')) {
      const near = didYouMean(name, ['.supervise', '.s6-svscan']);
      return near && isDirectory(full)
        ? warn(`did you mean "${near}"?`, `mv ${full} ${join(path, near)}`)
        : [];
    }
    // One whose name is not UTF-8 is a service that is complained of, and cannot be found by that name.
    if (isDirectory(full) || services.has(full) || isReadme(name)) return [];
    if (name === 'run')
      return warn(
        'this is the services directory, and a run belongs into a directory of its own in it',
        `name the directory above ${path}, or move the file to ${path}/NAME/run`,
      );
    if (isDangling(full)) return warn('it is a dangling link', `rm ${full}`);
    return warn('it is no directory, and so no service', `rm ${full}, or move it away`);
  });
}

function inService({ raw, config }: Directory): Complaint[] {
  return [
    ...namesIn(raw.path).flatMap((name) => strange(raw, name, config.name)),
    ...inTemplates(raw.path, config.name),
    ...inEnv(raw, config.name),
  ];
}

function strange({ path: directory, unreadable }: RawServiceDir, name: string, service: string): Complaint[] {
  const path = join(directory, name);
  const warn = (cause: string, hint: string): Complaint[] => [passedOver(service, path, cause, hint)];
  if (KNOWN.includes(name) || name.startsWith('.') || isReadme(name)) return [];
  if (unreadable.some(({ file }) => file === path)) return [];
  const foreign = Object.hasOwn(FOREIGN, name) ? FOREIGN[name] : undefined;
  if (foreign) return warn(`it is a file of ${foreign[0]}`, foreign[1]);
  if (isLeftover(name)) return warn('it looks like an editor’s or a package manager’s backup', `rm ${path}`);
  const cause = 'no file of a service directory is called so';
  const near = Object.hasOwn(MEANT, name) ? MEANT[name] : didYouMean(name, KNOWN);
  if (near === undefined)
    return [passedOver(service, path, cause, `move it to ${directory}/data/, or remove it`, 'note')];
  const holdsNames = near === 'dependencies.d' || near === 'env';
  const isFile = !isDirectory(path);
  return warn(
    `${cause} (did you mean "${near}"?)`,
    holdsNames && isFile
      ? `make ${join(directory, near)} a directory of files, one for each name`
      : `mv ${path} ${join(directory, near)}`,
  );
}

function inTemplates(directory: string, service: string): Complaint[] {
  const templates = join(directory, 'templates');
  return namesIn(templates).flatMap((name) => {
    if (name.startsWith('.') || name.endsWith('.hbs') || name === PARTIALS || isReadme(name)) return [];
    const path = join(templates, name);
    if (isLeftover(name))
      return passedOver(
        service,
        path,
        'it looks like an editor’s or a package manager’s backup',
        `rm ${path}`,
      );
    return passedOver(
      service,
      path,
      'templates are called *.hbs',
      `mv ${path} ${path}.hbs, or move it to ${directory}/data/`,
    );
  });
}

function inEnv({ path, env }: RawServiceDir, service: string): Complaint[] {
  return [...env].flatMap(([name]) => {
    const file = join(path, 'env', name);
    if (isLeftover(name))
      return passedOver(
        service,
        file,
        'it looks like an editor’s or a package manager’s backup',
        `rm ${file}`,
      );
    if (!/^[A-Za-z_]\w*$/.test(name))
      return passedOver(
        service,
        file,
        'no shell can read a variable of this name',
        'name it with letters, digits and _ alone',
      );
    const more = contentOf(file).split('\n').slice(1).join('').trim();
    return more === ''
      ? []
      : passedOver(
          service,
          file,
          'it has more than one line, and the first alone is the value',
          'for a newline in the value write a NUL',
        );
  });
}

function contentOf(file: string): string {
  try {
    return readHead(file, MOST_BYTES);
  } catch {
    return '';
  }
}

function passedOver(
  service: string | null,
  path: string,
  cause: string,
  hint: string,
  severity: Complaint['severity'] = 'warning',
): Complaint {
  return complain(severity, service, path, { message: `cannot use ${path}: ${cause}`, hint });
}

function isReadme(name: string): boolean {
  return /^(readme|licen[cs]e)(\.|$)/i.test(name);
}

function isDangling(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink() && !existsSync(path);
  } catch {
    return false;
  }
}

/** A directory that is not there, or not ours to read, holds nothing; boot says so where it matters. */
function namesIn(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
