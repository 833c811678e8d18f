// SPDX-License-Identifier: Apache-2.0
// Containers as ZFS datasets: STORE/NAME, clones of STORE/.templates/KEY@pristine (docs/zfs.md).
import type { Store } from "../store.ts";
import type { StoreSettings } from "../table.ts";
import {
  containerNamed,
  createContainer,
  listContainers,
  openContainer,
  refuseTaken,
  removeContainer,
} from "./containers.ts";
import { openContext } from "./context.ts";
import { cloneEphemeral, releaseEphemeral } from "./ephemeral.ts";
import { heldTemplate, receiveContainer, receiveTemplate } from "./exchange.ts";
import { containerOf } from "./names.ts";
import { readProvenance, writeProvenance } from "./provenance.ts";
import { readOrigin, sendChunks, sendToFile, withReceived } from "./streams.ts";
import { hasTemplate, keepTemplate } from "./templates.ts";

/** Opens the ZFS store. @throws EnrootError Usage when its directory is no dataset's, Unsupported in a user namespace */
export function openZfsStore(settings: StoreSettings): Store {
  const context = openContext(settings);
  return {
    list: () => listContainers(context),
    rootfs: (name) => openContainer(context, name),
    create: (options) => createContainer(context, options),
    remove: (name) => removeContainer(context, name),
    containerAt: ({ source }) => containerOf(context.place.dataset, source),
    templates: {
      has: (key) => hasTemplate(context, key),
      ensure: (content) => keepTemplate(context, content),
      clone: (content, owner) => cloneEphemeral(context, content, owner),
      release: (id) => releaseEphemeral(context, id),
    },
    streams: {
      send: async (name, part, output) => sendToFile(await containerNamed(context, name), part, output),
      chunks: async function* (name, part) {
        yield* sendChunks(await containerNamed(context, name), part);
      },
      refuseTaken: (name) => refuseTaken(context, name),
      templateGuid: async (name) => (await readOrigin(await containerNamed(context, name)))?.guid,
      held: (guid) => heldTemplate(context, guid),
      receiveTemplate: (chunks) => receiveTemplate(context, chunks),
      receive: (options) => receiveContainer(context, options),
      withReceived: (chunks, use) => withReceived(context, chunks, use),
      provenance: (name) => readProvenance(context, name),
      describe: (name, provenance) => writeProvenance(context, name, provenance),
    },
  };
}
