// SPDX-License-Identifier: Apache-2.0
// bundle: odd names, interruptions and damage.
import { describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sandbox, start, until } from "../harness/index.ts";
import { bundle, content, left } from "./bundle-image.ts";
import { image } from "./image.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";

describe("an interruption", () => {
  improvement("bash enroot leaves the unfinished bundle", "of its making leaves no file", async () => {
    await using box = await sandbox();
    await image(box, `${content}; head -c 60M /dev/urandom > big`);
    const child = box.start(["bundle", "image.sqsh"]);
    await until("the first bytes", async () => (await readdir(box.work)).length > 1);
    child.kill("SIGTERM");
    expect(await child.exited).toMatchObject({ signal: "SIGTERM" });
    expect(await readdir(box.work)).toEqual(["image.sqsh"]);
  });

  improvement.each("bash enroot leaves files, or hangs", [["SIGTERM"], ["SIGINT"], ["SIGHUP"]] as const)(
    "by %s of its extraction leaves nothing",
    async (signal) => {
      await using box = await sandbox();
      const { path } = await bundle(box, [], `${content}; head -c 60M /dev/urandom > big`);
      const child = start([path, "sh", "-c", "echo started"], box.env, { cwd: box.work });
      await until("the first files", async () => (await readdir(box.temp)).length > 0);
      child.kill(signal);
      expect(await child.exited).toMatchObject({ signal, stdout: "" });
      expect(await left(box)).toEqual([]);
    },
  );
});

describe("odd places", () => {
  improvement(
    "bash enroot takes it for an option",
    "a name with spaces, quotes and a newline is one",
    async () => {
      await using box = await sandbox();
      const name = `-o "my" $(id)\n'file'.run`;
      await image(box, content);
      await box.ok(["bundle", "-c", "-o", name, "image.sqsh"]);
      expect((await box.run([join(box.work, name), "cat", "/with space/file"])).stdout).toBe("text\n");
      expect((await box.run(["bash", `./${name}`, "-k", "true"])).status).toBe(0);
      expect((await readdir(box.work)).sort()).toEqual([name, name.replace(".run", ""), "image.sqsh"].sort());
      expect(await readdir(box.temp)).toEqual([]);
    },
  );

  improvement(
    "bash enroot runs what is in it",
    "a target means what it says: nothing in it is run",
    async () => {
      await using box = await sandbox();
      const target = `a "b" \`id\` $(id) \\ it's\n$$`;
      const { run } = await bundle(box, ["-t", target]);
      expect((await run(["-i"])).stdout).toContain(`Target directory: ${target}\n`);
      expect(await run(["-x"])).toMatchObject({ status: 0 });
      expect(await readdir(box.work)).toContain(target);
    },
  );

  improvement(
    "bash enroot does not say why it fails",
    "a place where programs may not run is named, and left clean",
    async () => {
      await using box = await sandbox();
      const { path } = await bundle(box);
      const script = 'mount -t tmpfs -o noexec,mode=1777 none "$2"; TMPDIR=$2 "$1" true; echo $?; ls -A "$2"';
      const argv = [
        "unshare",
        "--user",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        script,
        "sh",
        path,
        box.temp,
      ];
      const { stdout, stderr } = await box.run(argv);
      expect(stderr).toContain("ENROOT_TEMP_PATH");
      expect(stdout).toBe("1\n");
    },
  );
});

describe("a damaged bundle", () => {
  async function damaged(path: string): Promise<void> {
    const bytes = await readFile(path);
    bytes.fill(0, bytes.length - 5000, bytes.length - 4000);
    await writeFile(path, bytes);
  }

  test("with a checksum is refused before anything is done", async () => {
    await using box = await sandbox();
    const { path, run } = await bundle(box, ["--checksum"]);
    await damaged(path);
    expect(refusal(await run(["sh", "-c", "echo started"]))).toContain("Checksum validation failed");
    expect(await left(box)).toEqual([]);
  });

  test("at its very end only, without a checksum, does not start", async () => {
    await using box = await sandbox();
    const { path, run } = await bundle(box);
    const bytes = await readFile(path);
    bytes.fill(0, bytes.length - 8, bytes.length);
    await writeFile(path, bytes);
    const { status, stdout } = await run(["sh", "-c", "echo started"]);
    expect({ failed: status !== 0, stdout }).toEqual({ failed: true, stdout: "" });
    expect(await left(box)).toEqual([]);
  });

  test("without one does not start", async () => {
    await using box = await sandbox();
    const { path, run } = await bundle(box);
    await damaged(path);
    const { status, stdout } = await run(["sh", "-c", "echo started"]);
    expect({ failed: status !== 0, stdout }).toEqual({ failed: true, stdout: "" });
    expect(await left(box)).toEqual([]);
  });
});
