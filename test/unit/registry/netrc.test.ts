// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { parseNetrc } from "../../../src/registry/netrc.ts";

const parsed = (text: string): unknown =>
  parseNetrc(text).map(({ machine, login, password, substituted }) => [
    machine,
    login,
    password,
    ...(substituted ? ["$"] : []),
  ]);

test.each<[string, string, unknown]>([
  ["nothing", "", []],
  ["one line", "machine h login u password p", [["h", "u", "p"]]],
  ["many lines", "machine\n h\nlogin\n\tu\npassword\n  p\n", [["h", "u", "p"]]],
  [
    "CR LF",
    "machine h login u password p\r\nmachine i login v password q\r\n",
    [
      ["h", "u", "p"],
      ["i", "v", "q"],
    ],
  ],
  [
    "any order",
    "machine h password p login u machine i login v password q",
    [
      ["h", "u", "p"],
      ["i", "v", "q"],
    ],
  ],
  ["a default", "default login u password p", [[undefined, "u", "p"]]],
  [
    "words that are values",
    "machine login login machine password default",
    [["login", "machine", "default"]],
  ],
  ["quotes", 'machine h login "a b" password "p\\"\\\\q #"', [["h", "a b", 'p"\\q #']]],
  [
    "comments",
    "# machine x login y\nmachine h login u password p # password q\nmachine i login v password #r",
    [
      ["h", "u", "p"],
      ["i", "v", "#r"],
    ],
  ],
  ["a macro", "macdef init\nmachine x login y password z\n\nmachine h login u password p", [["h", "u", "p"]]],
  ["an account", "machine h account password login u password p", [["h", "u", "p"]]],
  ["no password", "machine h login u", [["h", "u", undefined]]],
  ["words before the first machine", "login u password p machine h", [["h", "", undefined]]],
  ["a variable", "machine h password $TOKEN login u", [["h", "u", "$TOKEN", "$"]]],
  ["a quoted dollar sign", 'machine h login u password "$TOKEN"', [["h", "u", "$TOKEN"]]],
  ["a user with a dollar sign", "machine h login $oauthtoken password p", [["h", "$oauthtoken", "p"]]],
  [
    "a command",
    `machine h password $(a "b )" 'c )' $(d (e) \\)) \`f )\`) login u`,
    [["h", "u", `$(a "b )" 'c )' $(d (e) \\)) \`f )\`)`, "$"]],
  ],
  ["braces", "machine h password ${A:-b c} login u", [["h", "u", "${A:-b c}", "$"]]],
])("%s", (_, text, expected) => {
  expect(parsed(text)).toEqual(expected);
});
