// SPDX-License-Identifier: Apache-2.0
// All commands: a summary each, and the module that is loaded only when the command is called.
import type { CommandModule } from "./command.ts";

/** One row of the table. */
export interface Row {
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

const row = (summary: string, load: Row["load"]): Row => ({ summary, load });

/** The table, in the order of the usage text. */
export const table: Readonly<Record<string, Row>> = {
  batch: row("Start a container as a configuration script says", () => import("./commands/batch.ts")),
  bundle: row("Make a self-extracting bundle of an image", () => import("./commands/bundle.ts")),
  create: row("Unpack an image as a container", () => import("./commands/create.ts")),
  digest: row("Print the digest of an image in a registry", () => import("./commands/digest.ts")),
  exec: row("Run a command in a running container", () => import("./commands/exec.ts")),
  export: row("Make an image of a container", () => import("./commands/export.ts")),
  import: row("Make an image file of an image in a registry", () => import("./commands/import.ts")),
  info: row("Show the configuration", () => import("./commands/info.ts")),
  list: row("List containers", () => import("./commands/list.ts")),
  load: row("Make a container of an image in a registry", () => import("./commands/load.ts")),
  remove: row("Delete containers", () => import("./commands/remove.ts")),
  start: row("Start a container", () => import("./commands/start.ts")),
  version: row("Print the version", () => import("./commands/version.ts")),
};

/** Commands that hooks, starts and other enroots call, and no usage shows. */
export const internalTable: Readonly<Record<string, Row>> = {
  release: row("Take away a container that was there for one start", () => import("./commands/release.ts")),
  provenance: row("Tell or note where a container came from", () => import("./commands/provenance.ts")),
  template: row(
    "Tell, send or receive what a container is a clone of",
    () => import("./commands/template.ts"),
  ),
  cdi: row("Make devices visible in a container", () => import("./commands/cdi.ts")),
};
