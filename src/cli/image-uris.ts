// SPDX-License-Identifier: Apache-2.0
import type { UsageSection } from "./command.ts";

/** The URIs that images are fetched from, as usages show them. */
export const imageUris: UsageSection = {
  title: "URI",
  lines: [
    "docker://[USER@][REGISTRY#]IMAGE[:TAG][@DIGEST]  an image in a registry",
    "dockerd://IMAGE[:TAG]                            an image of the Docker daemon",
    "podman://IMAGE[:TAG]                             an image of Podman",
    "zfs://[USER@]HOST/NAME                           a container in the ZFS store of another machine",
  ],
};
