import type { Ms } from '../core/duration.ts';
import type { RawServiceDir, ServiceConfig } from '../core/servicedir.ts';
import { type Parsed, parseServices, TEMPLATER } from '../core/services.ts';
import { type RawScandir, readScandir } from '../os/scandir.ts';

/** What every check looks at: the scandir as boot reads it, and the circumstances that boot would meet. */
export interface Facts {
  scandir: RawScandir;
  /** Every service, the built-in templater among them. */
  services: readonly Parsed[];
  /** Those that have a directory. */
  directories: readonly Directory[];
  env: Readonly<Record<string, string | undefined>>;
  stopTimeout: Ms;
  /** `--source`, or SUPERVISE_SOURCE. */
  source: string | undefined;
  /** `--helpers`, or SUPERVISE_HELPERS. */
  helpers: string | undefined;
  /** Our effective uid, as which the tree would run. */
  uid: number;
  /** SUPERVISE_DISABLE, SUPERVISE_ENABLE. */
  disabled: ReadonlySet<string>;
  enabled: ReadonlySet<string>;
}

/** A service directory: what is there, and what it means. */
export interface Directory {
  raw: RawServiceDir;
  config: ServiceConfig;
}

/** What is not in the scandir. */
export type Circumstances = Omit<Facts, 'scandir' | 'services' | 'directories'>;

/** @throws UserError where the scandir cannot be read */
export function gather(path: string, circumstances: Circumstances): Facts {
  const scandir = readScandir(path);
  const services = parseServices(scandir.services, { ...circumstances, templater: [TEMPLATER] });
  const configs = new Map(services.map(({ config }) => [config.name, config]));
  const directories = scandir.services.flatMap((raw) => {
    const config = configs.get(raw.name);
    return config ? [{ raw, config }] : [];
  });
  return { ...circumstances, scandir, services, directories };
}
