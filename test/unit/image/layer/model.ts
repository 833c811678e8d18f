// SPDX-License-Identifier: Apache-2.0
// Sequential extraction written down naively, as objects: what flattening many layers has to come to.
import type { Member } from "../../../registry/archive.ts";

interface Node {
  readonly kind: "directory" | "file" | "symlink" | "fifo" | "device";
  readonly text: string;
  mode: number;
  readonly children: Map<string, Binding>;
}

interface Binding {
  readonly node: Node;
  readonly layer: number;
}

/** What is at a path: its kind, its data or target, its mode, and all names of the same file. */
export type Listing = ReadonlyMap<string, string>;

/** A member that cannot be extracted. */
export class Impossible extends Error {}

const implicitMode = 0o755;
const kinds: Readonly<Record<string, Node["kind"]>> = {
  "5": "directory",
  "2": "symlink",
  "6": "fifo",
  "3": "device",
};

/** Extracts layers, bottom first. */
export class Model {
  root: Node = { kind: "directory", text: "", mode: implicitMode, children: new Map() };
  layer = 0;

  private directory(names: readonly string[], make: boolean): Node | undefined {
    const trail = [this.root];
    const rest = [...names];
    let links = 0;
    while (rest.length > 0) {
      const name = rest.shift() ?? "";
      const here = trail.at(-1) ?? this.root;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const found = here.children.get(name)?.node;
      if (found?.kind === "directory") trail.push(found);
      else if (found?.kind === "symlink") {
        if (++links > 40) throw new Impossible("loop");
        if (found.text.startsWith("/")) trail.splice(1);
        rest.unshift(...found.text.split("/"));
      } else if (make) {
        const node: Node = { kind: "directory", text: "", mode: implicitMode, children: new Map() };
        here.children.set(name, { node, layer: this.layer });
        trail.push(node);
      } else return undefined;
    }
    return trail.at(-1);
  }

  private hasNew(binding: Binding): boolean {
    return binding.layer === this.layer || [...binding.node.children.values()].some((b) => this.hasNew(b));
  }

  private hide(parent: Node, name: string): void {
    const binding = parent.children.get(name);
    if (!binding) return;
    if (!this.hasNew(binding)) {
      parent.children.delete(name);
      return;
    }
    this.hideBelow(binding.node);
    if (binding.layer < this.layer) {
      const node: Node = { ...binding.node, mode: implicitMode };
      parent.children.set(name, { node, layer: this.layer });
    }
  }

  private hideBelow(node: Node): void {
    for (const name of [...node.children.keys()]) this.hide(node, name);
  }

  private link(names: readonly string[], target: string): boolean {
    const to = target.split("/");
    const node = this.directory(to.slice(0, -1), false)?.children.get(to.at(-1) ?? "")?.node;
    if (!node || node.kind === "directory") return false;
    this.directory(names.slice(0, -1), true)?.children.set(names.at(-1) ?? "", { node, layer: this.layer });
    return true;
  }

  private put(names: readonly string[], member: Member): void {
    const name = names.at(-1) ?? "";
    const parent = this.directory(names.slice(0, -1), true);
    const old = parent?.children.get(name)?.node;
    const kind = kinds[member.flag ?? "0"] ?? "file";
    const text = kind === "symlink" ? (member.link ?? "") : kind === "file" ? String(member.data) : "";
    const children =
      kind === "directory" && old?.kind === "directory" ? old.children : new Map<string, Binding>();
    const node: Node = { kind, text, mode: member.mode ?? (kind === "directory" ? 0o755 : 0o644), children };
    parent?.children.set(name, { node, layer: this.layer });
  }

  apply(members: readonly Member[]): void {
    this.layer++;
    const waiting: Member[] = [];
    for (const member of members) {
      const names = member.name.split("/");
      const last = names.at(-1) ?? "";
      if (last === ".wh..wh..opq") {
        const node = this.directory(names.slice(0, -1), false);
        if (node) this.hideBelow(node);
      } else if (last.startsWith(".wh.")) {
        const node = this.directory(names.slice(0, -1), false);
        if (node) this.hide(node, last.slice(4));
      } else if (member.flag === "1") {
        if (!this.link(names, member.link ?? "")) waiting.push(member);
      } else this.put(names, member);
    }
    for (const { name, link } of waiting.reverse()) {
      if (!this.link(name.split("/"), link ?? "")) throw new Impossible("link");
    }
  }

  /** Everything, without devices and what is in /dev. */
  list(): Listing {
    const names = new Map<Node, string[]>();
    const walk = (node: Node, path: string): void => {
      if (node.kind === "device" || path.startsWith("dev/")) return;
      names.set(node, [...(names.get(node) ?? []), path]);
      for (const [name, child] of node.children) walk(child.node, path === "" ? name : `${path}/${name}`);
    };
    walk(this.root, "");
    const listing = new Map<string, string>();
    for (const [node, paths] of names) {
      const same = node.kind === "directory" ? "" : [...paths].sort().join("+");
      for (const path of paths)
        listing.set(path, `${node.kind} ${node.mode.toString(8)} ${node.text} ${same}`);
    }
    return new Map([...listing].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
