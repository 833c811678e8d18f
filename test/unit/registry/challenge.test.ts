// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { parseChallenges } from "../../../src/registry/docker/challenge.ts";

const parsed = (header: string): unknown =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test.each<[string, unknown]>([
  ["", []],
  ["Negotiate", [["negotiate", {}]]],
  ['Basic realm="x"', [["basic", { realm: "x" }]]],
  ['BEARER Realm="https://a/t",SERVICE=s', [["bearer", { realm: "https://a/t", service: "s" }]]],
  [
    'Bearer realm="a",scope="r:x:pull,push r:y:pull"',
    [["bearer", { realm: "a", scope: "r:x:pull,push r:y:pull" }]],
  ],
  ['Bearer realm="a\\"b\\\\c, Basic"', [["bearer", { realm: 'a"b\\c, Basic' }]]],
  ['Bearer  realm = "a" , service = b', [["bearer", { realm: "a", service: "b" }]]],
  [
    'Basic realm="x", Bearer realm="y",service="z"',
    [
      ["basic", { realm: "x" }],
      ["bearer", { realm: "y", service: "z" }],
    ],
  ],
  [
    "Negotiate, Basic realm=x",
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
    ],
  ],
  [
    'NTLM TlRMTVNTUAAC==, Basic realm="x"',
    [
      ["ntlm", {}],
      ["basic", { realm: "x" }],
    ],
  ],
  [',, Basic realm="x",,', [["basic", { realm: "x" }]]],
  // Whatever the rest is taken for, there is no realm.
  [
    'Bearer realm="unfinished',
    [
      ["bearer", {}],
      ["unfinished", {}],
    ],
  ],
])("%j", (header, expected) => {
  expect(parsed(header)).toEqual(expected);
});

test("a header made to be slow is parsed all the same", () => {
  for (const piece of ['a="', "a ", "a=,", '"\\', "=", "a=b "]) parseChallenges(piece.repeat(5_000));
});
