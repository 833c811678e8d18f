// SPDX-License-Identifier: Apache-2.0
// GPUs by specifications of the Container Device Interface, with devices that every machine has.
// Also with containers that are datasets.
import { describe, expect } from "bun:test";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { host, sandbox } from "../harness/index.ts";
import { lines, own } from "./container.ts";
import { type Machine, machine, started } from "./gpu-machine.ts";
import { improvement } from "./improvement.ts";

const specification = {
  cdiVersion: "0.6.0",
  kind: "nvidia.com/gpu",
  containerEdits: {
    env: ["DRIVER=1.2.3"],
    mounts: [
      {
        hostPath: "/etc/hostname",
        containerPath: "/opt/driver/lib.so",
        options: ["ro", "nosuid", "nodev", "rbind"],
      },
    ],
  },
  devices: [
    { name: "0", containerEdits: { deviceNodes: [{ path: "/dev/gpu0", hostPath: "/dev/zero" }] } },
    {
      name: "GPU-1:2",
      containerEdits: {
        deviceNodes: [
          { path: "/dev/gpu1", hostPath: "/dev/null", type: "c", major: 1, minor: 3, permissions: "rw" },
        ],
        env: ["SECOND=a b"],
      },
    },
  ],
};

async function specify({ env }: Machine, name: string, text: string): Promise<void> {
  await writeFile(join(env["ENROOT_CDI_PATH"] ?? "", name), text);
}

const probe =
  'for i in 0 1; do [ ! -c /dev/gpu$i ] || echo gpu$i; done; cat /opt/driver/lib.so > /dev/null; echo "$DRIVER,${SECOND-}"';

async function seen({ box, env }: Machine, variables: Record<string, string>): Promise<string[]> {
  const options = { env: { ...env, ENROOT_RESTRICT_DEV: "y", ...variables } };
  return lines(await box.ok(["start", "box", "sh", "-c", probe], options));
}

const cdi = "bash enroot knows nothing of it";

