// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { run, runSilent, runSuccessfully, spawnPiped } from "../../../src/system/process.ts";

const shell = (script: string, ...args: string[]): [string, ...string[]] => [
  "/bin/sh",
  "-c",
  script,
  "sh",
  ...args,
];

describe("run", () => {
  test("gives status and output as they are", async () => {
    const outcome = await run({
      argv: shell('printf "%s\\n" "$@"; echo no >&2; exit 3', "a b", "", "$(id)"),
    });
    expect(outcome).toEqual({ status: 3, signal: undefined, stdout: "a b\n\n$(id)\n", stderr: "no\n" });
  });
  test("hands nothing of the caller's environment on", async () => {
    process.env["HOSTILE"] = "yes";
    const { stdout } = await run({ argv: ["/usr/bin/env"], env: { EXTRA: "1" } });
    delete process.env["HOSTILE"];
    expect(stdout.trim().split("\n").sort()).toEqual([
      "EXTRA=1",
      "LC_ALL=C",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]);
  });
  test("passes input, and no input by default", async () => {
    expect((await run({ argv: ["/bin/cat"], input: "text" })).stdout).toBe("text");
    expect((await run({ argv: ["/bin/cat"] })).stdout).toBe("");
  });
  test("tells a signal", async () => {
    expect(await run({ argv: shell("kill -KILL $$") })).toMatchObject({ signal: "SIGKILL" });
  });
  test("a program that is not there is an error", async () => {
    await expect(run({ argv: ["/nowhere/tool"] })).rejects.toThrow("Could not run tool");
  });
});

test("a program that must succeed fails with its own last words", async () => {
  await expect(runSuccessfully({ argv: shell("echo first >&2; echo last >&2; exit 4") })).rejects.toThrow(
    "sh exited with return code 4: last",
  );
});

test("runSilent keeps the end of stderr", async () => {
  const outcome = await runSilent(shell("seq 100000 >&2; echo out; exit 2"));
  expect(outcome.status).toBe(2);
  expect(outcome.stderr.length).toBeLessThanOrEqual(65536);
  expect(outcome.stderr).toEndWith("\n100000\n");
});

describe("spawnPiped", () => {
  test("takes bulk data at the reader's pace, in bounded memory", async () => {
    const sink = spawnPiped({ argv: shell("exec sha256sum >&2") });
    const chunk = new Uint8Array(1 << 20).fill(7);
    const hash = new Bun.CryptoHasher("sha256");
    const before = process.memoryUsage().rss;
    for (let count = 0; count < 300; count++) {
      await sink.write(chunk);
      hash.update(chunk);
    }
    const { status, stderr } = await sink.end();
    expect(status).toBe(0);
    expect(stderr).toStartWith(hash.digest("hex"));
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
  });
  test("a program that ends early is an error with its words", async () => {
    const sink = spawnPiped({ argv: shell("head -c 1000 > /dev/null; echo full >&2; exit 5") });
    const chunk = new Uint8Array(1 << 20);
    const fill = async (): Promise<void> => {
      for (;;) await sink.write(chunk);
    };
    await expect(fill()).rejects.toThrow("sh exited with return code 5: full");
    expect((await sink.end()).status).toBe(5);
  });
  test("can be killed, also after its end", async () => {
    const sink = spawnPiped({ argv: ["/bin/sleep", "1000"] });
    await sink.kill();
    await sink.kill();
    expect((await sink.end()).signal).toBe("SIGKILL");
  });
  test("a program that is not there is an error", () => {
    expect(() => spawnPiped({ argv: ["/nowhere/tool"] })).toThrow(
      "Could not run tool: no such file or directory",
    );
  });
});
