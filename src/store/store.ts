// SPDX-License-Identifier: Apache-2.0
// Where containers live. Implementations: dir/ (plain directories); a ZFS store is to come.
// May import: image, system, errors.

declare const brand: unique symbol;

/** A container's name: no slash, no leading dot, no control characters, at most 255 bytes. */
export type ContainerName = string & { readonly [brand]: "ContainerName" };

/** What `create` is told about the container to make. */
export interface CreateOptions {
  readonly name: ContainerName;
  /** Replace a container of that name. */
  readonly force: boolean;
  /** Writes the root file system into an empty directory; called once. */
  readonly fill: (directory: string) => Promise<void>;
}

/** A place that holds containers. Each verb is safe under concurrent callers. */
export interface Store {
  /** Names of all containers, sorted bytewise. */
  list(): Promise<ContainerName[]>;
  /** Path of an existing container's root file system. @throws EnrootError NotFound */
  rootfs(name: ContainerName): Promise<string>;
  /**
   * Makes a container: the name appears only when it is complete.
   * @throws EnrootError Exists unless `force`; whatever `fill` throws, with nothing left behind
   */
  create(options: CreateOptions): Promise<void>;
  /** Deletes a container, whatever permissions its files have; never crosses into a mount. @throws EnrootError NotFound */
  remove(name: ContainerName): Promise<void>;
}
