import { type Action, strongest } from '../core/action.ts';
import type { Ms } from '../core/duration.ts';
import { printable } from '../core/printable.ts';
import { EXIT } from '../errors.ts';
import type { Log } from '../log.ts';
import { createChanges } from '../templater/changes.ts';
import { explain, explanationText } from '../templater/explain.ts';
import type { Job } from '../templater/job.ts';
import { createLanguage } from '../templater/language.ts';
import { readLoneTemplates } from '../templater/lone-templates.ts';
import type { Options } from '../templater/options.ts';
import { printContents, printDifferences, showNothing } from '../templater/preview.ts';
import type { QueryState, Source, SourceState } from '../templater/source/source.ts';
import type { TemplaterOptions } from '../templater/templater.ts';
import { readTemplates, type Templates } from '../templater/templates.ts';
import { createActions } from './template-actions.ts';
import { type Child, createChild } from './template-child.ts';

/** What `--diff` and `--explain` give a source to answer. */
const ANSWER_LIMIT: Ms = 5000;

/** What the verb takes from the process, so that a test can give it something else. */
export interface TemplateIo {
  env: Readonly<Record<string, string | undefined>>;
  /** Whether stderr is a terminal. */
  terminal: boolean;
  /** Whether stdout shows colours. */
  colour: boolean;
  stdout: (text: string) => void;
  stderr: (text: string) => void;
}

/** What is done with what is rendered, and how it ends. */
export interface Mode {
  templater: Pick<TemplaterOptions, 'read' | 'preview' | 'told'> &
    Partial<Pick<TemplaterOptions, 'once' | 'answered'>>;
  child: Child | undefined;
  /** How long it may take. */
  limit: Ms | undefined;
  /** Known once it is open. */
  source?: Source;
  /** Looks at the source as it is now; when the templater has ended it follows nothing any more. */
  look?: () => void;
  /** Called when the templater has ended. @returns the exit code */
  end(code: number, state: SourceState): Promise<number> | number;
}

/** @param env of the commands that are run */
export function chooseMode(options: Options, env: NodeJS.ProcessEnv, io: TemplateIo, log: Log): Mode {
  const { templates, show } = options;
  const changes = createChanges();
  const language = createLanguage(options, ({ message, hint }) =>
    log.error('could not load helpers', { cause: message, hint }),
  );
  const read = async (): Promise<Templates> =>
    templates.length === 0
      ? readTemplates(options.scandirs, io.env, language)
      : readLoneTemplates(templates, io.env, language);
  if (show === 'differences' || show === 'queries') return lookAround(options, io, log, read);
  if (show === 'content')
    return {
      templater: { read, preview: printContents(io.stdout) },
      child: undefined,
      limit: undefined,
      end: (code) => code,
    };
  const child = options.exec && createChild(options.exec, env, log);
  const actions = createActions(env, log);
  const commands = new Map(templates.map(({ file, dest, command }) => [`${file}:${dest ?? ''}`, command]));
  let complete = false;
  const told = (jobs: readonly Job[]): void => {
    const changed = changes.since(jobs);
    for (const { template } of changed) {
      const command = commands.get(template.id) ?? runOf(template.settings?.onChange);
      if (command !== undefined && templates.length > 0) actions.add(command);
    }
    const isComplete = jobs.every((job) => job.placed);
    // With --once it is started when the templater has ended, and told of nothing.
    if (!options.once && !complete && isComplete) child?.start();
    else if (complete) child?.changed(strongest(changed.map((job) => job.placed?.onChange ?? 'none')));
    complete ||= isComplete;
  };
  return {
    templater: { read, told },
    child,
    limit: undefined,
    async end(code) {
      const isDone = options.once && complete;
      await (isDone ? actions.idle() : actions.stop());
      if (!child) return code;
      if (isDone) child.start();
      else child.giveUp();
      return (await child.ended) ?? code;
    },
  };
}

/** The command of an action that runs one. */
function runOf(action: Action | undefined): string | undefined {
  return action?.startsWith('run ') ? action.slice('run '.length) : undefined;
}

/** `--diff` and `--explain`: everything is asked once, and nothing is touched. */
function lookAround({ show, json }: Options, io: TemplateIo, log: Log, read: TemplaterOptions['read']): Mode {
  let jobs: readonly Job[] = [];
  let differ = false;
  const preview =
    show === 'queries'
      ? showNothing
      : printDifferences(io.stdout, io.colour, () => {
          differ = true;
        });
  let states: readonly QueryState[] = [];
  const mode: Mode = {
    templater: {
      read,
      preview,
      told(all) {
        jobs = all;
        mode.look?.();
      },
      once: true,
      answered: true,
    },
    child: undefined,
    limit: ANSWER_LIMIT,
    look() {
      states = mode.source?.explain?.() ?? [];
    },
    end(_code, state) {
      if (show === 'queries') {
        const explanation = explain(mode.source?.name ?? state.name, state, jobs, states);
        io.stdout(
          json ? `${printable(JSON.stringify(explanation))}\n` : explanationText(explanation, Date.now()),
        );
        return explanation.templates.every(({ missing }) => missing.length === 0) ? EXIT.yes : EXIT.no;
      }
      const lacking = jobs.filter((job) => !job.placed && job.problem === undefined);
      for (const { template, missing } of lacking)
        log.error('could not compare', { template: template.file, lacks: missing.join(', ') });
      if (state.awaySince !== null || jobs.some((job) => job.failedWrites > 0)) return EXIT.system;
      if (lacking.length > 0 || jobs.some((job) => job.problem !== undefined)) return EXIT.usage;
      return differ ? EXIT.no : EXIT.yes;
    },
  };
  return mode;
}
