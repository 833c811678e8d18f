// SPDX-License-Identifier: Apache-2.0
// Starting an image as it is: squashfs below and changes in memory, or a dataset; nothing is left behind.
// Also with containers that are datasets.
import { describe, expect, test } from "bun:test";
import { readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  hasDatasets,
  inStore,
  isZfsChosen,
  processesOf,
  type Sandbox,
  sandbox,
  testUser,
  until,
} from "../harness/index.ts";
import { container, lines, own } from "./container.ts";
import { busybox, image } from "./image.ts";
import { improvement } from "./improvement.ts";

const script = `${busybox}
  for applet in touch rm mkdir readlink ln find stat wc grep; do ln -s busybox bin/$applet; done
  echo "A=of the image" > etc/environment
  mkdir -p tree/below; echo old > tree/file; echo gone > tree/gone; echo x > tree/below/x; chmod 755 root`;

type Kind = readonly [name: string, env: Readonly<Record<string, string>>];

const overlays: readonly Kind[] = [
  ["the kernel's overlayfs", {}],
  ["fuse-overlayfs", { ENROOT_NATIVE_OVERLAYFS: "no" }],
];

const kinds: readonly Kind[] = isZfsChosen() ? [["a dataset", {}]] : overlays;

/** What there is for a start: processes, of which some run FUSE servers or keep them, and datasets. */
async function helpers(box: Sandbox): Promise<string[]> {
  return [...(await processesOf(testUser().uid, box.root)), ...(await inStore(box))];
}

describe.each(kinds)("with %s", (_, env) => {
  test("changes are seen inside, and only there", async () => {
    await using box = await sandbox({ env });
    const file = await image(box, script);
    const before = await readFile(file);
    const lines_ = `echo $A; echo new > /tree/file; rm /tree/gone; ln -s x /tree/link; mkdir /tree/new
      cat /tree/file; ls /tree; id -u`;
    const output = await box.ok(["start", "--rw", "./image.sqsh", "sh", "-ec", lines_]);
    expect(lines(output)).toEqual([
      "of the image",
      "new",
      "below",
      "file",
      "link",
      "new",
      String(testUser().uid),
    ]);
    expect((await readFile(file)).equals(before)).toBe(true);
    expect(await box.ok(["start", file, "cat", "/tree/file"])).toBe("old\n");
    expect(await readdir(box.runtime)).toEqual([]);
  });

  improvement(
    "the kernel's overlay of bash enroot has nowhere to note it",
    "directories of the image can be deleted and made again",
    async () => {
      await using box = await sandbox({ env });
      await image(box, script);
      const replace = "rm -r /tree; mkdir -p /tree/below; ls -A /tree /tree/below";
      expect(await box.ok(["start", "--rw", "./image.sqsh", "sh", "-ec", replace])).toBe(
        "/tree:\nbelow\n\n/tree/below:\n",
      );
    },
  );

  test("read-only without --rw, owned by the caller, root with --root", async () => {
    await using box = await sandbox({ env });
    const file = await image(box, script);
    const result = await box.enroot(["start", file, "sh", "-c", "stat -c '%u %g' /tree/file; touch /x"]);
    expect(result.stdout).toBe(`${testUser().uid} ${testUser().gid}\n`);
    expect(result.stderr).toContain("Read-only file system");
    expect(await box.ok(["start", "--root", file, "sh", "-c", "stat -c '%u %g' /tree/file; id -u"])).toBe(
      "0 0\n0\n",
    );
  });

  test.each(["SIGKILL", "SIGTERM"] as const)("nothing is left after %s", async (signal) => {
    await using box = await sandbox({ env });
    const file = await image(box, script);
    const running = box.start(["start", file, "sh", "-c", "echo ready; exec sleep 1000"]);
    await until("the command", () => running.stdout() === "ready\n");
    expect((await helpers(box)).length).toBeGreaterThan(1);
    running.kill(signal);
    expect(await running.exited).toMatchObject({ signal });
    await until("the end of all that", async () => (await helpers(box)).length === 0);
  });

  test("the servers do not outlive the command, nor does the command wait for them", async () => {
    await using box = await sandbox({ env });
    const file = await image(box, script);
    // The first one may say that it extracts the image.
    await box.ok(["start", file, "true"]);
    expect(await box.enroot(["start", file, "sh", "-c", "exit 4"])).toEqual({
      status: 4,
      signal: null,
      stdout: "",
      stderr: "",
    });
    await until("the end of all that", async () => (await helpers(box)).length === 0);
  });

  test("the caller's descriptors are the command's own", async () => {
    await using box = await sandbox({ env });
    const file = await image(box, script);
    expect(lines(await box.ok(["start", file, "ls", "/proc/self/fd"])).join(" ")).toBe("0 1 2 3");
  });

  improvement("bash enroot's servers are its children", "the command has one child at most", async () => {
    await using box = await sandbox({ env });
    const file = await image(box, script);
    const output = await box.ok(["start", file, "sh", "-c", "cat /proc/$$/task/$$/children; exec true"]);
    expect(output.trim()).toMatch(/^\d*$/);
  });
});

