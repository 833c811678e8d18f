// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { formatPointer, parsePointer } from "../../../src/image/pointer.ts";

const key = "ab".repeat(32);
const digest = `sha256:${"cd".repeat(32)}`;
const lines = {
  "image-config-sha256": key,
  "manifest-digest": digest,
  arch: "arm64",
  uri: "docker://registry.example.org#team/image:1.0",
  imported: "2026-05-02T01:21:28Z",
};

function text(changes: Readonly<Record<string, string | undefined>> = {}): string {
  const all = Object.entries({ ...lines, ...changes }).filter(([, value]) => value !== undefined);
  return `enroot-zfs-image:v1\n${all.map(([name, value]) => `${name}=${value}\n`).join("")}`;
}

test("a pointer file is read as it was written", () => {
  const pointer = parsePointer(text(), "x");
  expect(pointer).toMatchObject({ key, arch: "arm64", uri: lines.uri, imported: lines.imported });
  expect(formatPointer(pointer)).toBe(text());
});

test("images of daemons have no manifest digest", () => {
  const pointer = parsePointer(text({ "manifest-digest": undefined, uri: "podman://image" }), "x");
  expect(pointer.manifestDigest).toBeUndefined();
  expect(formatPointer(pointer)).not.toContain("manifest-digest");
});

test("keys of later versions, empty lines and lines without a key are ignored", () => {
  expect(parsePointer(`${text({ later: "x=y" })}\nnonsense\n`, "x").key).toBe(key);
});

describe("refused is", () => {
  test.each([
    ["another first line", "enroot-zfs-image:v2\n"],
    ["a key in upper case", text({ "image-config-sha256": key.toUpperCase() })],
    ["a short key", text({ "image-config-sha256": key.slice(2) })],
    ["no key", text({ "image-config-sha256": undefined })],
    ["no uri", text({ uri: undefined })],
    ["another scheme", text({ uri: "zfs://host/name" })],
    ["a space in a uri", text({ uri: "docker://a b" })],
    ["a digest of another kind", text({ "manifest-digest": "md5:00" })],
    ["a path as architecture", text({ arch: "../arm64" })],
    ["a time of another form", text({ imported: "yesterday" })],
    ["a key that is there twice", `${text()}arch=amd64\n`],
    ["more than one kibibyte", text({ more: "x".repeat(1024) })],
  ])("%s", (_, content) => {
    expect(() => parsePointer(content, "FILE")).toThrow("Invalid pointer file: FILE");
  });
});

test("what no pointer file can hold is refused when it is written", () => {
  const pointer = { ...parsePointer(text(), "x"), uri: `docker://${"a".repeat(700)}` };
  expect(() => formatPointer(pointer)).toThrow("No pointer file can name this image");
});
