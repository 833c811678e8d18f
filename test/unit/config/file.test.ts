// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfiguration, readConfiguration } from "../../../src/config/file.ts";
import { temporary } from "../temporary.ts";

test("lines are KEY VALUE or KEY=VALUE", () => {
  const text = [
    "# comment",
    "#ENROOT_DATA_PATH /no",
    "",
    "ENROOT_DATA_PATH /a b ",
    "\tENROOT_CACHE_PATH\t \t/c",
    "ENROOT_TEMP_PATH=/t=1",
    "ENROOT_RUNTIME_PATH = /r",
    "ENROOT_LOGIN_SHELL",
    "NVIDIA_VISIBLE_DEVICES all",
    "MELLANOX_VISIBLE_DEVICES=all",
    "SSL_CERT_FILE /cert",
    "https_proxy http://p:1",
    "HTTPS_PROXY http://no",
    "PATH /no",
    "LD_PRELOAD=/no",
    "enroot_data_path /no",
    "ENROOT_X1 /no",
    "ENROOT_CONFIG_PATH /crlf\r",
  ].join("\n");
  expect(parseConfiguration(text, "f").map(({ name, value, origin }) => [name, value, origin])).toEqual([
    ["ENROOT_DATA_PATH", "/a b", "f:4"],
    ["ENROOT_CACHE_PATH", "/c", "f:5"],
    ["ENROOT_TEMP_PATH", "/t=1", "f:6"],
    ["ENROOT_RUNTIME_PATH", "/r", "f:7"],
    ["ENROOT_LOGIN_SHELL", "", "f:8"],
    ["NVIDIA_VISIBLE_DEVICES", "all", "f:9"],
    ["MELLANOX_VISIBLE_DEVICES", "all", "f:10"],
    ["SSL_CERT_FILE", "/cert", "f:11"],
    ["https_proxy", "http://p:1", "f:12"],
    ["ENROOT_CONFIG_PATH", "/crlf", "f:18"],
  ]);
});

test("drop-ins follow in name order", () => {
  using place = temporary();
  const file = join(place.path, "enroot.conf");
  writeFileSync(file, "ENROOT_A 1\n");
  mkdirSync(`${file}.d`);
  for (const name of ["20-b.conf", "10-a.conf", ".hidden.conf", "30.conf~", "README"]) {
    writeFileSync(join(`${file}.d`, name), `ENROOT_A ${name}\n`);
  }
  expect(readConfiguration(file).map(({ value }) => value)).toEqual(["1", "10-a.conf", "20-b.conf"]);
});

test("absent files are empty, unreadable ones are an error", () => {
  using place = temporary();
  expect(readConfiguration(join(place.path, "none"))).toEqual([]);
  mkdirSync(join(place.path, "directory"));
  expect(() => readConfiguration(join(place.path, "directory"))).toThrow(
    "Could not read configuration file ",
  );
});
