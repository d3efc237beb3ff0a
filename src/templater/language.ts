import type { Ms } from '../core/duration.ts';
import { describe, type UserError } from '../errors.ts';
import { BLOCKS } from './blocks.ts';
import { HELPERS } from './helpers/index.ts';
import { loadUserHelpers } from './helpers/user.ts';
import { LANGUAGE, type Language } from './render.ts';

/**
 * What templates can say here.
 * @param refused told when the user's helpers cannot be loaded: templates that use none of them are as they would be
 */
export function createLanguage(
  { helpers: file, renderTimeout }: { helpers?: string | undefined; renderTimeout?: Ms | undefined },
  refused: (error: UserError) => void,
): Language {
  const language: Language = { ...LANGUAGE, timeout: renderTimeout ?? LANGUAGE.timeout };
  if (file === undefined) return language;
  try {
    const taken = [...Object.keys(HELPERS), ...Object.keys(BLOCKS), 'lookup'];
    return { ...language, helpers: { ...HELPERS, ...loadUserHelpers(file, taken) } };
  } catch (error) {
    refused(error as UserError);
    return { ...language, problem: describe(error).split('\n', 1)[0] };
  }
}
