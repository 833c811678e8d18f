// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { table } from "../../../src/cli/table.ts";
import { commandUsage, programUsage } from "../../../src/cli/usage.ts";
import { expectGolden } from "../golden.ts";

test("enroot help", async () => {
  await expectGolden(
    "help.txt",
    programUsage(Object.entries(table).map(([name, row]) => [name, row.summary])),
  );
});

// The contract's options: a script may use any of them.
const contract: Readonly<Record<string, string>> = {
  batch: "",
  bundle: "-a --all -c --checksum -d --desc -o --output -t --target -f --force",
  create: "-n --name -f --force",
  digest: "-a --arch",
  exec: "-e --env",
  export: "-o --output -f --force --format --zfs-send",
  import: "-a --arch -o --output -f --format --zfs-recv -n --name",
  info: "",
  list: "-f --fancy",
  load: "-a --arch -n --name -f --force",
  remove: "-f --force",
  start: "-c --conf -e --env -m --mount --rc -r --root -w --rw --net --pid --ipc --uts",
  version: "",
};

test("the table holds the contract's commands", () => {
  expect(Object.keys(table)).toEqual(Object.keys(contract));
});

for (const [name, row] of Object.entries(table)) {
  test(`enroot ${name} --help`, async () => {
    const { spec } = await row.load();
    expect(spec.name).toBe(name);
    const words = spec.options.flatMap(({ short, long }) =>
      short ? [`-${short}`, `--${long}`] : [`--${long}`],
    );
    expect(words.sort()).toEqual((contract[name] ?? "").split(" ").filter(Boolean).sort());
    const usage = commandUsage(spec);
    expect(usage.split("\n").filter((line) => line.length > 110)).toEqual([]);
    await expectGolden(`help-${name}.txt`, usage);
  });
}
