// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { join } from "node:path";
import { takeLock } from "../../../src/system/lock.ts";
import { temporary } from "../temporary.ts";

const locked = (path: string): boolean => Bun.spawnSync(["flock", "--nonblock", path, "true"]).exitCode !== 0;

test("a lock is held until it is given back", async () => {
  using place = temporary();
  const path = join(place.path, "lock");
  {
    using _lock = await takeLock(path);
    expect(locked(path)).toBe(true);
  }
  expect(locked(path)).toBe(false);
});

test("the next one waits", async () => {
  using place = temporary();
  const path = join(place.path, "lock");
  const order: string[] = [];
  const first = await takeLock(path);
  const second = takeLock(path).then((lock) => {
    order.push("second");
    lock[Symbol.dispose]();
  });
  expect(locked(path)).toBe(true);
  order.push("first");
  first[Symbol.dispose]();
  await second;
  expect(order).toEqual(["first", "second"]);
});

test("a lock ends with its holder, and no child keeps it", async () => {
  using place = temporary();
  const path = join(place.path, "lock");
  const source = join(import.meta.dirname, "../../../src/system/lock.ts");
  const script = `const { takeLock } = await import(${JSON.stringify(source)});
    await takeLock(${JSON.stringify(path)});
    Bun.spawn(["sleep", "100"], { stdio: ["ignore", "ignore", "ignore"] }).unref();
    console.log("locked"); setInterval(() => {}, 1000);`;
  const holder = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const output = await holder.stdout.getReader().read();
  expect(new TextDecoder().decode(output.value)).toBe("locked\n");
  expect(locked(path)).toBe(true);
  const children = await Bun.file(`/proc/${holder.pid}/task/${holder.pid}/children`).text();
  holder.kill("SIGKILL");
  await holder.exited;
  expect(locked(path)).toBe(false);
  for (const pid of children.trim().split(" ").filter(Boolean)) {
    try {
      process.kill(Number(pid));
    } catch {
      // ended with the holder
    }
  }
});

test("a lock that cannot be made is named", async () => {
  await expect(takeLock("/nowhere/lock")).rejects.toThrow(
    "Could not lock /nowhere/lock: no such file or directory",
  );
});
