// SPDX-License-Identifier: Apache-2.0
// From the devices that are asked for to what they change about the container.
import { EnrootError } from "../../errors.ts";
import type { ContainerEdits, Specification } from "./specification.ts";

/** A specification, and the directory that it is in. */
export interface PlacedSpecification {
  readonly specification: Specification;
  /** Position of the directory: of two specifications with the same device the one of the later directory counts. */
  readonly place: number;
  readonly file: string;
}

interface Found extends PlacedSpecification {
  readonly edits: ContainerEdits;
}

/**
 * Looks devices up.
 * @param names `VENDOR/CLASS=NAME`; `all` is a device of that name, or else every device of the kind
 * @returns what to change, each edit once; undefined when some device is in no specification
 * @throws EnrootError Corrupt when two specifications of one directory have the same device
 */
export function selectDevices(
  names: readonly string[],
  specifications: readonly PlacedSpecification[],
): ContainerEdits[] | undefined {
  const chosen: ContainerEdits[] = [];
  const common = new Set<ContainerEdits>();
  for (const name of names) {
    const found = find(name, specifications);
    if (found.length === 0) return undefined;
    for (const { specification, edits } of found) {
      common.add(specification.common);
      if (!chosen.includes(edits)) chosen.push(edits);
    }
  }
  return [...chosen, ...common];
}

function find(name: string, specifications: readonly PlacedSpecification[]): Found[] {
  const [kind = "", device = ""] = name.split(/=(.*)/s);
  const ofKind = specifications.filter(({ specification }) => specification.kind === kind);
  const exact = highest(device, ofKind);
  if (exact !== undefined || device !== "all") return exact === undefined ? [] : [exact];
  const names = new Set(ofKind.flatMap(({ specification }) => [...specification.devices.keys()]));
  return [...names].flatMap((one) => highest(one, ofKind) ?? []);
}

function highest(device: string, specifications: readonly PlacedSpecification[]): Found | undefined {
  const having = specifications.flatMap((placed): Found[] => {
    const edits = placed.specification.devices.get(device);
    return edits === undefined ? [] : [{ ...placed, edits }];
  });
  const place = Math.max(...having.map((found) => found.place));
  const [first, second] = having.filter((found) => found.place === place);
  if (first !== undefined && second !== undefined) {
    throw new EnrootError(
      "Corrupt",
      `Two CDI specifications have ${device}: ${first.file} and ${second.file}`,
    );
  }
  return first;
}
