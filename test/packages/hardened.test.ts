// SPDX-License-Identifier: Apache-2.0
// What a container of the hardened flavour sees otherwise, with the packages installed on this machine.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { container } from "../conformance/container.ts";
import { type Sandbox, sandbox } from "../harness/index.ts";
import { packages } from "./built.ts";
import { type Installation, installOnHost } from "./host.ts";

await packages();

/** What the kernel says about a mitigation, of a process that nobody changed. */
async function untouched(name: string): Promise<string> {
  return field(await readFile("/proc/self/status", "utf8"), name);
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";
}

const mitigations = ["Speculation_Store_Bypass", "SpeculationIndirectBranch"] as const;

describe.each(["enroot", "enroot-hardened"] as const)("%s", (flavour) => {
  const hardened = flavour === "enroot-hardened";
  let installation: Installation;
  beforeAll(async () => {
    installation = await installOnHost(flavour);
  }, 120_000);
  afterAll(async () => {
    await installation?.[Symbol.asyncDispose]();
  });

  const shell = async (box: Sandbox, script: string): Promise<string> => {
    const result = await box.run(["sh", "-ec", script], { prepare: installation.prepare });
    if (result.status !== 0) throw new Error(`${script}: ${result.stderr}`);
    return result.stdout;
  };

  test(`a descriptor of the caller is ${hardened ? "closed" : "open"} in the container`, async () => {
    await using box = await sandbox();
    await container(box);
    const look = "/usr/bin/enroot start box sh -c 'cat <&7 2> /dev/null || echo closed' 7< input";
    expect(await shell(box, `echo handed on > input; ${look}`)).toBe(hardened ? "closed\n" : "handed on\n");
    const listed = await shell(
      box,
      "/usr/bin/enroot start box sh -c 'echo /proc/self/fd/*' 7< input 9< input",
    );
    expect(/\/[79]\b/.test(listed)).toBe(!hardened);
  });

  test(`the system calls ${hardened ? "do not " : ""}ask for speculation`, async () => {
    await using box = await sandbox();
    await container(box);
    const trace = "strace -f -qq -e trace=seccomp,prctl -o calls /usr/bin/enroot start box true";
    await shell(box, trace);
    const calls = await readFile(`${box.work}/calls`, "utf8");
    expect(calls.includes("SECCOMP_FILTER_FLAG_SPEC_ALLOW")).toBe(!hardened);
    expect(calls.includes("PR_GET_SPECULATION_CTRL")).toBe(!hardened);
  });

  // Where neither processor nor kernel leaves a choice, all processes say the same.
  test.each(mitigations)("what the container sees of %s", async (name) => {
    await using box = await sandbox();
    await container(box);
    const seen = field(await shell(box, "/usr/bin/enroot start box cat /proc/self/status"), name);
    const usual = await untouched(name);
    const optional = /^(thread|conditional)/.test(usual);
    if (!hardened && optional) expect(seen).toMatch(/vulnerable|enabled/);
    // Filters of system calls bring mitigations along in kernels before 5.16.
    else expect([usual, "thread force mitigated", "conditional force disabled"]).toContain(seen);
  });
});
