// SPDX-License-Identifier: Apache-2.0
// Values of enroot.conf as a shell would read them. The plain forms are done here, because every start pays for them;
// anything else (other commands, globs, operators) is given to bash. The file belongs to root, so that is as safe as it.
import { EnrootError } from "../errors.ts";

/** What an expansion may ask for beyond variables. */
export interface Expansion {
  readonly variable: (name: string) => string | undefined;
  readonly home: () => string;
  /** Output of a command, less trailing newlines. @throws EnrootError when it fails */
  readonly command: (script: string) => string;
}

/** Characters that only a real shell understands when they stand unquoted. */
const shellOnly = /[`*?[\]{}();|&<>!]/;

/**
 * Expands one value: quotes, backslashes, `$NAME`, `${NAME}`, `${NAME:-default}`, a leading `~`, `$(command)`.
 * White space outside quotes is folded as `echo` would.
 * @throws EnrootError Usage on unbalanced quotes or braces
 */
export function expand(value: string, expansion: Expansion): string {
  const scan = new Scan(value, expansion);
  const text = scan.words();
  return scan.needsShell ? expansion.command(`echo ${value}`) : text;
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
      if (char === "~" && fresh && /^~(\/|$)/.test(this.text.slice(this.at))) {
        this.at++;
        out += this.expansion.home();
      } else out += this.piece();
      fresh = false;
    }
    return out.trimEnd();
  }

  private piece(): string {
    const char = this.text.charAt(this.at++);
    if (char === "'") return this.until("'");
    if (char === '"') return this.quoted();
    if (char === "\\") return this.text.charAt(this.at++);
    if (char === "$") return this.dollar();
    if (shellOnly.test(char)) this.needsShell = true;
    return char;
  }

  private until(end: string): string {
    const stop = this.text.indexOf(end, this.at);
    if (stop < 0) throw new EnrootError("Usage", `Missing ${end} in ${this.text}`);
    const piece = this.text.slice(this.at, stop);
    this.at = stop + 1;
    return piece;
  }

  private quoted(): string {
    let out = "";
    for (;;) {
      if (this.at >= this.text.length) throw new EnrootError("Usage", `Missing " in ${this.text}`);
      const char = this.text.charAt(this.at++);
      if (char === '"') return out;
      if (char === "`") this.needsShell = true;
      if (char === "\\" && /["\\$`]/.test(this.text.charAt(this.at))) out += this.text.charAt(this.at++);
      else out += char === "$" ? this.dollar() : char;
    }
  }

  private dollar(): string {
    const rest = this.text.slice(this.at);
    const plain = /^[A-Za-z_]\w*/.exec(rest);
    if (plain) {
      this.at += plain[0].length;
      return this.expansion.variable(plain[0]) ?? "";
    }
    if (rest.startsWith("{")) return this.braces(rest);
    const command = /^\(([^()'"`\\]*)\)/.exec(rest);
    if (command) {
      this.at += command[0].length;
      return this.expansion.command(command[1] ?? "");
    }
    if (rest.startsWith("(")) this.needsShell = true;
    return "$";
  }

  private braces(rest: string): string {
    const form = /^\{([A-Za-z_]\w*)(?:(:?-)([^{}]*|[^{}]*\$\{\w+\}[^{}]*))?\}/.exec(rest);
    if (!form) {
      this.needsShell = true;
      return "";
    }
    this.at += form[0].length;
    const value = this.expansion.variable(form[1] ?? "");
    const useDefault = form[2] === ":-" ? !value : form[2] === "-" && value === undefined;
    return useDefault ? expand(form[3] ?? "", this.expansion) : (value ?? "");
  }
}
