// SPDX-License-Identifier: Apache-2.0
// The words are those of OpenZFS 2.1 and 2.3.
import { expect, test } from "bun:test";
import { complaintOf, refusal } from "../../../src/store/zfs/command.ts";

test.each([
  ["cannot open 'tank/a@pristine': dataset does not exist", "missing"],
  ["cannot create 'tank/a/b': parent does not exist", "orphan"],
  ["cannot create 'tank/a': dataset already exists", "exists"],
  ["cannot destroy 'tank/a': dataset is busy", "busy"],
  ["cannot destroy 'tank/a': filesystem has children\nuse '-r'", "children"],
  ["cannot destroy 'tank/a': filesystem has dependent clones\nuse '-R'", "clones"],
  ["cannot create 'tank/a': permission denied", "denied"],
  ["cannot create 'tank/a': out of space", "space"],
  ["internal error", "other"],
] as const)("%p is %p", (stderr, complaint) => {
  expect(complaintOf(stderr)).toBe(complaint);
});

test("a missing delegation is named", () => {
  const error = refusal(["send", "tank/a@b"], {
    status: 1,
    signal: undefined,
    stderr: "cannot send 'tank/a': permission denied\n",
  });
  expect(error.message).toBe("zfs send: cannot send 'tank/a': permission denied");
  expect(error.hint).toMatch(/^the administrator has to delegate it: zfs allow \S+ send STORE$/);
});

test("a missing module is named", () => {
  const stderr =
    "The ZFS modules cannot be auto-loaded.\nTry running 'modprobe zfs' as root to manually load them.\n";
  expect(refusal(["list"], { status: 1, signal: undefined, stderr }).hint).toContain("modprobe zfs");
});
