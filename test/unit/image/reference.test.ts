// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { EnrootError } from "../../../src/errors.ts";
import {
  canonicalUri,
  defaultName,
  dockerHub,
  imageName,
  parseEngineReference,
  parseReference,
  referenceOf,
  withoutPassword,
} from "../../../src/image/reference.ts";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("a reference", () => {
  // URI, then user, registry, repository, what is asked for, and the default name.
  test.each([
    ["docker://ubuntu", undefined, dockerHub, "library/ubuntu", "latest", "ubuntu"],
    ["docker://ubuntu:24.04", undefined, dockerHub, "library/ubuntu", "24.04", "ubuntu+24.04"],
    ["docker://library/ubuntu", undefined, dockerHub, "library/ubuntu", "latest", "ubuntu"],
    ["docker://user/app:1", undefined, dockerHub, "user/app", "1", "user+app+1"],
    [`docker://ubuntu@${digest}`, undefined, dockerHub, "library/ubuntu", digest, `ubuntu+${digest}`],
    [`docker://ubuntu:1@${digest}`, undefined, dockerHub, "library/ubuntu", digest, `ubuntu+${digest}`],
    ["docker://docker.io/ubuntu", undefined, dockerHub, "library/ubuntu", "latest", "ubuntu"],
    ["docker://index.docker.io#ubuntu", undefined, dockerHub, "library/ubuntu", "latest", "ubuntu"],
    ["docker://Docker.IO#ubuntu", undefined, dockerHub, "library/ubuntu", "latest", "ubuntu"],
    ["docker://registry-1.docker.io#a/b", undefined, dockerHub, "a/b", "latest", "a+b"],
    [
      "docker://nvcr.io#nvidia/pytorch:25.06-py3",
      undefined,
      "nvcr.io",
      "nvidia/pytorch",
      "25.06-py3",
      "nvidia+pytorch+25.06-py3",
    ],
    [
      "docker://nvcr.io/nvidia/pytorch:25.06-py3",
      undefined,
      "nvcr.io",
      "nvidia/pytorch",
      "25.06-py3",
      "nvidia+pytorch+25.06-py3",
    ],
    [`docker://nvcr.io/nvidia/x:1@${digest}`, undefined, "nvcr.io", "nvidia/x", digest, `nvidia+x+${digest}`],
    ["docker://quay.io#library/x", undefined, "quay.io", "library/x", "latest", "library+x"],
    ["docker://localhost:5000/a/b:c", undefined, "localhost:5000", "a/b", "c", "a+b+c"],
    ["docker://registry#a", undefined, "registry", "a", "latest", "a"],
    ["docker://registry/a", undefined, dockerHub, "registry/a", "latest", "registry+a"],
    ["docker://my_host:80#a", undefined, "my_host:80", "a", "latest", "a"],
    ["docker://[::1]:5000/a", undefined, "[::1]:5000", "a", "latest", "a"],
    ["docker://$oauthtoken@nvcr.io#nvidia/x", "$oauthtoken", "nvcr.io", "nvidia/x", "latest", "nvidia+x"],
    ["docker://bob@example.org@quay.io#x:1", "bob@example.org", "quay.io", "x", "1", "x+1"],
    [
      `docker://a/b#c%20!~*'();&=+,.-@x@${digest}`,
      "a/b#c%20!~*'();&=+,.-",
      dockerHub,
      "library/x",
      digest,
      `x+${digest}`,
    ],
    ["docker://bob@ubuntu", "bob", dockerHub, "library/ubuntu", "latest", "ubuntu"],
    ["docker://@nvcr.io#x", undefined, "nvcr.io", "x", "latest", "x"],
    ["docker://a__b/c-d.e", undefined, dockerHub, "a__b/c-d.e", "latest", "a__b+c-d.e"],
  ])("%s", (uri, user, registry, repository, wanted, name) => {
    const reference = parseReference(uri);
    expect(reference).toMatchObject({ user, password: undefined, registry, repository });
    expect(referenceOf(reference)).toBe(wanted);
    expect(defaultName(reference)).toBe(name);
  });

  test("may hold a password", () => {
    expect(parseReference("docker://bob:p:w@d@quay.io#x")).toMatchObject({ user: "bob", password: "p:w@d" });
  });

  test("has a canonical form without user", () => {
    expect(canonicalUri(parseReference("docker://bob:pw@docker.io/x"))).toBe(
      `docker://${dockerHub}#library/x:latest`,
    );
    expect(canonicalUri(parseReference(`docker://quay.io/a/b:1@${digest}`))).toBe(
      `docker://quay.io#a/b@${digest}`,
    );
  });
});

