#!/usr/bin/env node
// First of all, ahead of what takes time to load.
import './os/early.ts';
import { dirname } from 'node:path';
import { parseCommandLine } from './cli.ts';
import { describe, EXIT, UserError } from './errors.ts';
import { takeEarlySignals } from './os/early.ts';
import { EXEC_AS, execAs } from './os/exec.ts';
import { loadNative } from './os/native.ts';
import { thisProgram } from './os/program.ts';
import { print } from './os/stdout.ts';

/** Everything begins and ends here: arguments in, exit code out. */
async function main(argv: string[]): Promise<number> {
  if (argv[0] === EXEC_AS) return execAs(argv);
  const invocation = parseCommandLine(argv, process.env);
  // These take them over when they listen themselves.
  if (!['run', 'template', 'install'].includes(invocation.command)) takeEarlySignals();
  switch (invocation.command) {
    case 'run': {
      const { run } = await import('./commands/run.ts');
      return run(invocation, { ...(await findNative()), program });
    }
    case 'template': {
      const { template } = await import('./commands/template.ts');
      return template(invocation.rest, undefined, (await findNative()).native);
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
      return install(invocation.rest, print, (await findNative()).native);
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

const program = thisProgram();

/** The addon lies beside the bundle; in the sources, where its build puts it; the executable has one inside, too. */
async function findNative() {
  const here = dirname(program.file);
  const beside = loadNative(program.isExecutable ? [here] : [here, `${here}/os/native/prebuilt`]);
  if ('native' in beside) return { native: beside.native, cause: undefined };
  if (!program.isExecutable) return { native: undefined, cause: beside.cause };
  const { loadNativeAsset } = await import('./os/native-asset.ts');
  const inside = loadNativeAsset(process.env);
  return 'native' in inside
    ? { native: inside.native, cause: undefined }
    : { native: undefined, cause: `${beside.cause}; ${inside.cause}` };
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`supervise: ${describe(error)}\n`);
    process.exit(error instanceof UserError ? error.exitCode : EXIT.system);
  },
);
