// SPDX-License-Identifier: Apache-2.0
// GPUs by nvidia-container-cli, of which a stand-in records how it is called, and the opt-in hooks.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { host, projectDirectory, type Sandbox, sandbox } from "../harness/index.ts";
import { container, lines, own } from "./container.ts";
import { machine, started } from "./gpu-machine.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";

const packaging = join(projectDirectory, "packaging");

const fixed = ["--user", "configure", "--no-cgroups", expect.stringMatching(/^--ldconfig=@\/.*ldconfig/)];

describe("nvidia-container-cli", () => {
  test.each<[string, string, readonly unknown[] | undefined]>([
    ["nothing asked for", "", undefined],
    ["void", "NVIDIA_VISIBLE_DEVICES=void", undefined],
    ["no devices, but the driver", "NVIDIA_VISIBLE_DEVICES=none", ["--utility"]],
    ["all devices", "NVIDIA_VISIBLE_DEVICES=all", ["--device=all", "--utility"]],
    ["some", "NVIDIA_VISIBLE_DEVICES=0,GPU-1:2", ["--device=0,GPU-1:2", "--utility"]],
    [
      "capabilities",
      "NVIDIA_VISIBLE_DEVICES=0\nNVIDIA_DRIVER_CAPABILITIES=compute,video",
      ["--device=0", "--compute", "--video"],
    ],
    [
      "all capabilities",
      "NVIDIA_VISIBLE_DEVICES=0\nNVIDIA_DRIVER_CAPABILITIES=all",
      ["--device=0", "--compute", "--compat32", "--display", "--graphics", "--utility", "--video"],
    ],
    [
      "MIG",
      "NVIDIA_VISIBLE_DEVICES=all\nNVIDIA_MIG_CONFIG_DEVICES=all\nNVIDIA_MIG_MONITOR_DEVICES=0",
      ["--device=all", "--mig-config=all", "--mig-monitor=0", "--utility"],
    ],
    [
      "requirements",
      'NVIDIA_VISIBLE_DEVICES=all\nNVIDIA_REQUIRE_CUDA="cuda>=12.0 brand=tesla"\nNVIDIA_REQUIRE_X=y',
      ["--device=all", "--utility", "--require=cuda>=12.0 brand=tesla", "--require=y"],
    ],
    [
      "no requirements",
      "NVIDIA_VISIBLE_DEVICES=all\nNVIDIA_REQUIRE_CUDA=cuda>=12.0\nNVIDIA_DISABLE_REQUIRE=1",
      ["--device=all", "--utility"],
    ],
    [
      "the last of several lines",
      "NVIDIA_VISIBLE_DEVICES=0\nNVIDIA_VISIBLE_DEVICES=1",
      ["--device=1", "--utility"],
    ],
    ["an option", "NVIDIA_VISIBLE_DEVICES=--help --debug=/x", ["--device=--help --debug=/x", "--utility"]],
  ])("%s", async (_, environment, expected) => {
    await using box = await sandbox();
    const place = await machine(box, `${environment}\n`);
    expect(await started(place)).toMatchObject({ status: 0, stdout: "started\n" });
    const calls = await place.calls();
    if (expected === undefined) expect(calls).toEqual(["-"]);
    else expect(calls?.filter((line) => !/^(\/|NVIDIA_)/.test(line))).toEqual([...fixed, ...expected]);
  });

  improvement(
    "bash enroot gives it all variables of that name",
    "gets nothing of the image but what is asked for it",
    async () => {
      await using box = await sandbox();
      const hostile =
        "NVIDIA_VISIBLE_DEVICES=all\nLD_PRELOAD=/x.so\nNVIDIA_DEBUG_LOG=/x\nNVIDIA_FOO=1\nBASH_ENV=/x\n";
      const place = await machine(box, hostile);
      expect((await started(place)).status).toBe(0);
      const calls = (await place.calls())?.join("\n") ?? "";
      expect(calls).not.toMatch(/NVIDIA_FOO|--debug|x\.so/);
    },
  );

  test("a variable of the caller counts more than the image's, and --env as much as the image", async () => {
    await using box = await sandbox();
    const place = await machine(box, "NVIDIA_VISIBLE_DEVICES=all\n");
    await started(place, [], { env: { NVIDIA_VISIBLE_DEVICES: "1", NVIDIA_DRIVER_CAPABILITIES: "video" } });
    expect(await place.calls()).toEqual(expect.arrayContaining(["--device=1", "--video"]));
    await started(place, ["-e", "NVIDIA_VISIBLE_DEVICES=2"]);
    expect(await place.calls()).toContain("--device=2");
  });

  const stops = async (env: Record<string, string>, words: string): Promise<void> => {
    await using box = await sandbox();
    const place = await machine(box);
    const result = await started(place, [], { env: { NVIDIA_VISIBLE_DEVICES: "all", ...env } });
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain(`[ERROR] ${words}`);
  };

  test("an unknown capability stops the start", () =>
    stops({ NVIDIA_DRIVER_CAPABILITIES: "flying" }, "Unknown NVIDIA driver capability: flying"));

  improvement.each("bash enroot knows no modes, and starts without such a device", [
    ["an unknown mode", { ENROOT_GPU_MODE: "magic" }, "Invalid ENROOT_GPU_MODE: magic"],
    ["CDI without a specification", { ENROOT_GPU_MODE: "cdi" }, "No CDI specification"],
    [
      "an InfiniBand device that is not there",
      { MELLANOX_VISIBLE_DEVICES: "7" },
      "Unknown MELLANOX device id: 7",
    ],
  ])("%s stops the start", (_, env, words) => stops(env, words));

  const absence = async (): Promise<string> => {
    await using box = await sandbox();
    const { env } = await machine(box);
    const options = { env: { ENROOT_CDI_PATH: env["ENROOT_CDI_PATH"] ?? "", NVIDIA_VISIBLE_DEVICES: "all" } };
    const result = await box.enroot(["start", "box", "true"], options);
    expect(result.status).toBe(1);
    return result.stderr;
  };

  test("its absence is told", async () => {
    expect(await absence()).toContain("Command not found: nvidia-container-cli");
  });

  improvement("bash enroot does not tell", "its absence is told with what to install", async () => {
    expect(await absence()).toContain("Command not found: nvidia-container-cli (install the package");
  });

  test("its failure stops the start with the hook's name", async () => {
    await using box = await sandbox();
    const place = await machine(box);
    await writeFile(join(box.root, "bin/nvidia-container-cli"), "#!/bin/sh\nexit 3\n");
    const result = await started(place, [], { env: { NVIDIA_VISIBLE_DEVICES: "all" } });
    expect(result.stderr).toContain("98-nvidia.sh exited with return code 3");
  });
});

