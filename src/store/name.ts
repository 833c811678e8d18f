// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";
import type { ContainerName } from "./store.ts";

/** Whether `text` can name a container: not empty, no slash, no control character, no leading dot, at most 255 bytes. */
export function isContainerName(text: string): text is ContainerName {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a name
  return !/^$|^\.|[/\x00-\x1f\x7f]/.test(text) && Buffer.byteLength(text) <= 255;
}

/**
 * Parses a container's name.
 * @throws EnrootError Usage
 */
export function parseContainerName(text: string): ContainerName {
  if (isContainerName(text)) return text;
  throw new EnrootError("Usage", `Invalid container name: ${JSON.stringify(text.slice(0, 300))}`, {
    hint: "at most 255 bytes, no slash, no control character, no leading dot",
  });
}
