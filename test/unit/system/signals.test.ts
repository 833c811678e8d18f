// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporary } from "../temporary.ts";

const system = join(import.meta.dirname, "../../../src/system");

/** Runs a script with the signals module, sends signals once it says "ready", and gives its end. */
async function signalled(script: string, signal: NodeJS.Signals, prefix: readonly string[] = []) {
  const source = `const { abortSignal, awaitChild, interruption, onInterrupt } = await import("${system}/signals.ts");
    const { run, runSilent } = await import("${system}/process.ts");
    const say = (text) => require("node:fs").writeSync(1, text + "\\n");
    ${script}`;
  const child = Bun.spawn([...prefix, process.execPath, "-e", source], { stdout: "pipe", stderr: "inherit" });
  let output = "";
  let sent = false;
  for await (const chunk of child.stdout) {
    output += new TextDecoder().decode(chunk);
    if (output.startsWith("ready\n") && !sent) child.kill(signal);
    sent ||= output.startsWith("ready\n");
  }
  const status = await child.exited;
  return { output: output.split("\n").filter(Boolean), status, signal: child.signalCode };
}

describe("a signal", () => {
  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "%s: clean-ups run, newest first, then it ends by it",
    async (name) => {
      const end = await signalled(
        `onInterrupt(() => say("first"));
       onInterrupt(async () => { await Bun.sleep(10); say("second"); throw new Error("x"); });
       onInterrupt(() => say("never"))();
       say("ready"); setInterval(() => {}, 1000);`,
        name,
      );
      expect(end).toMatchObject({ output: ["ready", "second", "first"], signal: name });
    },
  );

  test("ends the children first, and waits for them", async () => {
    using place = temporary();
    const mark = join(place.path, "pid");
    const script = `const fs = require("node:fs");
      onInterrupt(async () => {
        say(String(fs.existsSync("/proc/" + pid)));
        say(String((await runSilent(["/bin/sh", "-c", "exit 7"], null)).status));
      });
      const child = "trap 'sleep 0.1; exit 0' TERM; echo $$ > ${mark}; while :; do sleep 0.02; done";
      const outcome = run({ argv: ["/bin/sh", "-c", child] });
      while (!fs.existsSync("${mark}") || !fs.readFileSync("${mark}", "utf8").endsWith("\\n")) await Bun.sleep(1);
      const pid = fs.readFileSync("${mark}", "utf8").trim();
      say("ready"); await outcome; await interruption(); say("not reached");`;
    const end = await signalled(script, "SIGTERM");
    expect(end).toMatchObject({ output: ["ready", "false", "7"], signal: "SIGTERM" });
  });

  test("that the caller ignores stays ignored, for children too", async () => {
    const script = `abortSignal(); const outcome = run({ argv: ["/bin/sleep", "0.2"] });
      process.on("SIGUSR1", () => {}); say("ready"); say(String((await outcome).status)); process.exit(0);`;
    const end = await signalled(script, "SIGHUP", ["env", "--ignore-signal=HUP"]);
    expect(end).toMatchObject({ output: ["ready", "0"], status: 0 });
  });
});
