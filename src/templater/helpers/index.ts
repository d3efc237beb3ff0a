import { CATALOG } from './catalog.ts';
import { ENCODE } from './encode.ts';
import { ENVIRONMENT } from './environment.ts';
import { ESCAPES } from './escape.ts';
import { FILE } from './file.ts';
import { FORMATS } from './formats.ts';
import { GROUPS } from './groups.ts';
import type { Helper } from './helper.ts';
import { KV } from './kv.ts';
import { LOGIC } from './logic.ts';
import { NUMBERS } from './numbers.ts';
import { PRINTF } from './printf.ts';
import { REGEX } from './regex.ts';
import { SCRATCH } from './scratch.ts';
import { SETS } from './sets.ts';
import { SOCKADDR } from './sockaddr.ts';
import { STRINGS } from './strings.ts';
import { TIME } from './time.ts';

type Helpers = Readonly<Record<string, Helper>>;

/** The helpers by what they are for, as `help templates` shows them. */
export const GROUPED: Readonly<Record<string, Helpers>> = {
  'Keys, services, nodes': { ...KV, ...CATALOG },
  'This machine': { ...FILE, ...ENVIRONMENT, ...TIME, ...SOCKADDR },
  'Written safely': ESCAPES,
  'Read and written': { ...FORMATS, ...ENCODE },
  Conditions: LOGIC,
  'Lists and objects': { ...SETS, ...GROUPS },
  Text: { ...STRINGS, ...PRINTF, ...REGEX },
  Numbers: NUMBERS,
  'Put aside': SCRATCH,
};

const { index, slice, loop, ...CONDITIONS } = LOGIC;
const { indent, ...TEXTS } = STRINGS;

/**
 * Helpers of which one call is soon over whatever it is given: a walk over its values, and no regular expression that could
 * go over them again and again. What is not listed is taken for one that may never end.
 */
export const BRIEF: ReadonlySet<Helper> = new Set<Helper>(
  Object.values({
    ...KV,
    ...CATALOG,
    ...FILE,
    ...ENVIRONMENT,
    ...ESCAPES,
    ...CONDITIONS,
    ...TEXTS,
    ...SCRATCH,
  }),
);

/** Every helper that templates can use, beside the blocks (blocks.ts). */
export const HELPERS: Helpers = Object.assign({}, ...Object.values(GROUPED));
