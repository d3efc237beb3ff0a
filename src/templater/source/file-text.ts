/**
 * Reads the text of a source file: YAML where its name says so, JSON otherwise. What is no text, true, false or null is
 * kept as it was written, as text, where JavaScript would change it (`1.10`, `12345678901234567890`, a date): Consul holds
 * text. Nothing in what it throws is of the file's content, which may be secret.
 * @throws Error that says what is wrong, and in which line where that is known
 */
export async function parseFileText(file: string, text: string): Promise<unknown> {
  try {
    const content = /\.ya?ml$/i.test(file) ? await parseYaml(text) : parseJson(text);
    checkDepth(content, MOST_DEPTH);
    return content;
  } catch (error) {
    throw error instanceof RangeError ? new Error('it is nested too deep', { cause: error }) : error;
  }
}

/** The paths of Consul's keys have no more parts than bytes, and those are 512; whatever recurses here must do with this. */
const MOST_DEPTH = 512;

function checkDepth(value: unknown, left: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (left === 0) throw new RangeError();
  for (const each of Object.values(value)) checkDepth(each, left - 1);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''), keepDigits);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // The parser's own message quotes what it stumbled over.
    const [, at] = /position (\d+)/.exec(error.message) ?? [];
    const line = text.slice(0, at === undefined ? text.length : Number(at)).split('\n').length;
    throw new Error(`line ${line} of it is no JSON`, { cause: error });
  }
}

/** Loaded when first needed: most have JSON, or Consul. */
async function parseYaml(text: string): Promise<unknown> {
  const { parseDocument, visit } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: true, logLevel: 'error' });
  const [error] = document.errors;
  if (error?.message.startsWith('Maximum call stack')) throw new Error('it is nested too deep');
  if (error) {
    // The library's own message may quote the file; its code (`TAB_AS_INDENT`) does not.
    const cause = error.code.toLowerCase().replaceAll('_', ' ');
    throw new Error(`line ${error.linePos?.[0].line ?? '?'} of it is no YAML: ${cause}`);
  }
  visit(document, {
    Scalar(_, node) {
      const isPlain = ['string', 'boolean'].includes(typeof node.value) || node.value === null;
      if (!isPlain && node.source !== undefined && String(node.value) !== node.source)
        node.value = node.source;
    },
  });
  try {
    return withTextKeys(document.toJS({ mapAsMap: true }));
  } catch (thrown) {
    if (!(thrown instanceof ReferenceError)) throw thrown;
    throw new Error('its aliases (*name) name nothing, or unfold to too much', { cause: thrown });
  }
}

/** YAML's maps as objects. @throws Error for what JSON has not, and would be lost */
function withTextKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTextKeys);
  if (value instanceof Set) throw new Error('expected text, lists and maps, got a set');
  if (!(value instanceof Map)) return value;
  return Object.fromEntries(
    [...value].map(([key, each]) => {
      if (typeof key === 'object' && key !== null)
        throw new Error('expected text for a key, got a list or a map');
      return [String(key ?? ''), withTextKeys(each)];
    }),
  );
}

/** The third argument is what JSON.parse gives a reviver since V8 11.4; TypeScript's library does not know it yet. */
function keepDigits(this: unknown, _name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return String(value) === context.source ? value : context.source;
}
