import type { Target } from '../target.ts';
import { protocol, tree } from './control.ts';
import { answers, kv, wire } from './kv.ts';
import { link } from './lines.ts';
import { packages } from './packages.ts';
import { rescans, servicedir } from './servicedir.ts';
import { sources } from './sources.ts';
import { helpers, settings, templates } from './templates.ts';

/** A target whose cases are nobody else's business. */
type Any = Target<never>;

export const TARGETS: Readonly<Record<string, Any>> = {
  protocol: protocol as unknown as Any,
  tree: tree as unknown as Any,
  servicedir: servicedir as unknown as Any,
  rescans: rescans as unknown as Any,
  settings: settings as unknown as Any,
  templates: templates as unknown as Any,
  helpers: helpers as unknown as Any,
  kv: kv as unknown as Any,
  answers: answers as unknown as Any,
  wire: wire as unknown as Any,
  packages: packages as unknown as Any,
  sources: sources as unknown as Any,
  link: link as unknown as Any,
};
