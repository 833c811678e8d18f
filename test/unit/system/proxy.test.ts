// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import { chooseProxy } from "../../../src/system/proxy.ts";

const choose = (url: string, variables: Record<string, string>): string | undefined =>
  chooseProxy(url, new Map(Object.entries(variables)));

test.each<[string, Record<string, string>, string | undefined]>([
  ["https://a.example/", {}, undefined],
  ["https://a.example/", { https_proxy: "http://p:1" }, "http://p:1"],
  ["https://a.example/", { HTTPS_PROXY: "http://p:1" }, "http://p:1"],
  ["https://a.example/", { http_proxy: "http://p:1" }, undefined],
  ["http://a.example/", { http_proxy: "p:1" }, "http://p:1"],
  ["http://a.example/", { HTTP_PROXY: "http://p:1" }, undefined],
  ["https://a.example/", { all_proxy: "https://p:1" }, "https://p:1"],
  ["https://a.example/", { ALL_PROXY: "http://q:1", https_proxy: "" }, "http://q:1"],
  ["https://a.example/", { all_proxy: "http://q:1", https_proxy: "http://p:1" }, "http://p:1"],
])("%s with %j", (url, variables, proxy) => {
  expect(choose(url, variables)).toBe(proxy);
});

describe("no_proxy", () => {
  test.each([
    ["*", "https://a.example/"],
    ["a.example", "https://a.example/"],
    ["A.Example", "https://a.example/"],
    ["b.example,a.example", "https://a.example/"],
    ["b.example a.example", "https://a.example/"],
    [".example", "https://a.example/"],
    ["example", "https://a.example/"],
    ["*.example", "https://a.example/"],
    ["a.example:5000", "https://a.example:5000/"],
    ["10.1.2.3", "https://10.1.2.3/"],
    ["10.0.0.0/8", "https://10.1.2.3/"],
    ["::1", "https://[::1]/"],
    ["[::1]:5000", "https://[::1]:5000/"],
    ["fd00::/8", "https://[fd12::1]/"],
  ])("%s: %s is direct", (list, url) => {
    expect(choose(url, { https_proxy: "http://p:1", no_proxy: list })).toBeUndefined();
  });

  test.each([
    ["", "https://a.example/"],
    ["ample", "https://a.example/"],
    ["b.a.example", "https://a.example/"],
    ["a.example:5001", "https://a.example:5000/"],
    ["10.0.0.0/8", "https://11.1.2.3/"],
    ["10.0.0.0/99", "https://10.1.2.3/"],
    ["0.0.0.0/0", "https://a.example/"],
  ])("%s: %s is not", (list, url) => {
    expect(choose(url, { https_proxy: "http://p:1", NO_PROXY: list })).toBe("http://p:1");
  });
});

test("a proxy of another kind is refused, without its password", () => {
  const socks = (): unknown => choose("https://a.example/", { all_proxy: "socks5h://bob:secret@p:1" });
  expect(socks).toThrow("Unsupported proxy: socks5h://p:1");
});
