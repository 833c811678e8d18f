// SPDX-License-Identifier: Apache-2.0
// Usage: bun test/bench/zfs.ts [CONTAINERS [IMAGES]], where OpenZFS is: prints what commands cost on the ZFS store, next to
// a plain clone and mount, how many times each starts zfs, and the same again in a store of so many containers more, clones
// of so many images, 20 by default. The containers that are timed are of one more image.
import { join } from "node:path";
import { busybox, image } from "../conformance/image.ts";
import { host, type Sandbox, sandbox, type ZfsStore, zfsStore } from "../harness/index.ts";

const many = Number(process.argv[2] ?? "0");
const images = Number(process.argv[3] ?? "20");
const often = 5;

await using box = await sandbox({ env: { ENROOT_STORAGE_BACKEND: "zfs" } });
await using store = await zfsStore(box.data);
const file = await image(box, `${busybox}; head -c 1000000 /dev/urandom > data`);
await box.ok(["create", "-n", "first", file]);
const origin = (await host(["zfs", "get", "-H", "-o", "value", "origin", `${store.dataset}/first`])).trim();

/** Mean milliseconds of something done several times. */
async function time(action: (index: number) => Promise<unknown>): Promise<number> {
  const from = performance.now();
  for (let index = 0; index < often; index++) await action(index);
  return (performance.now() - from) / often;
}

async function succeed(argv: readonly string[]): Promise<void> {
  const result = await box.run(argv);
  if (result.status !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}`);
}

/** How many zfs processes a command starts. */
async function processes(args: readonly string[]): Promise<number> {
  const log = join(box.root, "strace");
  const program = join(store.helper, "../enroot");
  // Traced as root, since a traced program gets no capability from its file.
  const trace = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", log, program, ...args];
  await box.run(trace, { user: "root", env: { ENROOT_RUNTIME_PATH: join(box.root, "traced") } });
  return ((await host(["cat", log])).match(/execve\("[^"]*\/zfs", [^\n]*= 0/g) ?? []).length;
}

async function floor({ dataset, helper }: ZfsStore): Promise<number> {
  const clone = (index: number): string => `${dataset}/floor-${index}`;
  const milliseconds = await time(async (index) => {
    await succeed(["zfs", "clone", "-o", "canmount=noauto", origin, clone(index)]);
    await succeed([helper, clone(index)]);
  });
  for (let index = 0; index < often; index++) {
    await succeed([helper, "--unmount", clone(index)]);
    await succeed(["zfs", "destroy", clone(index)]);
  }
  return milliseconds;
}

async function print(place: Sandbox): Promise<void> {
  const least = await floor(store);
  const line = (label: string, value: number): void =>
    console.log(`${label.padEnd(34)}${value.toFixed(0).padStart(7)} ms  ${(value / least).toFixed(2)}x`);
  line("floor: zfs clone and mount", least);
  line("enroot version", await time(() => place.ok(["version"])));
  line("create, template there", await time((index) => place.ok(["create", "-n", `c${index}`, file])));
  line("start", await time((index) => place.ok(["start", `c${index}`, "true"])));
  line("remove", await time((index) => place.ok(["remove", "-f", `c${index}`])));
  line("start of the image", await time(() => place.ok(["start", file, "true"])));
  line("list", await time(() => place.ok(["list"])));
}

await print(box);
for (const [label, args] of [
  ["create, template there", ["create", "-n", "counted", file]],
  ["remove", ["remove", "-f", "counted"]],
  ["start", ["start", "first", "true"]],
  ["list", ["list"]],
] as const)
  console.log(`zfs processes: ${label.padEnd(24)}${String(await processes(args)).padStart(2)}`);

if (many > 0) {
  const from = performance.now();
  await makeMany();
  console.log(`\nwith ${many} more containers, of ${images} images (${since(from)} s to make them):`);
  await print(box);
}

/** Clones made at once go into the pool together. */
async function makeMany(): Promise<void> {
  const base = (index: number): string => `${store.dataset}/image-${index % images}`;
  for (let index = 0; index < images; index++) {
    await host(["zfs", "clone", "-o", "canmount=noauto", origin, base(index)]);
    await host(["zfs", "snapshot", `${base(index)}@pristine`]);
  }
  const pairs = Array.from({ length: many }, (_, index) => [
    `${base(index)}@pristine`,
    `${store.dataset}/many-${index}`,
  ]);
  const list = join(box.root, "pairs");
  await Bun.write(list, pairs.flat().join("\n"));
  await host(["xargs", "-a", list, "-P", "8", "-n", "2", "zfs", "clone", "-o", "canmount=noauto"]);
}

function since(from: number): string {
  return ((performance.now() - from) / 1000).toFixed(0);
}
