// SPDX-License-Identifier: Apache-2.0
// Values of enroot.conf as a shell would read them. The plain forms are done here, because every start pays for them;
// anything else (patterns, operators, other parameter forms) is given to bash. The file belongs to root, so that is as
// safe as the file.

/** What an expansion may ask for beyond the text. */
export interface Expansion {
  readonly variable: (name: string) => string | undefined;
  /** What an unset variable counts as where no default is written; undefined makes the whole value unset. */
  readonly fallback: (name: string) => string | undefined;
  readonly home: () => string;
  /** Output of a command, less trailing newlines. */
  readonly command: (script: string) => string;
  /** What `echo VALUE` prints in a real shell. @throws when the shell refuses it */
  readonly shell: (value: string) => string;
}

/** A value names a variable that is not set: the value does not count. */
export class UnsetVariable extends Error {
  constructor(readonly variable: string) {
    super(`${variable} is not set`);
  }
}

/** Characters that only a real shell understands when they stand unquoted. */
const shellOnly = /[`*?[\]{}();|&<>]/;

/**
 * Expands one value: quotes, backslashes, `$NAME`, `${NAME}`, `${NAME:-default}`, a leading `~`, `$(command)`.
 * White space outside quotes is folded as `echo` does.
 * @throws UnsetVariable
 * @throws SyntaxError on unbalanced quotes
 */
export function expand(value: string, expansion: Expansion): string {
  const scan = new Scan(value, expansion);
  const text = scan.words();
  return scan.needsShell ? expansion.shell(value) : text;
}

class Scan {
  needsShell = false;
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly expansion: Expansion,
  ) {}

  words(): string {
    let out = "";
    let fresh = true;
    while (this.at < this.text.length && !this.needsShell) {
      const char = this.text.charAt(this.at);
      if (char === " " || char === "\t") {
        this.at++;
        if (!fresh) out += " ";
        fresh = true;
        continue;
      }
      if (char === "#" && fresh) break;
      out += char === "~" && fresh ? this.tilde() : this.piece();
      fresh = false;
    }
    return fresh && out.endsWith(" ") ? out.slice(0, -1) : out;
  }

  private tilde(): string {
    const name = /^~([^/\s]*)/.exec(this.text.slice(this.at))?.[1];
    this.at++;
    if (name === "") return this.expansion.home();
    this.needsShell = true;
    return "~";
  }

  private piece(): string {
    const char = this.text.charAt(this.at++);
    if (char === "'") return this.single();
    if (char === '"') return this.double();
    if (char === "\\") return this.text.charAt(this.at++);
    if (char === "$") return this.dollar(false);
    if (shellOnly.test(char)) this.needsShell = true;
    return char;
  }

  private single(): string {
    const stop = this.text.indexOf("'", this.at);
    if (stop < 0) throw new SyntaxError("missing '");
    const piece = this.text.slice(this.at, stop);
    this.at = stop + 1;
    return piece;
  }

  private double(): string {
    let out = "";
    while (this.at < this.text.length && !this.needsShell) {
      const char = this.text.charAt(this.at++);
      if (char === '"') return out;
      if (char === "`") this.needsShell = true;
      if (char === "\\" && /["\\$`]/.test(this.text.charAt(this.at))) out += this.text.charAt(this.at++);
      else out += char === "$" ? this.dollar(true) : char;
    }
    if (this.needsShell) return out;
    throw new SyntaxError('missing "');
  }

  private dollar(quoted: boolean): string {
    const rest = this.text.slice(this.at);
    const plain = /^[A-Za-z_]\w*/.exec(rest);
    if (plain) {
      this.at += plain[0].length;
      return this.variable(plain[0]);
    }
    if (rest.startsWith("{")) return this.braces(rest);
    const command = /^\(([^()'"`\\]*)\)/.exec(rest);
    if (command) {
      this.at += command[0].length;
      return this.expansion.command(command[1] ?? "");
    }
    if (/^[(\d?$!#@*-]/.test(rest) || (!quoted && /^['"]/.test(rest))) this.needsShell = true;
    return "$";
  }

  private variable(name: string): string {
    const value = this.expansion.variable(name) ?? this.expansion.fallback(name);
    if (value === undefined) throw new UnsetVariable(name);
    return value;
  }

  private braces(rest: string): string {
    const form = /^\{([A-Za-z_]\w*)(?:(:?-)((?:[^{}'"\\$]|\$\{\w+\}|\$\w+)*))?\}/.exec(rest);
    if (!form) {
      this.needsShell = true;
      return "";
    }
    this.at += form[0].length;
    const [, name = "", operator, text = ""] = form;
    if (operator === undefined) return this.variable(name);
    const value = this.expansion.variable(name);
    const useDefault = operator === ":-" ? !value : value === undefined;
    return useDefault ? expand(text, this.expansion) : (value ?? "");
  }
}
