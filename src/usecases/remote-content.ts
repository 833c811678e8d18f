// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { ImageSource } from "../image/image-source.ts";
import { log } from "../log.ts";
import { recogniseImage } from "../registry/source.ts";
import type { Content, TemplateIdentity } from "../store/store.ts";
import { abortSignal } from "../system/signals.ts";
import { removeTree } from "../system/tree.ts";
import { openDirectoryOutput, requireTar } from "./directory-output.ts";
import {
  fixedTimeOf,
  type OpenImage,
  openWanted,
  type WantedImage,
  writeFlattened,
} from "./flattened-image.ts";
import { openLayerChain } from "./layer-chain.ts";

/** An image of a registry or an engine, opened when it is first asked for, and closed in the end. */
export interface RemoteContent extends Content {
  /** Opens it. @throws EnrootError */
  open(): Promise<ImageSource>;
  close(): Promise<void>;
}

/** An image of a registry or an engine. @throws EnrootError Tool when the program that unpacks it is missing */
export function remoteContent(wanted: WantedImage): RemoteContent {
  const program = requireTar();
  const { settings, arch } = wanted;
  let opened: Promise<OpenImage> | undefined;
  const open = (): Promise<OpenImage> => {
    opened ??= openWanted(wanted);
    return opened;
  };
  // As create does: on the host, set-id programs of an image would run with the rights of whoever owns its files.
  const modeMask = process.geteuid?.() === 0 ? 0o7777 : 0o1777;
  return {
    open: async () => (await open()).image,
    recognise: async () => {
      if (opened !== undefined) return undefined;
      const key = await recogniseImage({ ...wanted, signal: abortSignal() });
      return key === undefined ? undefined : { key, uri: wanted.uri, arch };
    },
    identify: async () => identityOf((await open()).image, arch),
    layers: async () => {
      // A layer has the times that it brings, so those of SOURCE_DATE_EPOCH cannot be shared.
      if (!settings.zfsLayerChain || fixedTimeOf(settings) !== undefined) return undefined;
      const { image, progress } = await open();
      return openLayerChain({ image, progress, settings, program, modeMask });
    },
    fill: async (directory) => {
      const { image, progress } = await open();
      log.info("Loading container root filesystem...");
      await writeFlattened({
        image,
        settings,
        progress,
        modeMask,
        open: () => openDirectoryOutput({ program, directory, data: settings.dataPath }),
        clear: () => emptyDirectory(directory),
      });
    },
    close: async () => {
      const image = await opened?.catch(() => undefined);
      await image?.close();
    },
  };
}

/** What a remote image is known by. @param arch OCI name */
export function identityOf(image: ImageSource, arch: string): TemplateIdentity {
  const key = image.configDigest.replace(/^sha256:/, "");
  return { key, uri: image.uri, manifestDigest: image.manifestDigest, arch };
}

async function emptyDirectory(directory: string): Promise<void> {
  for (const name of readdirSync(directory)) await removeTree(join(directory, name));
}
