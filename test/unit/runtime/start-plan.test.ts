// SPDX-License-Identifier: Apache-2.0
// Whole plans, as the launcher gets them. What they do is tested with the built program.
import { expect, test } from "bun:test";
import { loadSettings, type Settings } from "../../../src/config/settings.ts";
import { printPlan } from "../../../src/runtime/plan.ts";
import { planStart, type StartRequest } from "../../../src/runtime/start-plan.ts";
import { expectGolden } from "../golden.ts";

const places = { library: "/usr/lib/enroot", sysconf: "/nowhere", helpers: "/usr/bin" };

function settings(environment: Record<string, string> = {}): Promise<Settings> {
  return loadSettings({ HOME: "/home/u", ENROOT_RUNTIME_PATH: "/run/user/7/enroot", ...environment }, places);
}

async function plan(change: Partial<StartRequest>): Promise<string> {
  return printPlan(
    planStart({
      settings: await settings(),
      root: { kind: "container", path: "/data/c" },
      privileged: false,
      variables: [],
      files: { environ: [], mounts: [], hooks: [] },
      script: undefined,
      rc: undefined,
      environment: [],
      mounts: [],
      command: [],
      ...change,
    }),
  );
}

test("the least that a start is", async () => {
  await expectGolden("plan-plain.txt", await plan({}));
});

test("all that a start can be", async () => {
  const everything = await plan({
    settings: await settings({
      ENROOT_REMAP_ROOT: "y",
      ENROOT_ROOTFS_WRITABLE: "y",
      ENROOT_LOGIN_SHELL: "n",
      ENROOT_UNSHARE_NET: "y",
      ENROOT_UNSHARE_PID: "y",
      ENROOT_UNSHARE_IPC: "y",
      ENROOT_UNSHARE_UTS: "y",
    }),
    root: {
      kind: "image",
      file: "/i.sqsh",
      squashfuse: "/usr/bin/squashfuse",
      fuseOverlayfs: "/usr/bin/fuse-overlayfs",
    },
    variables: [
      ["ENROOT_REMAP_ROOT", "y"],
      ["ENROOT_ALLOW_HTTP", undefined],
    ],
    files: {
      environ: ["/etc/enroot/environ.d/1.env", "/home/u/.config/enroot/environ.d/1.env"],
      mounts: ["/etc/enroot/mounts.d/1.fstab"],
      hooks: ["/etc/enroot/hooks.d/1.sh", "/etc/enroot/hooks.d/2.sh"],
    },
    script: { file: "/tmp/conf" },
    environment: [
      ["environ-text", "A=1"],
      ["environ-variable", "B"],
    ],
    mounts: [["mounts-text", "/src /dst"]],
    command: ["sh", "-c", "", "--"],
  });
  await expectGolden("plan-everything.txt", everything);
});

test("a script given as text", async () => {
  const text = await plan({ script: { text: "hooks() { :; }\n" }, command: ["x"] });
  expect(text).toContain('config-text "hooks() { :; }\\n" "x"\n');
});

test("a command script of the user's beats that of the configuration script", async () => {
  const text = await plan({ script: { file: "/conf" }, rc: "/proc/self/fd/9" });
  expect(text).toContain('rc-file "/proc/self/fd/9"\n');
  expect(text).not.toContain("rc-function");
});

test("root that keeps its privileges gets no user namespace, and is nobody's other root", async () => {
  const text = await plan({ privileged: true, settings: await settings({ ENROOT_REMAP_ROOT: "y" }) });
  expect(text).toContain('unshare "mount"\n');
});

test("the kernel's overlay needs no program", async () => {
  const root = {
    kind: "image",
    file: "/i",
    squashfuse: "/bin/squashfuse",
    fuseOverlayfs: undefined,
  } as const;
  expect(await plan({ root })).toContain('image "/i" "kernel" "/bin/squashfuse" ""\n');
});
