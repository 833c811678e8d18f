// SPDX-License-Identifier: Apache-2.0
// What tests use to run the built enroot as an unprivileged user against real registries. Imports nothing of src.

export { distDirectory, enrootBinary, machine, projectDirectory } from "./binary.ts";
export { cacheDirectory, used } from "./cache.ts";
export { mountsBelow, processesOf } from "./leftover.ts";
export { host, type Result, type Running, type RunOptions, start, until } from "./process.ts";
export { has } from "./programs.ts";
export { account, type Registry, type RegistryOptions, startRegistry } from "./registry.ts";
export { type Directories, isZfsChosen, type Sandbox, sandbox } from "./sandbox.ts";
export { hasDatasets, inStore, isUnpacking, makeContainer } from "./store.ts";
export { asUser, testUser, userName } from "./user.ts";
export { delegation, type ZfsStore, type ZfsStoreOptions, zfsPool, zfsStore } from "./zfs.ts";
