// SPDX-License-Identifier: Apache-2.0
// The identity of engines' images. What users see of dockerd:// and podman:// is in test/conformance/engines.test.ts.
import { expect, test } from "bun:test";
import { loadSettings } from "../../src/config/settings.ts";
import { openEngineImage } from "../../src/registry/engine/engine-image.ts";
import { has } from "../harness/index.ts";
import { foreignArchitecture, images, startDocker, startPodman } from "./engine.ts";

/** Those that this machine has. */
const here = {
  dockerd: has("dockerd://", "dockerd", "docker"),
  podman: has("podman://", "podman", "newuidmap"),
} as const;

const engines = [
  ["dockerd", startDocker],
  ["podman", startPodman],
] as const;

test.each(engines.filter(([scheme]) => here[scheme]))(
  "the id in %s is the digest of the configuration that a registry has of it",
  async (_, launch) => {
    await using engine = await launch();
    const id = (await engine.run("image", "inspect", "--format", "{{.Id}}", images.small)).trim();
    expect(`sha256:${id.replace("sha256:", "")}`).toBe(engine.configDigest);
  },
  600_000,
);

test.skipIf(!here.dockerd)(
  "an image of dockerd has the identity that it has in a registry, so that a cache can be shared",
  async () => {
    await using engine = await startDocker();
    const settings = await loadSettings({ HOME: "/root", PATH: "/usr/bin:/bin", ...engine.env });
    const arch = foreignArchitecture === "arm64" ? "amd64" : "arm64";
    const request = {
      uri: `dockerd://${images.small}`,
      arch,
      settings,
      signal: new AbortController().signal,
    };
    const source = await openEngineImage("dockerd", request);
    try {
      expect(String(source.configDigest)).toBe(engine.configDigest);
      expect(source.layers.length).toBe(source.config.diffIds.length);
    } finally {
      await source.close();
    }
  },
  120_000,
);
