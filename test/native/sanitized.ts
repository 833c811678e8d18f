// SPDX-License-Identifier: Apache-2.0
// The native programs, built so that any misuse of memory or arithmetic ends them with a status of its own.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asUser, projectDirectory } from "../harness/index.ts";

/** Exit status of a program that a sanitizer has ended. */
export const sanitizerStatus = 99;

/** Programs and the parts that they are linked from, as in scripts/build. */
const parts: Readonly<Record<string, string>> = {
  enroot:
    "execute enter file lock plan script image namespace standin watcher login environ fstab inroot common",
  "enroot-execute":
    "execute enter file lock plan script image namespace standin watcher login environ fstab inroot common",
  "enroot-mount": "fstab inroot common",
  "enroot-nsenter": "namespace standin environ common",
  "enroot-rootfs": "inroot common",
};

/** How a program ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A directory with sanitized programs, and an engine that a test writes. */
export interface Workshop extends Disposable {
  readonly directory: string;
  /** Makes the script that the launcher runs as its engine. */
  engine(script: string): void;
  /** Makes an engine that gives this plan. */
  plan(bytes: Uint8Array | string): void;
  /** Runs a program as the unprivileged user, in a mount namespace where it is root if asked. */
  run(
    argv: readonly string[],
    options?: { stdin?: string | Uint8Array; namespace?: boolean; env?: Record<string, string> },
  ): Ended;
}

/** Builds the programs. */
export function openWorkshop(): Workshop {
  const directory = mkdtempSync(join(tmpdir(), "enroot-native."));
  chmodSync(directory, 0o777);
  const native = join(projectDirectory, "native");
  for (const [program, list] of Object.entries(parts)) {
    const files = [program, ...list.split(" ")].map((name) => join(native, `${name}.c`));
    const flags = [
      "-std=c11",
      "-D_GNU_SOURCE",
      "-g",
      "-O1",
      "-Wall",
      "-Wextra",
      "-fsanitize=address,undefined",
    ];
    const built = Bun.spawnSync([
      "gcc",
      ...flags,
      "-fno-sanitize-recover=all",
      "-o",
      join(directory, program),
      ...files,
    ]);
    if (built.exitCode !== 0) throw new Error(built.stderr.toString());
  }
  const engine = (script: string): void => {
    writeFileSync(join(directory, "enroot-engine"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  return {
    directory,
    engine,
    plan: (bytes) => {
      writeFileSync(join(directory, "plan"), bytes);
      engine(`cat ${directory}/plan >&3`);
    },
    run: (argv, { stdin, namespace = false, env = {} } = {}) => {
      const command = [join(directory, argv[0] ?? ""), ...argv.slice(1)];
      const child = Bun.spawnSync(asUser(namespace ? ["unshare", "-Urm", ...command] : command), {
        cwd: directory,
        env: {
          PATH: "/usr/bin:/bin",
          // What is left at the end of a program that executes another one or exits is no leak.
          ASAN_OPTIONS: `exitcode=${sanitizerStatus}:detect_leaks=0`,
          UBSAN_OPTIONS: `exitcode=${sanitizerStatus}`,
          ...env,
        },
        stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
        stderr: "pipe",
        timeout: 60_000,
      });
      return { status: child.exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
