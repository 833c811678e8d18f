// SPDX-License-Identifier: Apache-2.0
// The launcher, with an engine that is a script: what it hands on, and which plans it refuses.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openWorkshop, sanitizerStatus, type Workshop } from "./sanitized.ts";

let shop: Workshop;

beforeAll(() => {
  shop = openWorkshop();
}, 120_000);

afterAll(() => shop?.[Symbol.dispose]());

/** A plan of steps. */
function plan(...steps: readonly (readonly string[])[]): string {
  const words = steps.flatMap(([name = "", ...args]) => [name, String(args.length), ...args]);
  return `${["enroot-plan 1", ...words].join("\0")}\0`;
}

const command = ["command", "plain", "true"] as const;

describe("the engine", () => {
  test("does not get variables of its runtime, and gets all others", () => {
    shop.engine("env");
    const env = {
      BUN_OPTIONS: "x",
      BUN_BE_BUN: "1",
      NODE_OPTIONS: "x",
      JSC_x: "1",
      ENROOT_PLAN_FD: "7",
      HOME: "/h",
      BUNNY: "y",
    };
    const { stdout, status } = shop.run(["enroot", "import"], { env });
    expect(status).toBe(0);
    expect(stdout).not.toMatch(/^(BUN_(?!JSC_thresholdForJIT)|NODE_|JSC_|ENROOT_PLAN_FD)/m);
    expect(stdout).toContain("HOME=/h\n");
    expect(stdout).toContain("BUNNY=y\n");
  });

  test("of a start gets descriptor 3 for its plan, and no other of the caller's", () => {
    shop.engine('ls /proc/self/fd | tr "\\n" " "; echo "$ENROOT_PLAN_FD"; exit 4');
    const { stdout, status } = shop.run(["enroot", "start"]);
    // The highest is ls reading the directory.
    expect(stdout).toBe("0 1 2 3 4 3\n");
    expect(status).toBe(4);
  });

  test("compiles nothing for commands that are over in milliseconds, whatever the caller says", () => {
    shop.engine('echo "$BUN_JSC_useJIT:$BUN_JSC_thresholdForJITAfterWarmUp"');
    const env = { BUN_JSC_useJIT: "1", BUN_JSC_thresholdForJITAfterWarmUp: "1" };
    const printed = (argument: string): string => shop.run(["enroot", argument], { env }).stdout;
    expect(["list", "create", "load", "import"].map(printed)).toEqual(["0:\n", "0:\n", ":5000\n", ":5000\n"]);
    expect(shop.run(["enroot"], { env }).stdout).toBe(":5000\n");
  });

  test("that gives no plan has said all there is", () => {
    shop.engine("echo help");
    expect(shop.run(["enroot", "start", "--help"])).toEqual({ status: 0, stdout: "help\n", stderr: "" });
  });

  test("that is killed is an error", () => {
    shop.engine("kill -KILL $$");
    const { status, stderr } = shop.run(["enroot", "start"]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "[ERROR] The engine was ended by signal 9\n" });
  });

  test("arguments arrive as they are", () => {
    shop.engine(`printf '<%s>' "$@"`);
    expect(shop.run(["enroot", "x", "", "a b", "-c", "\n"]).stdout).toBe("<x><><a b><-c><\n>");
  });
});

describe("a plan", () => {
  const bad: Record<string, string> = {
    "of another kind": `enroot-plan 2\0`,
    "that ends within a word": plan(command).slice(0, -1),
    "that ends within a step": plan(["setenv", "A", "B"]).slice(0, -2),
    "without a command": plan(["setenv", "A", "B"]),
    "with an unknown step": plan(["format", "/"], command),
    "with too few arguments": plan(["setenv", "A"], command),
    "with too many arguments": plan(["prepare", "x"], command),
    "with a count that is no number": "enroot-plan 1\0command\0x\0",
    "with a negative count": "enroot-plan 1\0command\0-1\0",
    "with a giant count": `enroot-plan 1\0command\0${2 ** 53}\0plain\0`,
    "that is no plan": "\0\0\0\0",
  };
  test.each(Object.entries(bad))("%s is refused before anything is done", (_, bytes) => {
    shop.plan(bytes);
    const { status, stdout, stderr } = shop.run(["enroot", "start"]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^\[ERROR\] Invalid start plan: [^\n]+\n$/);
  });

  test("of more than 64 MiB is refused", () => {
    shop.engine("head -c 70000000 /dev/zero >&3");
    expect(shop.run(["enroot", "start"]).stderr).toMatch(/^\[ERROR\] Could not read the start plan: /);
  });

  test("with any bytes changed never confuses the launcher", () => {
    const whole = Buffer.from(
      plan(
        ["setenv", "A", "B"],
        ["setenv", "C", ""],
        ["unsetenv", "A"],
        ["hook", "/x"],
        ["command", "login", "a"],
      ),
    );
    let seed = 1;
    const random = (limit: number): number => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed % limit;
    };
    for (let round = 0; round < 150; round++) {
      const bytes = Buffer.from(whole);
      for (let change = 0; change <= random(4); change++) bytes[random(bytes.length)] = random(256);
      shop.plan(bytes.subarray(0, 1 + random(bytes.length)));
      const { status, stderr } = shop.run(["enroot", "start"]);
      expect({ status: status === sanitizerStatus, stderr: /runtime error|Sanitizer/.test(stderr) }).toEqual({
        status: false,
        stderr: false,
      });
    }
  }, 120_000);
});
