// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { isAbandoned, ownTag, startTime } from "../../../src/system/owner.ts";

test("marks are unique, and ours is not abandoned while we run", () => {
  const [first, second] = [ownTag(), ownTag()];
  expect(first).not.toBe(second);
  expect(isAbandoned(first)).toBe(false);
});

test("a process that ended abandons its mark, one with its PID again does not take it over", async () => {
  const child = Bun.spawn(["sleep", "100"]);
  const start = startTime(child.pid);
  const theirs = ownTag().replace(/\.\d+\.\d+\.(\d+)$/, `.${child.pid}.${start}.$1`);
  expect(isAbandoned(theirs)).toBe(false);
  expect(isAbandoned(theirs.replace(`.${start}.`, ".1."))).toBe(true);
  child.kill();
  await child.exited;
  expect(isAbandoned(theirs)).toBe(true);
});

test("other machines, other PID namespaces and other forms are not ours to judge", () => {
  const [host = "", namespace = ""] = ownTag().split(".");
  expect(isAbandoned(`other.${namespace}.999999999.1.0`)).toBe(false);
  expect(isAbandoned(`${host}.1.999999999.1.0`)).toBe(false);
  expect(isAbandoned("something")).toBe(false);
  expect(isAbandoned(`${host}.${namespace}.999999999.1.0`)).toBe(true);
});
