// SPDX-License-Identifier: Apache-2.0
import type { Member } from "../../../registry/archive.ts";
import { randomNumbers } from "./random.ts";

/** What random layers are made of. */
export interface LayerAlphabet {
  /** Names of files and directories: few, so that layers meet. */
  readonly names: readonly string[];
  /** Type flags of what is neither file, directory nor link. */
  readonly others: readonly string[];
}

/** Names below /dev, and devices, are among what no image gets. */
const everything: LayerAlphabet = { names: ["a", "b", "dev"], others: ["6", "3"] };

/** One to four layers of members that are the same for each seed, most of them unlike what any tool makes. */
export function randomLayers(seed: number, { names, others } = everything): Member[][] {
  const random = randomNumbers(seed);
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  const path = (): string => Array.from({ length: 1 + random(3) }, () => pick(names)).join("/");
  const beside = (name: string): string => path().replace(/[^/]*$/, name);
  const files: string[] = [];
  const member = (): Member => {
    const kind = random(20);
    if (kind < 8 || files.length === 0) {
      const name = path();
      return { name, data: `data ${files.push(name)}` };
    }
    if (kind < 10) return { name: path(), flag: "5", mode: pick([0o755, 0o700, 0o1777]) };
    if (kind < 13)
      return { name: path(), flag: "2", link: pick(["a", "b", "../b", "/a", "/a/b", "..", "../../.."]) };
    if (kind < 15) return { name: path(), flag: "1", link: random(12) === 0 ? path() : pick(files) };
    if (kind < 16) return { name: path(), flag: pick(others) };
    return { name: beside(pick([".wh.a", ".wh.b", ".wh..wh..opq"])), data: "" };
  };
  return Array.from({ length: 1 + random(4) }, () => Array.from({ length: 1 + random(6) }, member));
}
