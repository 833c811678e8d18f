// SPDX-License-Identifier: Apache-2.0
// Usage: bun test/bench/bench.ts [IMAGE…]: prints what enroot's commands cost on the test images, next to floors that are
// measured in the same run. Times on a shared machine are noise; the ratios and the CPU seconds are what counts.

import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { imageRegistry } from "../fixtures/index.ts";
import { enrootBinary, host, type Registry, type Sandbox, sandbox, until } from "../harness/index.ts";
import {
  bareConfiguration,
  createFloor,
  exportFloor,
  importFloors,
  loadFloor,
  startFloor,
} from "./floors.ts";
import { type Cost, measure, sum } from "./measure.ts";
import { heading, report } from "./report.ts";

const enroot = enrootBinary();
const images = ["test/small:latest", "test/odd:mixed", "test/medium:latest", "test/medium:mixed"];
const often = 20;

async function benchImport(box: Sandbox, registry: Registry, image: string): Promise<string> {
  const file = join(box.work, "image.sqsh");
  const importing = [enroot, "import", "-o", file, registry.uri(image)];
  const cold = await measure(box, importing, { watch: box.root });
  await box.run(["rm", file]);
  const warm = await measure(box, importing, { watch: box.root });
  const floors = await importFloors(box, registry, image, file);
  for (const [name, floor] of Object.entries(floors)) report(`  floor: ${name}`, floor);
  const { fetch, ...local } = floors;
  const least = sum(Object.values(local));
  report("import, cold", cold, sum([fetch, least]));
  report("import, warm", warm, least);
  const tar = await loadFloor(box, file);
  report("  floor: tar x, flattened", tar);
  const load = await measure(box, [enroot, "load", "-n", "l", registry.uri(image)], { watch: box.temp });
  report("load, warm", load, tar);
  report("  against the layers too", load, sum([tar, floors.sha256, floors.decompress]));
  await box.ok(["remove", "-f", "l"]);
  return file;
}

async function benchBundle(box: Sandbox, file: string): Promise<void> {
  const bundle = join(box.work, "image.run");
  report("bundle", await measure(box, [enroot, "bundle", "-o", bundle, file], { watch: box.temp }));
  report("bundle start true", await measure(box, [bundle, "-q", "true"], { watch: box.temp }));
}

async function benchExec(box: Sandbox): Promise<void> {
  const running = box.start(["start", "c", "sh", "-c", "echo up; exec sleep 600"]);
  await until("the container", async () => running.stdout().includes("up"));
  report(
    "exec PID true",
    await measure(box, [enroot, "exec", String(running.pid), "true"], { times: often }),
  );
  running.kill("SIGKILL");
  await running.exited;
}

async function benchContainer(box: Sandbox, file: string): Promise<void> {
  await createFloor(box, file); // the first large writes to a disk are slower than all that follow
  const created = await measure(box, [enroot, "create", "-n", "c", file]);
  report("create", created, await createFloor(box, file));
  const floor = await startFloor(box, "c", often);
  report("  floor: bwrap true", floor);
  const start = (env: Readonly<Record<string, string>>, what: string): Promise<Cost> =>
    measure(box, [enroot, "start", what, "true"], { times: often, env });
  const bare = { ENROOT_SYSCONF_PATH: await bareConfiguration(box, join(dirname(enroot), "etc/enroot")) };
  report("start NAME true", await start({}, "c"), floor);
  report("start NAME true, no hooks", await start(bare, "c"), floor);
  report("start IMAGE true", await start({}, file), floor);
  await benchExec(box);
  await benchBundle(box, file);
  const exporting = [enroot, "export", "-o", join(box.work, "exported.sqsh"), "c"];
  report("export", await measure(box, exporting, { watch: box.temp }), await exportFloor(box, "c"));
  report("list", await measure(box, [enroot, "list"], { times: often }));
  report("list --fancy", await measure(box, [enroot, "list", "--fancy"], { times: often }));
  report("remove", await measure(box, [enroot, "remove", "-f", "c"]));
}

async function benchImage(registry: Registry, image: string): Promise<void> {
  await using box = await sandbox({ env: registry.env });
  heading(image);
  const file = await benchImport(box, registry, image);
  await benchContainer(box, file);
  report("digest", await measure(box, [enroot, "digest", registry.uri(image)], { times: 5 }));
  const cache = await host(["du", "-sb", box.cache]);
  const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
  console.log(
    `image file ${megabytes((await stat(file)).size)} MB, blobs ${megabytes(Number.parseInt(cache, 10))} MB`,
  );
}

await using registry = await imageRegistry(["small", "odd", "medium"]);
await using place = await sandbox();
heading("alone");
report("version", await measure(place, [enroot, "version"], { times: often }));
report("info", await measure(place, [enroot, "info"], { times: often }));
const wanted = process.argv.slice(2);
for (const image of images) {
  if (wanted.length === 0 || wanted.some((part) => image.includes(part))) await benchImage(registry, image);
}
