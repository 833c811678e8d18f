// SPDX-License-Identifier: Apache-2.0
// Names of containers as names of datasets. ZFS takes fewer characters (letters, digits and `_ - . :`, zfsconcepts(7)),
// and image names are full of `+`: such a byte becomes `:XX`, its number in upper-case hexadecimal. enroot-zfs-mount turns
// it back, so a container's directory always has the container's name.
import { EnrootError } from "../../errors.ts";
import { isContainerName } from "../name.ts";
import type { ContainerName } from "../store.ts";

/** ZFS_MAX_DATASET_NAME_LEN less the terminator. */
const longest = 255;

/** What is ours beside the containers: names that no container can have. */
export const templatesName = ".templates";
export const ephemeralName = ".ephemeral";
export const layersName = ".layers";

/** The snapshot of a template that containers are cloned from. */
export const pristine = "pristine";

/** A template of which only a part has come from another machine. @param guid of its snapshot */
export function partName(guid: string): string {
  return `.part.${guid}`;
}

/** The snapshot of a layer that the one above it, or a template, is a clone of. */
export const done = "done";

/** Full name of the dataset of a layer over all below it. */
export function layerDataset(store: string, id: string): string {
  return `${store}/${layersName}/${id}`;
}

/**
 * Full name of the dataset of a container.
 * @param store the store's dataset
 * @throws EnrootError Usage when ZFS takes no name of that length
 */
export function containerDataset(store: string, name: ContainerName): string {
  const encoded = [...Buffer.from(name)].map(encodeByte).join("");
  const dataset = `${store}/${encoded}`;
  // Room for the snapshot of an export.
  if (dataset.length + "@export".length <= longest) return dataset;
  throw new EnrootError("Usage", `Container name is too long for ZFS: ${name}`);
}

function encodeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  if (/[\w.-]/.test(character)) return character;
  return `:${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** The container that a dataset directly below the store is; undefined when it is none. */
export function containerOf(store: string, dataset: string): ContainerName | undefined {
  if (!dataset.startsWith(`${store}/`)) return undefined;
  const encoded = dataset.slice(store.length + 1);
  if (encoded.includes("/")) return undefined;
  const bytes = encoded.replace(/:([0-9A-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  const name = Buffer.from(bytes, "latin1").toString();
  return isContainerName(name) && containerDataset(store, name) === dataset ? name : undefined;
}

/** Full name of the dataset of a template. */
export function templateDataset(store: string, key: string): string {
  return `${store}/${templatesName}/${key}`;
}