describe("what is none", () => {
  function refusal(uri: string): EnrootError {
    try {
      parseReference(uri);
    } catch (error) {
      if (error instanceof EnrootError) return error;
    }
    throw new Error(`${uri} is accepted`);
  }

  test.each([
    "docker://",
    "docker://-rf",
    "docker://x:-y",
    "docker://x:",
    "docker://x@",
    "docker://x/",
    "docker:///x",
    "docker://a//b",
    "docker://a/../b",
    "docker://quay.io#../../x",
    "docker://-h#x",
    "docker://h:99999999#x",
    "docker://x y",
    "docker://x\ny",
    "docker://a\nb@x",
    "docker://x?y",
    "docker://x@sha256:abc",
    "docker://x@sha256:../../x",
    `docker://x@${digest.toUpperCase()}`,
    `docker://x@sha512:${"0".repeat(128)}`,
    "ubuntu",
  ])("%j", (uri) => {
    expect(refusal(uri)).toMatchObject({ kind: "Usage", message: `Invalid image reference: ${uri}` });
  });

  test.each([
    ["docker://Ubuntu:Tag", "docker://ubuntu:Tag"],
    ["docker://NVCR.io#Nvidia/X:T", "docker://nvcr.io#nvidia/x:T"],
    ["docker://h:5000/Foo/bar:T", "docker://h:5000/foo/bar:T"],
    ["docker://https://nvcr.io/a/b", "docker://nvcr.io/a/b"],
    ["docker:ubuntu", "docker://ubuntu"],
    ["docker:///ubuntu", "docker://ubuntu"],
    ["docker://nvcr.io#a/b#1.0", "docker://nvcr.io#a/b:1.0"],
    ["docker://nvcr.io:a/b:1.0", "docker://nvcr.io#a/b:1.0"],
    ["docker://ubuntu::22.04", "docker://ubuntu:22.04"],
    [" docker://ubuntu ", "docker://ubuntu"],
    ["docker://bob:pw@X", "docker://bob@x"],
  ])("%s gets the right spelling", (uri, right) => {
    expect(refusal(uri).hint).toEndWith(`; did you mean ${right}?`);
  });

  test("is repeated without its password", () => {
    expect(refusal("docker://bob:pw@X").message).not.toContain("pw");
    expect(withoutPassword("docker://bob:pw@quay.io#x")).toBe("docker://bob@quay.io#x");
    expect(withoutPassword(`docker://x:1@${digest}`)).toBe(`docker://x:1@${digest}`);
  });
});

describe("an engine's reference", () => {
  test.each([
    ["dockerd://ubuntu", "ubuntu", "ubuntu"],
    ["dockerd://me/box:1", "me/box:1", "me+box+1"],
    ["podman://localhost/me/box:1.2_3", "localhost/me/box:1.2_3", "localhost+me+box+1.2_3"],
    ["podman://h:5000/a/b", "h:5000/a/b", "h+5000+a+b"],
  ])("%s", (uri, image, name) => {
    expect(parseEngineReference(uri)).toBe(image);
    expect(imageName(uri)).toBe(name);
  });

  test.each([
    "dockerd://",
    "dockerd://--help",
    "podman://a b",
    "dockerd://a;id",
    "podman://a\n",
    "dockerd:a",
  ])("%j is refused", (uri) => {
    expect(() => parseEngineReference(uri)).toThrow(`Invalid image reference: ${uri}`);
  });
});
