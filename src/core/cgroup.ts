/**
 * Where the kernel counts what it killed for lack of memory in our control group, best guess first.
 * @param cgroup the text of /proc/self/cgroup
 * @param mountinfo the text of /proc/self/mountinfo
 */
export function oomCounters(cgroup: string, mountinfo: string): string[] {
  const groups = cgroup.split('\n').flatMap((line) => {
    const [, controllers = '', path] = /^\d+:([^:]*):(\/.*)/.exec(line) ?? [];
    return path === undefined ? [] : [{ controllers, path }];
  });
  const unified = groups.find(({ controllers }) => controllers === '');
  const memory = groups.find(({ controllers }) => controllers.split(',').includes('memory'));
  const mounts = mountinfo.split('\n').flatMap(parseMount);
  return mounts.flatMap(({ root, point, type, options }) => {
    if (type === 'cgroup2' && unified) return [`${directory(root, point, unified.path)}/memory.events`];
    if (type === 'cgroup' && memory && options.includes('memory'))
      return [`${directory(root, point, memory.path)}/memory.oom_control`];
    return [];
  });
}

/** `oom_kill` in memory.events (cgroup v2) and memory.oom_control (v1); undefined where it is not counted. */
export function parseOomKills(text: string): number | undefined {
  const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
  return count === undefined ? undefined : Number(count);
}

interface Mount {
  /** The part of the hierarchy that is mounted: in a container, often just its own. */
  root: string;
  point: string;
  type: string;
  options: readonly string[];
}

function parseMount(line: string): Mount[] {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root = '', point] = before.split(' ');
  const [type = '', , options = ''] = after.split(' ');
  if (point === undefined) return [];
  return [{ root: unescaped(root), point: unescaped(point), type, options: options.split(',') }];
}

/** A path above what is mounted is as good as the mount itself: nothing else of it can be seen. */
function directory(root: string, point: string, path: string): string {
  const prefix = root === '/' ? '' : root;
  const inside = path === prefix || path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : '';
  return inside === '/' ? point : `${point}${inside}`;
}

/** Blanks and the like stand as three octal digits. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
