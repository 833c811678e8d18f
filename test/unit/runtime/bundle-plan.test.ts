// SPDX-License-Identifier: Apache-2.0
// The plan that a bundle writes in bash is the one that the engine makes for the same start.
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadSettings } from "../../../src/config/settings.ts";
import { environmentStep, mountStep } from "../../../src/runtime/arguments.ts";
import { findConfigurationFiles } from "../../../src/runtime/configuration-files.ts";
import { encodePlan } from "../../../src/runtime/plan.ts";
import { planStart } from "../../../src/runtime/start-plan.ts";
import { temporary } from "../temporary.ts";

const text = await Bun.file(join(import.meta.dirname, "../../../packaging/bundle.sh")).text();
const functions = text.slice(0, text.indexOf("\nconf='' "));

interface Case {
  readonly env: Readonly<Record<string, string>>;
  readonly environ: readonly string[];
  readonly mounts: readonly string[];
  readonly conf: string;
  readonly rc: string;
  readonly command: readonly string[];
}

const plain: Case = { env: {}, environ: [], mounts: [], conf: "", rc: "", command: ["sh", "-c", "a  b", ""] };

function writtenByBundle({ environ, mounts, conf, rc, command }: Case, env: Record<string, string>): string {
  const main = `${functions}
    conf=$1 conf_text=$1 rc=$2; shift 2
    environ=("\${@:2:$1}"); shift $(($1 + 1)); mounts=("\${@:2:$1}"); shift $(($1 + 1))
    bundle::plan /rootfs "\${ENROOT_RUNTIME_PATH}" "$@"`;
  const counted = (words: readonly string[]): string[] => [String(words.length), ...words];
  const args = [conf, rc, ...counted(environ), ...counted(mounts), ...command];
  const { stdout, stderr } = Bun.spawnSync(["bash", "-c", main, "bundle", ...args], { env });
  expect(stderr.toString()).toBe("");
  return stdout.toString();
}

async function madeByEngine(given: Case, env: Record<string, string>): Promise<string> {
  const settings = await loadSettings(env);
  const steps = planStart({
    settings,
    root: { kind: "container", path: "/rootfs" },
    privileged: settings.allowSuperuser && process.geteuid?.() === 0,
    variables: [],
    files: findConfigurationFiles([settings.sysconfPath, settings.configPath]),
    script: given.conf === "" ? undefined : { text: given.conf },
    rc: given.rc === "" ? undefined : given.rc,
    environment: given.environ.map(environmentStep),
    mounts: given.mounts.map(mountStep),
    command: given.command,
  });
  return Buffer.from(encodePlan(steps)).toString();
}

const off = { ENROOT_LOGIN_SHELL: "" };
const cases: readonly (readonly [string, Partial<Case>])[] = [
  ["nothing in particular", {}],
  ["a login shell", { env: { ENROOT_LOGIN_SHELL: "y" } }],
  ["variables and mounts", { environ: ["A=1", "B", "C=a b"], mounts: ["/a:/b", "tmpfs:/t::size=1m"] }],
  ["a configuration script", { conf: "environ() { echo A=1; }\n# text", environ: ["A=2"] }],
  ["a command script", { rc: "/rc", conf: "rc() { :; }" }],
  ["root, writable", { env: { ENROOT_REMAP_ROOT: "y", ENROOT_ROOTFS_WRITABLE: "y" } }],
  [
    "namespaces",
    {
      env: {
        ENROOT_UNSHARE_PID: "y",
        ENROOT_UNSHARE_NET: "y",
        ENROOT_UNSHARE_IPC: "y",
        ENROOT_UNSHARE_UTS: "y",
      },
    },
  ],
  ["privileges", { env: { ENROOT_ALLOW_SUPERUSER: "y" } }],
];

test.each(cases)("%s", async (_, changes) => {
  using place = temporary();
  for (const side of ["system", "user"]) {
    for (const [kind, suffix] of [
      ["hooks.d", "sh"],
      ["mounts.d", "fstab"],
      ["environ.d", "env"],
    ]) {
      mkdirSync(join(place.path, side, `${kind}`), { recursive: true });
      for (const name of ["10-b", "2 a", "x"])
        writeFileSync(join(place.path, side, `${kind}`, `${name}.${suffix}`), "");
      writeFileSync(join(place.path, side, `${kind}`, "other"), "");
    }
  }
  const given = { ...plain, ...changes };
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: place.path,
    ENROOT_SYSCONF_PATH: join(place.path, "system"),
    ENROOT_CONFIG_PATH: join(place.path, "user"),
    ENROOT_RUNTIME_PATH: "/run/x",
    ...given.env,
  };
  const engine = await madeByEngine(given, {
    ...off,
    ...env,
    ENROOT_LOGIN_SHELL: given.env["ENROOT_LOGIN_SHELL"] ?? "n",
  });
  expect(writtenByBundle(given, env).split("\0")).toEqual(engine.split("\0"));
});
