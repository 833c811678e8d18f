// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from "node:fs";
import { machine } from "node:os";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { parseArchitecture } from "../image/architecture.ts";
import { imageName } from "../image/reference.ts";
import { log, openLog } from "../log.ts";
import { parseContainerName } from "../store/name.ts";
import { openStore } from "../store/table.ts";
import { removeTree } from "../system/tree.ts";
import { openDirectoryOutput, requireTar } from "./directory-output.ts";
import { fixedTimeOf, withImage, writeFlattened } from "./flattened-image.ts";

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
  const container = parseContainerName(name ?? imageName(uri));
  const architecture = parseArchitecture(arch ?? machine());
  fixedTimeOf(settings);
  const program = requireTar();
  const store = await openStore(settings.storageBackend, settings.dataPath);
  await openLog();
  const fill = (directory: string): Promise<void> =>
    withImage({ uri, arch: architecture, settings }, async (image, progress) => {
      log.info("Loading container root filesystem...");
      await writeFlattened({
        image,
        settings,
        progress,
        // As create does: on the host, set-id programs of an image would run with the rights of whoever owns its files.
        modeMask: process.geteuid?.() === 0 ? 0o7777 : 0o1777,
        open: () => openDirectoryOutput({ program, directory, data: settings.dataPath }),
        clear: () => emptyDirectory(directory),
      });
    });
  await store.create({ name: container, force, fill });
}

async function emptyDirectory(directory: string): Promise<void> {
  for (const name of readdirSync(directory)) await removeTree(join(directory, name));
}
