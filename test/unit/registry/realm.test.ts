// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { isOwnRealm, parseRealm } from "../../../src/registry/docker/realm.ts";

describe("a token server is the registry's own", () => {
  test.each([
    ["https://nvcr.io/proxy_auth", "nvcr.io", true],
    ["https://authn.nvidia.com/token", "nvcr.io", true],
    ["https://authn.nvidia.com/token", "evil.io", false],
    ["https://auth.docker.io/token", "registry-1.docker.io", true],
    ["https://gitlab.example.org/jwt/auth", "registry.example.org:5050", true],
    ["https://evil.example/token", "registry.example.org", false],
    ["https://example.org.evil.example/token", "example.org", false],
    ["https://evil.co.uk/token", "registry.corp.co.uk", false],
    ["https://auth.corp.co.uk/token", "registry.corp.co.uk", true],
    ["https://10.0.0.1/token", "10.0.0.2", false],
    ["https://10.0.0.1:1/token", "10.0.0.1:2", true],
    ["https://[::1]/token", "[::1]:5000", true],
    ["https://localhost/token", "localhost:5000", true],
  ])("%s of %s: %s", (realm, registry, own) => {
    expect(isOwnRealm(new URL(realm), registry)).toBe(own);
  });
});

describe("no token is asked of", () => {
  test.each([
    undefined,
    "",
    "/token",
    "http://auth.example/token",
    "ftp://auth.example/",
    "https://bob@auth.example/",
    "https://169.254.169.254/latest/meta-data",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fe80::1]/",
    "https://[febf::1]/",
    "https://[fd00:ec2::254]/",
    "https://168.63.129.16/",
    "https://metadata.google.internal/",
    "https://METADATA.google.internal./",
  ])("%s", (realm) => {
    expect(() => parseRealm(realm, "r.example", false)).toThrow("not to be trusted");
  });

  test("plain HTTP is allowed by ENROOT_ALLOW_HTTP alone", () => {
    expect(parseRealm("http://auth.example/token", "r.example", true).href).toBe("http://auth.example/token");
  });
});
