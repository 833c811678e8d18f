// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { findMember, parseSavedManifest, type SavedMember } from "../../../src/image/saved-image.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe("manifest.json", () => {
  test("names the configuration and the layers", () => {
    const image = { Config: "c.json", RepoTags: ["a:1"], Layers: ["x/layer.tar", "y/layer.tar"] };
    expect(parseSavedManifest(bytes([image]), "it")).toEqual({
      config: "c.json",
      layers: ["x/layer.tar", "y/layer.tar"],
    });
  });

  test("of an image without layers has none", () => {
    expect(parseSavedManifest(bytes([{ Config: "c", Layers: null }]), "it").layers).toEqual([]);
  });

  test.each([
    ["no JSON", new TextEncoder().encode("[")],
    ["no image", bytes([])],
    [
      "two images",
      bytes([
        { Config: "a", Layers: [] },
        { Config: "b", Layers: [] },
      ]),
    ],
    ["no list", bytes({ Config: "a", Layers: [] })],
    ["no configuration", bytes([{ Layers: [] }])],
    ["a layer that is no name", bytes([{ Config: "a", Layers: [1] }])],
  ])("with %s is refused", (_, text) => {
    expect(() => parseSavedManifest(text, "it")).toThrow("Invalid manifest.json of it");
  });
});

describe("a member", () => {
  const file: SavedMember = { type: "file", link: "", offset: 512, size: 3 };
  const members = new Map<string, SavedMember>([
    ["x/layer.tar", file],
    ["y/layer.tar", { ...file, type: "symlink", link: "../x/layer.tar" }],
    ["z.tar", { ...file, type: "hardlink", link: "x/layer.tar" }],
    ["loop", { ...file, type: "symlink", link: "loop" }],
    ["out", { ...file, type: "symlink", link: "../../etc/passwd" }],
    ["directory", { ...file, type: "directory" }],
  ]);

  test.each(["x/layer.tar", "y/layer.tar", "z.tar"])("%s is found", (name) => {
    expect(findMember(members, name, "it")).toBe(file);
  });

  test.each(["none", "loop", "out", "directory"])("%s is missing", (name) => {
    expect(() => findMember(members, name, "it")).toThrow(`Missing in it: ${name}`);
  });
});
