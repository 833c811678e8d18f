// SPDX-License-Identifier: Apache-2.0
// enroot-mount: the language of fstab, and roots that want to lead it astray.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { host } from "../harness/index.ts";
import { openWorkshop, sanitizerStatus, type Workshop } from "./sanitized.ts";

let shop: Workshop;
let root: string;

beforeAll(async () => {
  shop = openWorkshop();
}, 120_000);

afterAll(() => shop?.[Symbol.dispose]());

/** A fresh root that the user owns, and what a test puts into it. */
async function freshRoot(fill: (root: string) => void = () => undefined): Promise<void> {
  root = mkdtempSync(join(shop.directory, "root."));
  fill(root);
  await host(["chown", "-hR", "enroot-test:", root]);
}

/** Mounts, and shows what is mounted below the root then. */
function mount(
  fstab: string,
  ...options: readonly string[]
): { status: number | null; stderr: string; mounts: string } {
  const script = `"$0" "$@"; status=$?; sed -n "s#^[^ ]* [^ ]* [^ ]* \\([^ ]*\\) ${root}\\([^ ]*\\) \\([^ ]*\\) .*- \\([^ ]*\\) .*#\\2 \\3 \\4 \\1#p" /proc/self/mountinfo; exit $status`;
  const { status, stdout, stderr } = shop.run(
    [
      "../../../../../../usr/bin/env",
      "sh",
      "-c",
      script,
      join(shop.directory, "enroot-mount"),
      "--root",
      root,
      ...options,
      "-",
    ],
    {
      stdin: fstab,
      namespace: true,
    },
  );
  expect(status).not.toBe(sanitizerStatus);
  return { status, stderr, mounts: stdout };
}

describe("fields", () => {
  const forms: Record<string, [string, RegExp]> = {
    "tmpfs and a place": ["tmpfs /a x-create=dir", /^\/a rw\S* tmpfs /m],
    "tmpfs with its own options": ["tmpfs /a tmpfs x-create=dir,size=1m,nosuid", /^\/a rw,nosuid\S* tmpfs /m],
    "a source alone": ["/etc/hostname", /^\/etc\/hostname /m],
    "a source and options": ["/etc/hostname x-create=auto,bind", /^\/etc\/hostname /m],
    "source and place": ["/etc/hostname /h", /^\/h /m],
    "source, place and options": ["/etc/hostname /h x-create=file,bind,ro", /^\/h ro/m],
    "all six": ["/etc/hostname /h none x-create=file,bind 0 0", /^\/h /m],
    "tabs, comments and empty lines": ["# c\n\n\t/etc/hostname\t/h\tnone\tx-create=file,bind\n", /^\/h /m],
    "octal escapes": ["/etc/hostname /a\\040b", /^\/a\\040b /m],
    "no newline at the end": ["/etc/hostname /h", /^\/h /m],
    "a place without a slash": ["/etc/hostname h", /^\/h /m],
    "a place with slashes at its end": ["tmpfs /a/b// x-create=dir", /^\/a\/b /m],
    "options that contradict each other": [
      "/etc/hostname /h x-create=dir,x-create=file,rbind,bind,rw,ro",
      /^\/h ro/m,
    ],
  };
  test.each(Object.entries(forms))("%s", async (_, [line, pattern]) => {
    await freshRoot();
    const { status, stderr, mounts } = mount(line);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(mounts).toMatch(pattern);
  });

  test("the pass number selects entries; the fifth field counts when there is no sixth", async () => {
    await freshRoot();
    const text =
      "tmpfs /a tmpfs x-create=dir 0 -1\ntmpfs /b tmpfs x-create=dir -1\ntmpfs /c tmpfs x-create=dir 0 2\ntmpfs /d tmpfs x-create=dir\n";
    expect(mount(text, "--pass", "-1").mounts.match(/^\/\w/gm)).toEqual(["/a", "/b"]);
    expect(mount(text).mounts.match(/^\/\w/gm)).toEqual(["/d"]);
  });

  test.each(["tmpfs", "none"])("too little is refused: %s", async (line) => {
    await freshRoot();
    expect(mount(line)).toMatchObject({ status: 1, mounts: "" });
  });

  test("a line of a megabyte is read whole", async () => {
    await freshRoot();
    const { status } = mount(`/etc/hostname /h none x-create=file,bind${",rw".repeat(350_000)}`);
    expect(status).toBe(0);
  });

  test("a failure names both ends; nofail warns, silent does not", async () => {
    await freshRoot();
    expect(mount("/no/such /a none bind,x-create=dir").stderr).toMatch(
      /^\[ERROR\] Could not mount \/no\/such at \/a: No such file/,
    );
    expect(mount("/no/such /a none bind,x-create=dir,nofail")).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^\[WARN\]/),
    });
    expect(mount("/no/such /a none bind,x-create=dir,nofail,silent")).toMatchObject({
      status: 0,
      stderr: "",
    });
  });
});

