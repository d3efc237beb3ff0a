import { type Helper, type Options, type Pass, readRequired, textValue } from './helper.ts';
import { asText } from './value.ts';

/** The environment of the templater. */
export const ENVIRONMENT = {
  env: {
    usage: 'env "HOME" default="/root"',
    meaning: 'the variable; nothing where it is not set',
    examples: [['{{env "HOME"}} {{env "NONE" default="-"}}', '/home/app -']],
    values: [1, 1],
    options: ['default', 'required'],
    run: readVariable,
  },
  envOrDefault: {
    usage: 'envOrDefault "PORT" "80"',
    meaning: 'the variable, or else the second value; the same as default=',
    examples: [['{{envOrDefault "NONE" "80"}}', '80']],
    values: [2, 2],
    options: [],
    run: (pass, [name, fallback]) => readVariable(pass, [name], { default: asText(fallback) }),
  },
  mustEnv: {
    usage: 'mustEnv "HOME"',
    meaning: 'the variable; an error where it is not set. The same as required=true',
    examples: [['{{mustEnv "HOME"}}', '/home/app']],
    values: [1, 1],
    options: [],
    run: (pass, [name]) => readVariable(pass, [name], { required: true }),
  },
} satisfies Record<string, Helper>;

function readVariable(pass: Pass, [name]: readonly unknown[], options: Options): string {
  const variable = textValue(name, 'the name of a variable');
  const value = Object.hasOwn(pass.env, variable) ? pass.env[variable] : undefined;
  if (value !== undefined && value !== '') return value;
  if (options['default'] != null) return asText(options['default'], 'default= to be text');
  if (readRequired(options['required'])) throw new Error(`the environment has no ${variable}`);
  return value ?? '';
}
