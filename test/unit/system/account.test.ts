// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { ownAccount } from "../../../src/system/account.ts";

test("the account is the password database's, whatever the environment says", async () => {
  const [name, , , , , home] = (await Bun.$`getent passwd ${process.geteuid?.() ?? 0}`.text()).split(":");
  const { HOME, USER } = process.env;
  process.env["HOME"] = "/wrong";
  process.env["USER"] = "wrong";
  expect(ownAccount()).toEqual({ name: name ?? "", home: home ?? "" });
  process.env["HOME"] = HOME;
  if (USER === undefined) delete process.env["USER"];
  else process.env["USER"] = USER;
});
