import {
  bareConfig,
  MAIN_COMMAND,
  ownerOf,
  type Problem,
  parseServiceDir,
  type RawServiceDir,
  type ServiceConfig,
} from './servicedir.ts';

/** The service that renders the templates of all others. */
export const TEMPLATER = 'templater';

/** A service directory as it was understood, and all complaints, of which any keeps it from starting. */
export interface Parsed {
  config: ServiceConfig;
  problems: readonly Problem[];
}

/** What is not in the directory, and decides what it means. */
export interface Switches {
  /** The built-in templater's `run`. */
  templater: readonly string[];
  /** Not started at boot whatever their directories say (SUPERVISE_DISABLE), or started all the same (SUPERVISE_ENABLE). */
  disabled: ReadonlySet<string>;
  enabled: ReadonlySet<string>;
}

/**
 * All services of a scandir, the templater with them where templates want one.
 * @param wantsTemplater whether one is needed, where what was read cannot tell
 */
export function parseServices(
  raws: readonly RawServiceDir[],
  { templater, disabled, enabled }: Switches,
  wantsTemplater: boolean = raws.some(({ templates }) => templates.length > 0),
): Parsed[] {
  const services = raws
    .filter(({ name }) => name !== MAIN_COMMAND)
    .flatMap((raw): Parsed[] => {
      const isTemplater = raw.name === TEMPLATER;
      const { config, problems } = parseServiceDir(raw, isTemplater ? templater : undefined);
      // A directory that only sets the built-in templater's files does not start one that nobody needs.
      const idle = isTemplater && config.command !== undefined && !wantsTemplater;
      const down = idle || isDown(config, { disabled, enabled });
      return [...loggerIn(raw, { disabled, enabled }), { config: { ...config, down }, problems }];
    });
  if (wantsTemplater && !services.some(({ config }) => config.name === TEMPLATER))
    services.push({ config: bareConfig(TEMPLATER, templater), problems: [] });
  return services;
}

/** Somebody says that it is not run here. A logger is switched off with its service, or by its own name. */
export function isDisabled(name: string, disabled: ReadonlySet<string>): boolean {
  return disabled.has(name) || disabled.has(ownerOf(name) ?? name);
}

type Names = Pick<Switches, 'disabled' | 'enabled'>;

function isDown({ name, down }: ServiceConfig, { disabled, enabled }: Names): boolean {
  return isDisabled(name, disabled) || (down && !enabled.has(name));
}

/** Ahead of its service, which does not wait for it. */
function loggerIn({ log }: RawServiceDir, names: Names): Parsed[] {
  if (!log) return [];
  const { config, problems } = parseServiceDir(log);
  return [{ config: { ...config, down: isDown(config, names) }, problems }];
}
