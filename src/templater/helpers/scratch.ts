import { type Helper, textValue } from './helper.ts';

/** Values put aside for later in the same run of a template. */
export const SCRATCH = {
  set: {
    usage: 'set "name" value',
    meaning: 'puts a value aside for the rest of this run; prints nothing',
    examples: [['{{set "n" 0}}{{#each (loop 3)}}{{set "n" (add (get "n") this)}}{{/each}}{{get "n"}}', '3']],
    values: [2, 2],
    options: [],
    run(pass, [name, value]) {
      pass.scratch.set(textValue(name, 'a name'), value);
      return '';
    },
  },
  get: {
    usage: 'get "name" default=""',
    meaning: 'the value that was put aside under that name',
    examples: [['{{get "none" default="-"}}', '-']],
    values: [1, 1],
    options: ['default'],
    run(pass, [name], options) {
      const word = textValue(name, 'a name');
      if (pass.scratch.has(word)) return pass.scratch.get(word);
      if ('default' in options) return options['default'];
      throw new Error(
        `nothing was set under the name ${JSON.stringify(word)} (default= gives another value)`,
      );
    },
  },
} satisfies Record<string, Helper>;
