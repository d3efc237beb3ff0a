import { resolve } from 'node:path';
import { type Helper, readRequired, textValue } from './helper.ts';
import { oneOf } from './list.ts';
import { asText } from './value.ts';

export const FILE = {
  file: {
    usage: 'file "/etc/hostname" default=""',
    meaning: 'text of a file, relative to the service directory; without a default the template waits for it',
    examples: [['{{trimSpace (file "data/banner")}}', 'welcome']],
    values: [1, 1],
    options: ['default', 'required'],
    run(pass, [path], options) {
      const fallback = options['default'] ?? (readRequired(options['required']) === false ? '' : undefined);
      const name = resolve(pass.directory, textValue(path, 'the path of a file'));
      return (
        oneOf(pass, { kind: 'file', name, params: {} }, fallback == null)?.Content ??
        asText(fallback, 'default= to be text')
      );
    },
  },
} satisfies Record<string, Helper>;
