/** What stands for a variable of Go's: a block parameter, or a value that is put aside (`set`, `get`). */
export interface Variable {
  kind: 'block' | 'aside';
  name: string;
}

/** What is in sight at some place of a template. */
export class Scope {
  /** Whether the dot is something: not so at the top of a template, where consul-template has no data. */
  readonly hasDot: boolean;
  /** Keys that are known to be there where a value is used. */
  readonly guarded: ReadonlySet<string>;
  readonly #parent: Scope | undefined;
  readonly #variables = new Map<string, Variable>();
  readonly #blockNames = new Set<string>();

  constructor(hasDot: boolean, parent?: Scope, guarded: ReadonlySet<string> = parent?.guarded ?? new Set()) {
    this.hasDot = hasDot;
    this.#parent = parent;
    this.guarded = guarded;
  }

  /** A scope within this one. */
  inner(hasDot = this.hasDot): Scope {
    return new Scope(hasDot, this);
  }

  guard(paths: readonly string[]): Scope {
    return new Scope(this.hasDot, this, new Set([...this.guarded, ...paths]));
  }

  declare(name: string, variable: Variable): void {
    this.#variables.set(name, variable);
    if (variable.kind === 'block') this.#blockNames.add(variable.name);
  }

  /** What is declared in this very scope. */
  own(name: string): Variable | undefined {
    return this.#variables.get(name);
  }

  /** Whether a block that we are in calls something by this name. */
  isBlockName(name: string): boolean {
    return this.#blockNames.has(name) || (this.#parent?.isBlockName(name) ?? false);
  }

  find(name: string): Variable | undefined {
    return this.#variables.get(name) ?? this.#parent?.find(name);
  }
}
