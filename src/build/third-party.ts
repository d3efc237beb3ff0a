import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';

/** A package whose code is in the bundle. */
export interface ThirdParty {
  name: string;
  version: string;
  /** SPDX, as the lock file has it. */
  license: string;
  /** `sha512-…`, of what the registry gave. */
  integrity: string;
  /** The text of its own licence file. */
  text: string;
}

interface Lock {
  packages: Record<string, { version?: string; license?: string; integrity?: string }>;
}

/**
 * What is in a bundle: its packages, from esbuild's list of inputs; what each is, from the lock file and from its own directory.
 * @param inputs paths, `node_modules/…/file.js` those of packages
 * @throws Error for one without a licence: it could not be passed on
 */
export function thirdParties(inputs: Iterable<string>, root: string): ThirdParty[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const places = new Set(
    [...inputs].flatMap(
      (path) => /(?:^|\/)(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
    ),
  );
  return [...places].sort().map((place) => {
    const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const { version, license, integrity } = lock.packages[place] ?? {};
    if (!version || !license || !integrity)
      throw new Error(`cannot list ${place}: package-lock.json lacks its version, license or sum`);
    return { name, version, license, integrity, text: licenceText(join(root, place)) };
  });
}

/** Writes what must go along with the bundle; called by the build (tsup.config.ts) with what it put in. */
export function thirdPartyFiles(ofChunks: () => Iterable<string>): Plugin {
  return {
    name: 'third-party',
    setup({ initialOptions, onEnd }) {
      initialOptions.metafile = true;
      onEnd(({ metafile }) => {
        const parties = thirdParties([...Object.keys(metafile?.inputs ?? {}), ...ofChunks()], '.');
        mkdirSync('dist', { recursive: true });
        writeFileSync('dist/THIRD-PARTY-NOTICES.txt', notices(parties));
        writeFileSync('dist/supervise.cdx.json', `${JSON.stringify(bill(parties), undefined, 2)}\n`);
      });
    },
  };
}

/** The notices that the licences ask for. */
export function notices(parties: readonly ThirdParty[]): string {
  const sections = parties.map(
    ({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`,
  );
  return ['supervise.cjs holds code of the packages below, each under its own licence.\n', ...sections].join(
    `\n${'-'.repeat(80)}\n\n`,
  );
}

/**
 * The bill of materials, CycloneDX 1.6: the same bytes for the same lock file, so without a time or a serial number.
 * @param more what else an artefact holds: the executable, Node
 */
export function bill(parties: readonly ThirdParty[], more: readonly object[] = []) {
  const { name, version, license } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
    string,
    string
  >;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        name,
        version,
        purl: `pkg:npm/${name}@${version}`,
        licenses: [{ expression: license }],
      },
    },
    components: [
      ...parties.map((party) => ({
        type: 'library',
        ...(party.name.startsWith('@') && { group: party.name.split('/')[0] }),
        name: party.name.split('/').at(-1),
        version: party.version,
        purl: `pkg:npm/${party.name.replace('@', '%40')}@${party.version}`,
        licenses: [{ expression: party.license }],
        hashes: [
          {
            alg: 'SHA-512',
            content: Buffer.from(party.integrity.replace('sha512-', ''), 'base64').toString('hex'),
          },
        ],
      })),
      ...more,
    ],
  };
}

function licenceText(directory: string): string {
  const file = readdirSync(directory)
    .sort()
    .find((name) => /^licen[cs]e(\.(md|txt))?$/i.test(name));
  if (!file) throw new Error(`cannot list ${directory}: it has no licence file`);
  return readFileSync(join(directory, file), 'utf8').trim().replaceAll('\r', '');
}
