// SPDX-License-Identifier: Apache-2.0
// Containers as ZFS datasets: STORE/NAME, clones of STORE/.templates/KEY@pristine (docs/zfs.md).
import { EnrootError } from "../../errors.ts";
import type { ReceiveOptions, Store } from "../store.ts";
import type { StoreSettings } from "../table.ts";
import {
  containerNamed,
  createContainer,
  listContainers,
  openContainer,
  refuseTaken,
  removeContainer,
} from "./containers.ts";
import { openContext, type ZfsContext } from "./context.ts";
import { cloneEphemeral, releaseEphemeral } from "./ephemeral.ts";
import { containerOf } from "./names.ts";
import { readProvenance, writeProvenance } from "./provenance.ts";
import { receiveTemplate, sendChunks, sendToFile, withReceived } from "./streams.ts";
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
      send: async (name, output) => sendToFile(await containerNamed(context, name), output),
      chunks: async function* (name) {
        yield* sendChunks(await containerNamed(context, name));
      },
      receive: (options) => receiveContainer(context, options),
      withReceived: (chunks, use) => withReceived(context, chunks, use),
      provenance: (name) => readProvenance(context, name),
      describe: (name, provenance) => writeProvenance(context, name, provenance),
    },
  };
}

async function receiveContainer(context: ZfsContext, { name, force, chunks }: ReceiveOptions): Promise<void> {
  if (!force) await refuseTaken(context, name);
  const identity = await receiveTemplate(context, chunks);
  const gone = new EnrootError("Tool", "The received template has been destroyed meanwhile");
  const content = { identify: async () => identity, fill: () => Promise.reject(gone) };
  await createContainer(context, { name, force, content });
}