test("several starts of one image at once", async () => {
  await using box = await sandbox();
  const file = await image(box, script);
  const starts = Array.from({ length: 6 }, (_, index) =>
    box.ok(["start", "--rw", file, "sh", "-c", `echo ${index} > /tree/file; cat /tree/file`]),
  );
  expect(await Promise.all(starts)).toEqual(starts.map((_, index) => `${index}\n`));
});

describe("what the name means", () => {
  test("content decides, not the suffix, and links are followed", async () => {
    await using box = await sandbox();
    const file = await image(box, script);
    await rename(file, join(box.work, "plain name"));
    await symlink("plain name", join(box.work, "link"));
    for (const name of ["plain name", "./link", join(box.work, "link")])
      expect(await box.ok(["start", name, "echo", "started"])).toBe("started\n");
  });

  test("an image here comes before a container of that name, any other file does not", async () => {
    await using box = await sandbox();
    await container(box, { "etc/environment": "PATH=/bin\nA=of the container\n" }, "same");
    await writeFile(join(box.work, "same"), "no image");
    expect(await box.ok(["start", "same", "sh", "-c", "echo $A"])).toBe("of the container\n");
    await image(box, script, "same.sqsh");
    await rename(join(box.work, "same.sqsh"), join(box.work, "same"));
    expect(await box.ok(["start", "same", "sh", "-c", "echo $A"])).toBe("of the image\n");
  });

  const refused = async (target: string, message: string): Promise<void> => {
    await using box = await sandbox();
    await writeFile(join(box.work, "text"), "hsq");
    const result = await box.enroot(["start", target, "true"]);
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr.replaceAll(box.work, "WORK")).toStartWith(message);
    expect(lines(result.stderr)).toHaveLength(1);
  };

  test.each([["./nothing"], ["./text"], ["/etc"], ["nothing"], ["a/b"]])("%s is refused", (target) =>
    refused(target, "[ERROR] "),
  );

  improvement.each("bash enroot says that the argument is invalid, or takes it", [
    ["./nothing", "[ERROR] No such file or directory: WORK/nothing"],
    ["./text", "[ERROR] Invalid image format: WORK/text (a squashfs image is needed)"],
    ["/etc", "[ERROR] Invalid image format: /etc (a squashfs image is needed)"],
    ["nothing", "[ERROR] No such file or directory: "],
    ["..", '[ERROR] Invalid container name: ".."'],
    ["a/b", "[ERROR] No such file or directory: WORK/a/b"],
  ])("%s is refused with a reason", refused);

  test("a damaged image is refused by its name", async () => {
    await using box = await sandbox();
    const file = await image(box, script);
    const bytes = await readFile(file);
    await writeFile(file, bytes.subarray(0, 4096));
    await own(file);
    const result = await box.enroot(["start", file, "true"]);
    expect(result.status).toBe(1);
    // A dataset is made of the image before anything is mounted.
    const refused = hasDatasets(box)
      ? /^\[ERROR\] [^\n]*image\.sqsh/
      : /^\[ERROR\] [^\n]*mount[^\n]*image\.sqsh/;
    expect(lines(result.stderr).at(-1)).toMatch(refused);
  });
});
