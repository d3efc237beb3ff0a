#!/usr/bin/env node
// First of all, ahead of what takes time to load.
import './os/early.ts';
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseCommandLine } from './cli.ts';
import { describe, EXIT, UserError } from './errors.ts';
import { takeEarlySignals } from './os/early.ts';
import { EXEC_VERBS, execLater } from './os/exec.ts';
import { loadNative } from './os/native.ts';
import { print } from './os/stdout.ts';

/** Everything begins and ends here: arguments in, exit code out. */
async function main(argv: string[]): Promise<number> {
  if (Object.values<string | undefined>(EXEC_VERBS).includes(argv[0]))
    return execLater(argv, findNative().native);
  const invocation = parseCommandLine(argv, process.env);
  // These take them over when they listen themselves.
  if (!['run', 'template', 'install'].includes(invocation.command)) takeEarlySignals();
  switch (invocation.command) {
    case 'run': {
      const { run } = await import('./commands/run.ts');
      return run(invocation, { ...findNative(), node: [process.execPath, ...process.execArgv], self });
    }
    case 'template': {
      const { template } = await import('./commands/template.ts');
      return template(invocation.rest, undefined, findNative().native);
    }
    case 'lint': {
      const { lintVerb } = await import('./commands/lint.ts');
      return lintVerb(invocation, print);
    }
    case 'init': {
      const { init } = await import('./commands/init.ts');
      return init(invocation, print);
    }
    case 'install': {
      const { install } = await import('./commands/install.ts');
      return install(invocation.rest, print, findNative().native);
    }
    case 'help': {
      const { help } = await import('./commands/help.ts');
      print(await help(invocation.words[0]));
      return EXIT.yes;
    }
    case 'version': {
      const { version } = await import('./commands/version.ts');
      print(version(process.env));
      return EXIT.yes;
    }
    case 'status': {
      const { status } = await import('./commands/status.ts');
      return status(invocation, print);
    }
    case 'events': {
      const { events } = await import('./commands/events.ts');
      return events(invocation, print);
    }
    case 'logs': {
      const { logs } = await import('./commands/logs.ts');
      return logs(invocation, print);
    }
    case 'completion': {
      const { completion } = await import('./commands/completion.ts');
      return completion(invocation.words[0] ?? '', print);
    }
    default: {
      const { control } = await import('./commands/control.ts');
      return control(invocation, print);
    }
  }
}

const self = realpathSync(process.argv[1] ?? process.execPath);

/** The addon lies beside the bundle; in the sources, where its build puts it. */
function findNative() {
  const here = dirname(self);
  const found = loadNative([here, join(here, 'os/native/prebuilt')]);
  return 'native' in found
    ? { native: found.native, cause: undefined }
    : { native: undefined, cause: found.cause };
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`supervise: ${describe(error)}\n`);
    process.exit(error instanceof UserError ? error.exitCode : EXIT.system);
  },
);
