/**
 * Reads the text of a source file: YAML where its name says so, JSON otherwise. A number keeps the digits it was
 * written with, as text, where JavaScript would change them (`1.10`, `12345678901234567890`): Consul holds text.
 * @throws Error that says what is wrong and in which line
 */
export async function parseFileText(file: string, text: string): Promise<unknown> {
  if (/\.ya?ml$/i.test(file)) return parseYaml(text);
  return JSON.parse(text.replace(/^\uFEFF/, ''), keepDigits);
}

/** Loaded when first needed: most have JSON, or Consul. */
async function parseYaml(text: string): Promise<unknown> {
  const { parseDocument, visit } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  // The library adds an excerpt of the file below its first line, and the file may hold secrets.
  if (error) throw new Error(error.message.split('\n', 1)[0]?.replace(/:$/, '') ?? 'invalid YAML');
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'number' && node.source !== undefined && String(node.value) !== node.source)
        node.value = node.source;
    },
  });
  return document.toJS();
}

/** The third argument is what JSON.parse gives a reviver since V8 11.4; TypeScript's library does not know it yet. */
function keepDigits(this: unknown, _name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return String(value) === context.source ? value : context.source;
}
