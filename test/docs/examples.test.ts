// SPDX-License-Identifier: Apache-2.0
// The examples of the commands' pages work as they stand: each block of shell is run by the unprivileged user, and any
// image of any registry is one of ours.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { table } from "../../src/cli/table.ts";
import { imageRegistry } from "../fixtures/index.ts";
import { enrootBinary, projectDirectory, type Registry, type Result, sandbox } from "../harness/index.ts";

interface Proxy extends Disposable {
  readonly url: string;
}

/** A proxy for which every name of an image means the same image, whatever the registry, and every tag `latest`. */
function proxyTo(registry: Registry): Proxy {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async ({ url, method, headers }) => {
      const [, kind = "", name = ""] = /\/(manifests|blobs)\/([^/]+)$/.exec(new URL(url).pathname) ?? [];
      if (kind === "") return fetch(`${registry.url}/v2/`);
      const reference = name.startsWith("sha256:") ? name : "latest";
      const accept = headers.get("accept") ?? "*/*";
      return fetch(`${registry.url}/v2/test/multi/${kind}/${reference}`, { method, headers: { accept } });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.dispose]: () => void server.stop(true) };
}

/** The blocks of shell in the page's last section, as one script. */
async function examplesOf(name: string): Promise<string> {
  const page = await Bun.file(join(projectDirectory, "docs/commands", `${name}.md`)).text();
  const section = page.split("\n## Examples\n")[1] ?? "";
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block).join("");
}

const undo = new AsyncDisposableStack();
let env: Readonly<Record<string, string>> = {};

beforeAll(async () => {
  const registry = undo.use(await imageRegistry(["multi"]));
  const proxy = undo.use(proxyTo(registry));
  env = { ...registry.env, http_proxy: proxy.url };
});

afterAll(() => undo.disposeAsync());

describe.each(Object.keys(table))("the examples of %s", (name) => {
  test("work", async () => {
    const script = await examplesOf(name);
    expect(script).toContain(`enroot ${name}`);
    await using box = await sandbox({ env });
    const path = `${dirname(enrootBinary())}:${box.env["PATH"] ?? ""}`;
    const result = await box.run(["bash", "-euo", "pipefail", "-c", script], { env: { PATH: path } });
    expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 0, stderr: result.stderr });
    expect(result.stderr).not.toContain("[ERROR]");
  });
});

test("the importer of slurm.md makes one file for a digest, whoever is first", async () => {
  const page = await Bun.file(join(projectDirectory, "docs/slurm.md")).text();
  const [, script = ""] = /^```\n(#!\/bin\/sh\n(?:(?!```).)*enroot digest.*?)^```$/ms.exec(page) ?? [];
  await using box = await sandbox({ env });
  const path = `${dirname(enrootBinary())}:${box.env["PATH"] ?? ""}`;
  const importer = script.replaceAll("/shared/images", box.work);
  const call = (...words: string[]): Promise<Result> =>
    box.run(["sh", "-c", importer, "importer", ...words], { env: { PATH: path } });
  const uris = ["docker://debian:12", "docker://nvcr.io#nvidia/x", "docker://debian:12"];
  const results = await Promise.all(uris.map((uri) => call("get", uri)));
  expect(results.map(({ status }) => status)).toEqual([0, 0, 0]);
  const files = (await readdir(box.work)).map((name) => `${join(box.work, name)}\n`);
  expect(files).toHaveLength(1);
  expect(new Set(results.map(({ stdout }) => stdout))).toEqual(new Set(files));
  const digest = /-([0-9a-f]{64})\.sqsh/.exec(files[0] ?? "")?.[1] ?? "";
  expect(await call("get", `docker://debian:12@sha256:${digest}`)).toMatchObject({
    status: 0,
    stdout: files[0],
  });
  expect(await call("release")).toMatchObject({ status: 0, stdout: "" });
});
