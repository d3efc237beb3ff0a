/** A plan as files. Every script notes what it sees in a record of its service, one line by one write. */
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Answer, End, FinishPlan, HookPlan, Program, ServicePlan, TreePlan } from './plan.ts';
import { call, type Place } from './supervisors.ts';

/** The record of a service, by its place in the plan; of its logger, with `.log`; of the tree's hooks. */
export function recordOf(place: Place, index: number | 'tree' | `${number}.log`): string {
  return join(place.root, 'records', String(index));
}

/** Where a service's directory is while it has not appeared, or has vanished. */
export function asideOf(place: Place, index: number): string {
  return join(place.scandir, `.aside-${index}`);
}

export async function layOut(root: string, plan: TreePlan): Promise<Place> {
  const place = { root, scandir: join(root, 'services') };
  mkdirSync(join(root, 'records'), { recursive: true });
  mkdirSync(join(root, 'elsewhere'));
  mkdirSync(place.scandir);
  const fifos: string[] = [];
  for (const [index, service] of plan.services.entries()) fifos.push(...layOutService(place, index, service));
  if (fifos.length > 0) await call('mkfifo', ...fifos);
  writeFileSync(recordOf(place, 'tree'), '');
  if (Object.keys(plan.hooks).length > 0) mkdirSync(join(place.scandir, '.s6-svscan'));
  for (const [name, hook] of Object.entries(plan.hooks)) layOutHook(place, name, hook);
  return place;
}

/** Returns the fifos that it wants. */
function layOutService(place: Place, index: number, plan: ServicePlan): string[] {
  const { name, form } = plan;
  const named = join(place.scandir, name);
  if (form === 'file') writeFileSync(named, '');
  else if (form === 'dangling') symlinkSync(join(place.root, 'nowhere'), named);
  if (form === 'file' || form === 'dangling') return [];
  const directory =
    form === 'late'
      ? asideOf(place, index)
      : form === 'link'
        ? join(place.root, 'elsewhere', String(index))
        : named;
  mkdirSync(directory);
  if (form === 'link') symlinkSync(directory, named);
  for (const [file, content] of Object.entries(plan.settings)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), content);
  }
  const record = recordOf(place, index);
  writeProgram(directory, 'run', plan.run, runScript(record, plan));
  if (plan.finish) writeProgram(directory, 'finish', plan.finish.is, finishScript(record, plan.finish));
  begin(record);
  if (plan.logger) {
    const ofLogger = recordOf(place, `${index}.log`);
    mkdirSync(join(directory, 'log'));
    writeProgram(directory, 'log/run', 'script', loggerScript(ofLogger, plan.logger.first));
    begin(ofLogger);
  }
  return [`${record}.run`, `${record}.finish`];
}

function layOutHook(place: Place, name: string, { is, exit }: HookPlan): void {
  const record = recordOf(place, 'tree');
  const script = `#!/bin/sh\nprintf '%s\\n' "hook ${name} $*" >>'${record}'\nexit ${exit}\n`;
  writeProgram(join(place.scandir, '.s6-svscan'), name, is, script);
}

/** A record, and how many runs and finishes there were. */
function begin(record: string): void {
  writeFileSync(record, '');
  writeFileSync(`${record}.runs`, '0\n');
  writeFileSync(`${record}.finishes`, '0\n');
}

export function writeProgram(directory: string, name: string, is: Program, script: string): void {
  const path = join(directory, name);
  if (is === 'missing') return;
  if (is === 'directory') mkdirSync(path);
  else if (is === 'dangling') symlinkSync('nowhere', path);
  else if (is === 'link') {
    const target = join(directory, `.real-${name}`);
    writeFileSync(target, script);
    chmodSync(target, 0o755);
    symlinkSync(`.real-${name}`, path);
  } else {
    const content =
      is === 'empty'
        ? ''
        : is === 'no shebang'
          ? script.replace(/^#!.*\n/, '')
          : is === 'no interpreter'
            ? script.replace('/bin/sh', '/no/such/sh')
            : script;
    rmSync(path, { recursive: true, force: true });
    writeFileSync(path, content);
    chmodSync(path, is === 'not executable' ? 0o644 : 0o755);
  }
}

/**
 * Notes its arguments, ends at once if it is one of the first, and else rests: it reads a fifo and does what it is told there.
 * All of it is the shell's own, so that a run is one process.
 */
export function runScript(
  record: string,
  { first, answers }: Pick<ServicePlan, 'first' | 'answers'>,
): string {
  return `#!/bin/sh
R='${record}'
printf 'run %s %s %s\\n' "$$" "$0" "$*" >>"$R"
read -r n <"$R.runs"
printf '%s\\n' "$((n + 1))" >"$R.runs"
${cases(first)}
[ -e "$R.fds" ] || (exec ls -l /proc/$$/fd >"$R.fds")
${Object.entries(answers)
  .map(([signal, answer]) => trap(signal, answer))
  .join('\n')}
exec 9<>"$R.run"
printf 'from run\\n'
printf 'rests %s\\n' "$$" >>"$R"
while :; do
  read -r c <&9 && eval "$c"
done
`;
}

export function finishScript(record: string, { does }: FinishPlan): string {
  const ends = does.map((each): End | string =>
    each === 'wait'
      ? `printf 'finish waits\\n' >>"$R"; exec 9<>"$R.finish"; while :; do read -r c <&9 && eval "$c"; done`
      : each,
  );
  return `#!/bin/sh
R='${record}'
printf 'finish %s %s\\n' "$$" "$*" >>"$R"
read -r n <"$R.finishes"
printf '%s\\n' "$((n + 1))" >"$R.finishes"
printf 'from finish\\n'
${cases(ends)}
exit 0
`;
}

/** Notes what it reads. */
function loggerScript(record: string, first: readonly End[]): string {
  return `#!/bin/sh
R='${record}'
printf 'run %s %s %s\\n' "$$" "$0" "$*" >>"$R"
read -r n <"$R.runs"
printf '%s\\n' "$((n + 1))" >"$R.runs"
${cases(first)}
while read -r line; do printf 'read %s\\n' "$line" >>"$R"; done
printf 'end of input\\n' >>"$R"
`;
}

/** Commands of the shell that end it so. */
export function ending(end: End): string {
  return 'exit' in end ? `exit ${end.exit}` : `ulimit -c 0; trap - ${end.signal}; kill -${end.signal} $$`;
}

function cases(ends: readonly (End | string)[]): string {
  if (ends.length === 0) return ':';
  const each = ends.map((end, i) => `${i}) ${typeof end === 'string' ? end : ending(end)} ;;`);
  return `case $n in\n${each.join('\n')}\nesac`;
}

function trap(signal: string, answer: Answer): string {
  if (answer === 'ignore') return `trap '' ${signal}`;
  if (answer === 'note') return `trap 'printf "got ${signal}\\n" >>"$R"' ${signal}`;
  return `trap 'printf "leaves on ${signal}\\n" >>"$R"; exit ${answer}' ${signal}`;
}
