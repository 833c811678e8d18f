// SPDX-License-Identifier: Apache-2.0
// Tokens in every form, and where secrets must not be: seen by the registry itself, at the moment that it is asked.
import { expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { host, type Sandbox, sandbox } from "../harness/index.ts";
import { scriptedImage } from "../registry/scripted-image.ts";
import { type Asked, type ScriptedRegistry, serveImage } from "../registry/scripted-registry.ts";
import { own } from "./container.ts";

const image = scriptedImage([{ tar: new Uint8Array(10240) }]);

/** What everybody can see of processes. */
async function visible(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines)).join("\n");
}

interface Place extends AsyncDisposable {
  readonly registry: ScriptedRegistry;
  /** Whether a secret was in anybody's sight while the registry was asked. */
  seen(secret: string): boolean;
  /** Who came for a token, with what. */
  readonly accounts: (string | null)[];
}

/** A registry that wants tokens, which it gives under the name that a test wants. */
function tokens(answer: Record<string, string>, secret: string): Place {
  const sights: string[] = [];
  const accounts: (string | null)[] = [];
  const registry = serveImage(image, async ({ url, request }: Asked) => {
    sights.push(await visible());
    const authorization = request.headers.get("authorization");
    if (url.pathname === "/token") {
      accounts.push(authorization);
      return Response.json({ expires_in: 300, ...answer });
    }
    if (authorization === `Bearer ${secret}`) return undefined;
    const challenge = `Bearer realm="http://${url.host}/token",service="test",scope="repository:test/image:pull"`;
    return new Response("", { status: 401, headers: { "www-authenticate": challenge } });
  });
  return {
    registry,
    accounts,
    seen: (text) => sights.some((sight) => sight.includes(text)),
    [Symbol.asyncDispose]: async () => registry[Symbol.asyncDispose](),
  };
}

async function readable(box: Sandbox, secret: string): Promise<string> {
  const places = [box.home, box.cache, box.temp, box.runtime, box.work];
  const find = ["find", ...places, "-perm", "/o+r", "-type", "f", "-exec", "grep", "-l", secret, "{}", "+"];
  return (await box.run(find)).stdout;
}

test.each([["token"], ["access_token"]])("a token may be called %s", async (name) => {
  await using place = tokens({ [name]: "the-token" }, "the-token");
  await using box = await sandbox({ env: place.registry.env });
  await box.ok(["import", "-o", "image.sqsh", place.registry.uri]);
  expect(place.accounts[0]).toBeNull();
});

test("the user of the URI or of the file is who comes for it", async () => {
  await using place = tokens({ token: "the-token" }, "the-token");
  await using box = await sandbox({ env: place.registry.env });
  await credentials(box, "machine 127.0.0.1 login alice password correct-horse\n");
  const expected = `Basic ${btoa("alice:correct-horse")}`;
  const uri = place.registry.uri.replace("docker://", "docker://alice@");
  await box.ok(["import", "-o", "image.sqsh", uri]);
  expect(place.accounts).toEqual([expected]);
});

test("passwords and tokens are in no command line, message or file that others may read", async () => {
  await using place = tokens({ token: "the-token" }, "the-token");
  await using box = await sandbox({ env: { ...place.registry.env, SECRET: "correct-horse" } });
  await credentials(box, "machine 127.0.0.1 login alice password $SECRET\n");
  const args = ["import", "-o", "image.sqsh", place.registry.uri.replace("docker://", "docker://alice@")];
  const { stdout, stderr, status } = await box.enroot(args);
  expect(status).toBe(0);
  for (const secret of ["correct-horse", "the-token", btoa("alice:correct-horse")]) {
    expect([secret, place.seen(secret)]).toEqual([secret, false]);
    expect(stdout + stderr).not.toContain(secret);
    expect(await readable(box, secret)).toBe("");
  }
  expect(place.seen(place.registry.name)).toBe(true); // so one does see command lines
});

async function credentials(box: Sandbox, text: string): Promise<void> {
  const path = join(box.config, ".credentials");
  await Bun.write(path, text);
  await own(path);
  await host(["chmod", "600", path]);
}