describe("a hostile root", () => {
  test("`..` above it is refused in the words that scripts look for", async () => {
    await freshRoot();
    expect(mount("/etc/hostname ../x").stderr).toMatch(/: Invalid cross-device link\n$/);
    expect(mount("/etc/hostname /a/../../x").status).toBe(1);
  });

  const outside = (): string => join(shop.directory, "outside");
  const links: Record<string, (root: string) => void> = {
    "an absolute link": (at) => symlinkSync(outside(), join(at, "x")),
    "a relative link": (at) => symlinkSync("../../../../../../../../../../../tmp", join(at, "x")),
    "a link to the root": (at) => symlinkSync("/", join(at, "x")),
    "a chain of links": (at) => {
      symlinkSync("y", join(at, "x"));
      symlinkSync("/z", join(at, "y"));
      symlinkSync(outside(), join(at, "z"));
    },
  };
  test.each(Object.entries(links))("%s stays inside or is refused", async (_, fill) => {
    rmSync(outside(), { recursive: true, force: true });
    mkdirSync(outside());
    await freshRoot(fill);
    mount("tmpfs /x/made tmpfs x-create=dir");
    mount("/etc/hostname /x none bind,x-create=file");
    expect(readdirSync(outside())).toEqual([]);
  });

  test("a loop of links ends", async () => {
    await freshRoot((at) => {
      symlinkSync("b", join(at, "a"));
      symlinkSync("a", join(at, "b"));
    });
    expect(mount("tmpfs /a/x tmpfs x-create=dir").stderr).toContain("Too many");
  });

  test("parents that are swapped for links all the while never lead out", async () => {
    rmSync(outside(), { recursive: true, force: true });
    mkdirSync(outside());
    await host(["chmod", "777", outside()]);
    await freshRoot((at) => mkdirSync(join(at, "d")));
    const script = `trap "exit 0" TERM; while :; do mv ${root}/d ${root}/e; ln -s ${outside()} ${root}/d; rm ${root}/d; mv ${root}/e ${root}/d; done`;
    const swapper = Bun.spawn(["sh", "-c", script], { stdout: "ignore", stderr: "ignore" });
    try {
      for (let round = 0; round < 40; round++)
        mount(Array.from({ length: 20 }, (_, n) => `none /d/${round}-${n}/x none x-create=dir`).join("\n"));
    } finally {
      swapper.kill();
      await swapper.exited;
    }
    expect(readdirSync(outside())).toEqual([]);
  }, 120_000);

  test("a source below the root does not follow links out of it either", async () => {
    rmSync(outside(), { recursive: true, force: true });
    mkdirSync(outside());
    writeFileSync(join(outside(), "secret"), "secret\n");
    await freshRoot((at) => symlinkSync(outside(), join(at, "volume")));
    const { mounts } = mount(`${root}/volume /volume none x-create=dir,bind`);
    // The link means a directory of the root, which is made; its source is that one too.
    expect(mounts.trim().split(" ").at(-1)).toContain(root);
  });
});

test("any text at all never confuses the parser", async () => {
  await freshRoot();
  const pieces = [
    "/",
    "a",
    "\\040",
    "\\999",
    "\\",
    " ",
    "\t",
    "\n",
    ",",
    "none",
    "tmpfs",
    "x-create=dir",
    "bind",
    "0",
    "-1",
    "#",
    "..",
    "é",
    "=",
  ];
  let seed = 7;
  const random = (limit: number): number => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed % limit;
  };
  for (let round = 0; round < 150; round++) {
    const text = Array.from({ length: 1 + random(30) }, () => pieces[random(pieces.length)]).join("");
    const { stderr } = mount(text);
    expect(stderr).not.toMatch(/runtime error|Sanitizer/);
  }
}, 120_000);