describe("opt-in hooks", () => {
  async function withHook(box: Sandbox, name: string, environment: string, env: Record<string, string>) {
    await container(box, { "etc/environment": `PATH=/bin\n${environment}` });
    await mkdir(join(box.config, "hooks.d"), { recursive: true });
    await host(["cp", join(packaging, "extra/hooks.d", name), join(box.config, "hooks.d")]);
    await own(box.config);
    return lines(await box.ok(["start", "box", "env"], { env }));
  }

  test("SHARP", async () => {
    await using box = await sandbox();
    const slurm = { SLURM_NETWORK: "sharp", SLURM_STEP_NUM_NODES: "4" };
    const out = await withHook(box, "50-sharp.sh", "NCCL_COLLNET_ENABLE=0\n", slurm);
    expect(out).not.toContain("SHARP_COLL_LOCK_ON_COMM_INIT=1");
    await host([
      "sh",
      "-c",
      'echo MELLANOX_VISIBLE_DEVICES=0 >> "$1"',
      "sh",
      join(box.data, "box/etc/environment"),
    ]);
    const bare = { ...slurm, ENROOT_SYSCONF_PATH: join(box.root, "none") };
    const with_ = lines(
      await box.ok(["start", "-m", "/proc:/proc:none:rbind,x-create=dir", "box", "env"], { env: bare }),
    );
    expect(with_).toEqual(
      expect.arrayContaining([
        "SHARP_COLL_LOCK_ON_COMM_INIT=1",
        "NCCL_SHARP_GROUP_SIZE_THRESH=4",
        "NCCL_COLLNET_ENABLE=0",
      ]),
    );
  });

  test("Slurm PMI", async () => {
    await using box = await sandbox();
    const tmp = join(box.work, "pm ix");
    await mkdir(tmp);
    const out = await withHook(box, "50-slurm-pmi.sh", "", {
      ...{ SLURM_JOB_ID: "7", SLURM_STEP_ID: "0", SLURM_X: "a b", PMI_RANK: "1", PMIX_RANK: "2" },
      ...{ PMIX_PTL_MODULE: "tcp", PMIX_SERVER_TMPDIR: tmp, SLURM_LINES: "a\nLD_PRELOAD=/x" },
    });
    expect(out).toEqual(
      expect.arrayContaining([
        "SLURM_JOB_ID=7",
        "SLURM_X=a b",
        "PMI_RANK=1",
        "PMIX_RANK=2",
        "PMIX_MCA_ptl=tcp",
      ]),
    );
    expect(out.join("\n")).not.toContain("LD_PRELOAD");
    expect(
      await box.ok(["start", "box", "ls", "-d", tmp], {
        env: { SLURM_JOB_ID: "7", SLURM_STEP_ID: "0", PMIX_SERVER_TMPDIR: tmp },
      }),
    ).toBe(`${tmp}\n`);
    expect((await box.ok(["start", "box", "env"], { env: { SLURM_JOB_ID: "7" } })).includes("SLURM")).toBe(
      false,
    );
  });

  test("Slurm PyTorch", async () => {
    await using box = await sandbox();
    const slurm = {
      SLURM_JOB_ID: "70000",
      SLURM_NTASKS: "8",
      SLURM_PROCID: "3",
      SLURM_LOCALID: "1",
      SLURM_STEP_NUM_TASKS: "8",
      SLURM_STEP_NUM_NODES: "2",
    };
    const out = await withHook(box, "50-slurm-pytorch.sh", "PYTORCH_VERSION=2\nRANK=9\n", slurm);
    expect(out).toEqual(
      expect.arrayContaining([
        "WORLD_SIZE=8",
        "RANK=9",
        "LOCAL_RANK=1",
        "OMP_NUM_THREADS=1",
        `MASTER_PORT=${(70000 % 4536) + 61000}`,
      ]),
    );
  });

  test("MIG configuration", async () => {
    await using box = await sandbox();
    const place = await machine(box, "NVIDIA_VISIBLE_DEVICES=0\n");
    await writeFile(
      join(box.root, "bin/nvidia-smi"),
      '#!/bin/sh\necho "$@" >&2\necho Disabled\necho Enabled\n',
      { mode: 0o755 },
    );
    await mkdir(join(box.config, "hooks.d"));
    await host(["cp", join(packaging, "extra/hooks.d/50-mig-config.sh"), join(box.config, "hooks.d")]);
    const sysconf = join(box.root, "sysconf");
    await mkdir(join(sysconf, "hooks.d"), { recursive: true });
    await host(["cp", join(packaging, "etc/enroot/hooks.d/98-nvidia.sh"), join(box.config, "hooks.d")]);
    await own(box.config);
    const result = await started(place, [], { env: { ENROOT_SYSCONF_PATH: sysconf } });
    expect(result).toMatchObject({ status: 0, stderr: expect.stringContaining("--id=0") });
    expect(await place.calls()).toContain("--mig-config=all");
  });
});

improvement("bash enroot knows nothing of it", "what is for hooks alone is refused elsewhere", async () => {
  await using box = await sandbox();
  expect(refusal(await box.enroot(["cdi", "nvidia.com/gpu=0"]))).toContain("for hooks");
});
