// SPDX-License-Identifier: Apache-2.0
// What two enroots say to each other about templates.
import { describe, expect, test } from "bun:test";
import { formatTemplate, parseTemplate } from "../../../src/image/provenance.ts";
import { parseToken } from "../../../src/store/zfs/streams.ts";
import { parseHeld } from "../../../src/usecases/peer-template.ts";

describe("the template of a container", () => {
  test("is a line that comes back", () => {
    expect(parseTemplate(["arch=arm64", ...formatTemplate("1234567890123456789")])).toBe(
      "1234567890123456789",
    );
    expect(formatTemplate(undefined)).toEqual([]);
  });

  test.each([
    "template=",
    "template=-1",
    "template=1 2",
    "template=0x1",
    "xtemplate=1",
    `template=${"1".repeat(21)}`,
  ])("%j is none", (line) => expect(parseTemplate([line])).toBeUndefined());
});

describe("what is held of it", () => {
  test("is all, a part, or nothing", () => {
    expect(parseHeld("all\n")).toEqual({ kind: "all" });
    expect(parseHeld("part 1-ab-cd-ef\n")).toEqual({ kind: "part", token: "1-ab-cd-ef" });
    for (const text of ["", "none\n", "part \n", "parts 1\n"]) expect(parseHeld(text)).toBeUndefined();
  });

  test("a token is hexadecimal and not endless", () => {
    expect(parseToken("1-10b2a3f0a2-c0-789c6360")).toBe("1-10b2a3f0a2-c0-789c6360");
    for (const token of ["", "-h", "1-2-3", "1-g-0-0", "$(id)", "1-1-1-1 -v", `1-1-1-${"0".repeat(9000)}`])
      expect(() => parseToken(token)).toThrow("Invalid token");
  });
});
