// SPDX-License-Identifier: Apache-2.0
// What scripts/release refuses, before it builds anything.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { host, projectDirectory } from "../harness/index.ts";
import { version } from "./built.ts";

let checkout = "";

const git = (...args: string[]): Promise<string> =>
  host(["git", "-c", "user.name=Test", "-c", "user.email=test@localhost", ...args], { cwd: checkout });

const check = (): Promise<string> => host(["scripts/release", "--check"], { cwd: checkout });

const released = `# Changelog\n\n## [Unreleased]\n\n## [${version}] - 2026-01-02\n\n### Added\n\n- All of it.\n`;

async function changelog(text: string): Promise<void> {
  await writeFile(join(checkout, "CHANGELOG.md"), text);
  await git("commit", "--quiet", "--all", "--message", "Change the log");
}

beforeEach(async () => {
  await rm(checkout, { recursive: true, force: true });
  checkout = await mkdtemp(join(tmpdir(), "enroot-release."));
  const files = ["package.json", "scripts/release"];
  await host(["sh", "-ec", `git init -q "$0"; cp -r --parents ${files.join(" ")} "$0"`, checkout], {
    cwd: projectDirectory,
  });
  await writeFile(join(checkout, "CHANGELOG.md"), "");
  await git("add", "--all");
  await changelog(released);
});

afterAll(() => rm(checkout, { recursive: true, force: true }));

test("a commit that has all there has to be", async () => {
  expect(await check()).toBe("");
});

test("changes that are not committed", async () => {
  await writeFile(
    join(checkout, "package.json"),
    `${await readFile(join(checkout, "package.json"), "utf8")}\n`,
  );
  await expect(check()).rejects.toThrow("There are changes that are not committed");
});

test("a version without a section in the change log", async () => {
  await changelog("# Changelog\n\n## [4.0.0] - 2026-01-02\n\n- Something.\n");
  await expect(check()).rejects.toThrow(`CHANGELOG.md has no section "## [${version}] - YEAR-MONTH-DAY"`);
});

test("a section that says nothing, and changes of no version", async () => {
  await changelog(released.replace(/### Added(.|\n)*$/, ""));
  await expect(check()).rejects.toThrow(`CHANGELOG.md says nothing about ${version}`);
  await changelog(released.replace("[Unreleased]\n", "[Unreleased]\n\n- More.\n"));
  await expect(check()).rejects.toThrow("CHANGELOG.md has unreleased changes");
});

test("a version that another commit has", async () => {
  await git("tag", `v${version}`);
  expect(await check()).toBe("");
  await changelog(`${released}- And more.\n`);
  await expect(check()).rejects.toThrow(`v${version} has been released already`);
});
