// SPDX-License-Identifier: Apache-2.0
import { machine } from "node:os";
import type { Settings } from "../config/settings.ts";
import { parseArchitecture } from "../image/architecture.ts";
import { isPeerUri } from "../image/peer-uri.ts";
import { imageName } from "../image/reference.ts";
import { openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { fixedTimeOf } from "./flattened-image.ts";
import { remoteContent } from "./remote-content.ts";

/** What `enroot load` is asked for. */
export interface LoadRequest {
  readonly settings: Settings;
  readonly uri: string;
  readonly arch: string | undefined;
  readonly name: string | undefined;
  readonly force: boolean;
}

/**
 * Makes a container of an image, each of its files written once, straight into the container.
 * @throws EnrootError with nothing left behind
 */
export async function loadImage({ settings, uri, arch, name, force }: LoadRequest): Promise<void> {
  if (isPeerUri(uri)) return (await import("./peer.ts")).pullContainer({ settings, uri, force, name });
  const container = parseContainerName(name ?? imageName(uri));
  const architecture = parseArchitecture(arch ?? machine());
  fixedTimeOf(settings);
  const content = remoteContent({ uri, arch: architecture, settings });
  const store = await openStore(settings);
  await openLog();
  try {
    await store.create({ name: container, force, content });
  } finally {
    await content.close();
  }
}