describe("CDI", () => {
  improvement.each(cdi, [
    ["0", ["gpu0", "1.2.3,"]],
    ["GPU-1:2", ["gpu1", "1.2.3,a b"]],
    ["all", ["gpu0", "gpu1", "1.2.3,a b"]],
    ["0,GPU-1:2", ["gpu0", "gpu1", "1.2.3,a b"]],
    ["nvidia.com/gpu=0", ["gpu0", "1.2.3,"]],
  ])("%s", async (devices, expected) => {
    await using box = await sandbox();
    const place = await machine(box);
    await specify(place, "nvidia.json", JSON.stringify(specification));
    expect(await seen(place, { NVIDIA_VISIBLE_DEVICES: devices })).toEqual(expected);
    expect(await place.calls()).toEqual(["-"]);
  });

  improvement(cdi, "specifications may be YAML, and AMD's devices come the same way", async () => {
    await using box = await sandbox();
    const place = await machine(box);
    const yaml = `---
cdiVersion: "0.5.0"
kind: amd.com/gpu
devices:
  - name: "0"
    containerEdits:
      deviceNodes:
        - path: /dev/gpu0
          hostPath: /dev/zero
  - name: all
    containerEdits:
      deviceNodes:
        - {path: /dev/gpu1, hostPath: /dev/null}
containerEdits:
  env: [DRIVER=rocm]
  mounts:
    - hostPath: /etc/hostname
      containerPath: /opt/driver/lib.so
`;
    await specify(place, "amd.yaml", yaml);
    expect(await seen(place, { AMD_VISIBLE_DEVICES: "0" })).toEqual(["gpu0", "rocm,"]);
    expect(await seen(place, { AMD_VISIBLE_DEVICES: "all" })).toEqual(["gpu1", "rocm,"]);
    const missing = await started(place, [], { env: { AMD_VISIBLE_DEVICES: "5" } });
    expect(missing.stderr).toContain("No CDI specification for AMD_VISIBLE_DEVICES=5");
  });

  improvement(
    cdi,
    "a device that no specification has goes to the CLI, and a mode forces either",
    async () => {
      await using box = await sandbox();
      const place = await machine(box);
      await specify(place, "nvidia.json", JSON.stringify(specification));
      expect((await started(place, [], { env: { NVIDIA_VISIBLE_DEVICES: "7" } })).status).toBe(0);
      expect(await place.calls()).toContain("--device=7");
      expect(
        (await started(place, [], { env: { NVIDIA_VISIBLE_DEVICES: "0", ENROOT_GPU_MODE: "cli" } })).status,
      ).toBe(0);
      expect(await place.calls()).toContain("--device=0");
      const forced = await started(place, [], {
        env: { NVIDIA_VISIBLE_DEVICES: "7", ENROOT_GPU_MODE: "cdi" },
      });
      expect(forced.stderr).toContain("No CDI specification for NVIDIA_VISIBLE_DEVICES=7");
    },
  );

  improvement(
    cdi,
    "of two directories the later one counts, and within one a device stands once",
    async () => {
      await using box = await sandbox();
      const place = await machine(box);
      const later = join(box.root, "later");
      await mkdir(later);
      await specify(place, "a.json", JSON.stringify(specification));
      const changed = {
        ...specification,
        containerEdits: { ...specification.containerEdits, env: ["DRIVER=later"] },
      };
      await writeFile(join(later, "b.json"), JSON.stringify(changed));
      const env = {
        NVIDIA_VISIBLE_DEVICES: "0",
        ENROOT_CDI_PATH: `${place.env["ENROOT_CDI_PATH"]}:${later}`,
      };
      expect(await seen(place, env)).toEqual(["gpu0", "later,"]);
      await writeFile(join(later, "c.json"), JSON.stringify(specification));
      expect((await started(place, [], { env })).stderr).toContain("Two CDI specifications have 0");
    },
  );

  improvement(cdi, "hooks of the specification run on the host with the container's state", async () => {
    await using box = await sandbox();
    const place = await machine(box);
    const hook = join(box.root, "hook");
    const script = `#!/bin/sh\n{ echo "$1,$HOOK"; cat; } > '${box.work}/hook'\n`;
    await writeFile(hook, script);
    await chmod(hook, 0o755);
    const hooks = [
      { hookName: "createContainer", path: hook, args: ["hook", "first"], env: ["HOOK=1"], timeout: 10 },
      { hookName: "startContainer", path: "/nonexistent" },
    ];
    await specify(
      place,
      "a.json",
      JSON.stringify({ ...specification, containerEdits: { ...specification.containerEdits, hooks } }),
    );
    await own(box.root, hook);
    expect(await seen(place, { NVIDIA_VISIBLE_DEVICES: "0" })).toEqual(["gpu0", "1.2.3,"]);
    const [first, state] = lines(await readFile(join(box.work, "hook"), "utf8"));
    expect(first).toBe("first,1");
    expect(JSON.parse(state ?? "")).toMatchObject({
      status: "creating",
      pid: expect.any(Number),
      bundle: expect.any(String),
    });
    await writeFile(hook, "#!/bin/sh\necho broken >&2\nexit 4\n");
    const failed = await started(place, [], {
      env: { NVIDIA_VISIBLE_DEVICES: "0", ENROOT_RESTRICT_DEV: "y" },
    });
    expect(failed.stderr).toContain("hook exited with return code 4: broken");
  });

  improvement.each(cdi, [
    ["no JSON", "{"],
    ["no kind", JSON.stringify({ ...specification, kind: "gpu" })],
    [
      "a relative path",
      JSON.stringify({
        ...specification,
        devices: [{ name: "0", containerEdits: { deviceNodes: [{ path: "dev/x" }] } }],
      }),
    ],
    ["a line break", JSON.stringify({ ...specification, containerEdits: { env: ["A=1\nLD_PRELOAD=/x"] } })],
    ["a variable without a name", JSON.stringify({ ...specification, containerEdits: { env: ["=x"] } })],
    ["a device without a name", JSON.stringify({ ...specification, devices: [{ containerEdits: {} }] })],
  ])("a specification with %s is refused in one line", async (_, text) => {
    await using box = await sandbox();
    const place = await machine(box);
    await specify(place, "a.json", text);
    const result = await started(place, [], { env: { NVIDIA_VISIBLE_DEVICES: "0" } });
    expect(result).toMatchObject({ status: 1, stdout: "" });
    const errors = lines(result.stderr).filter((line) => line.startsWith("[ERROR]"));
    expect(errors[0]).toMatch(/^\[ERROR\] Invalid CDI specification .*a\.json: /);
    expect(lines(result.stderr)).toHaveLength(2);
  });

  improvement(cdi, "mounts of a specification cannot leave the container", async () => {
    await using box = await sandbox();
    const place = await machine(box);
    await host(["ln", "-s", box.work, join(box.data, "box/opt")]);
    await specify(place, "a.json", JSON.stringify(specification));
    await started(place, [], { env: { NVIDIA_VISIBLE_DEVICES: "0" } });
    expect(await box.run(["ls", "-A", box.work])).toMatchObject({ stdout: "" });
  });
});
