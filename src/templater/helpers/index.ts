import type { Helper } from './helper.ts';
import { KV } from './kv.ts';
import { SERVICE } from './service.ts';
import { VALUES } from './values.ts';

/** Every helper that templates can use, beside Handlebars' own if, unless, each, with and lookup. */
export const HELPERS: Readonly<Record<string, Helper>> = { ...KV, ...SERVICE, ...VALUES };
