// SPDX-License-Identifier: Apache-2.0
import { EnrootError } from "../errors.ts";
import type { ContainerName } from "./store.ts";

/**
 * Parses a container's name.
 * @throws EnrootError Usage when it is empty, has a slash or a control character, begins with a dot or is over 255 bytes
 */
export function parseContainerName(text: string): ContainerName {
  const bytes = Buffer.byteLength(text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a name
  if (bytes === 0 || bytes > 255 || /[/\x00-\x1f\x7f]/.test(text) || text.startsWith(".")) {
    throw new EnrootError("Usage", `Invalid container name: ${JSON.stringify(text.slice(0, 300))}`, {
      hint: "at most 255 bytes, no slash, no control character, no leading dot",
    });
  }
  return text as ContainerName;
}
