// SPDX-License-Identifier: Apache-2.0
// Authentication against Debian's docker-registry: none, Basic over TLS, and tokens of a token server.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { imageRegistry } from "../fixtures/index.ts";
import { account, type Registry, type Sandbox, sandbox, testUser } from "../harness/index.ts";
import { improvement } from "./improvement.ts";
import { refusal } from "./refusal.ts";

let plain: Registry;
let basic: Registry;
let token: Registry;
let open: Registry;
let digest: string;

beforeAll(async () => {
  plain = await imageRegistry(["small"]);
  basic = await imageRegistry(["small"], { tls: true, auth: "basic" });
  token = await imageRegistry(["small"], { auth: "token" });
  open = await imageRegistry(["small"], { auth: "anonymous-token" });
  const answer = await fetch(`${plain.url}/v2/test/small/manifests/latest`, {
    headers: { accept: "application/vnd.docker.distribution.manifest.v2+json" },
  });
  digest = `sha256:${new Bun.CryptoHasher("sha256").update(await answer.bytes()).digest("hex")}`;
}, 600_000);

afterAll(async () => {
  for (const registry of [plain, basic, token, open]) await registry?.[Symbol.asyncDispose]();
});

const image = "test/small:latest";

async function credentials(box: Sandbox, text: string, mode = 0o600): Promise<string> {
  const path = join(box.config, ".credentials");
  const { uid, gid } = testUser();
  await writeFile(path, text, { mode: 0o600 });
  await chmod(path, mode);
  await chown(path, uid, gid);
  return path;
}

function entry(registry: Registry, password: string = account.password, user: string = account.user): string {
  return `machine ${registry.name.replace(/:.*/, "")} login ${user} password ${password}\n`;
}

test("no authentication", async () => {
  await using box = await sandbox({ env: plain.env });
  expect(await box.ok(["digest", plain.uri(image)])).toBe(`${digest}\n`);
});

test("tokens for nobody in particular", async () => {
  await using box = await sandbox({ env: open.env });
  expect(await box.ok(["digest", open.uri(image)])).toBe(`${digest}\n`);
  expect(open.tokens?.issued()).toBeGreaterThan(0);
});

describe.each([
  ["Basic over TLS", () => basic],
  ["tokens for an account", () => token],
])("%s", (_, registry) => {
  test("with the credentials file", async () => {
    await using box = await sandbox({ env: registry().env });
    await credentials(box, entry(registry()));
    expect(await box.ok(["digest", registry().uri(image)])).toBe(`${digest}\n`);
    await box.ok(["import", "-o", "a.sqsh", registry().uri(image)]);
  });

  const asUser = async (others: string): Promise<void> => {
    await using box = await sandbox({ env: registry().env });
    await credentials(box, others + entry(registry()));
    const uri = registry().uri(image).replace("docker://", `docker://${account.user}@`);
    expect(await box.ok(["digest", uri])).toBe(`${digest}\n`);
  };

  test("with the user in the URI", () => asUser(""));

  improvement("bash enroot takes the host's first", "with the user in the URI, among others", () =>
    asUser(entry(registry(), "wrong", "bob")),
  );

  test("with a password from a variable or a command", async () => {
    await using box = await sandbox({ env: { ...registry().env, SECRET: account.password } });
    await credentials(box, entry(registry(), "$SECRET"));
    expect(await box.ok(["digest", registry().uri(image)])).toBe(`${digest}\n`);
    await credentials(box, entry(registry(), "$(printf '%s-horse' correct)"));
    expect(await box.ok(["digest", registry().uri(image)])).toBe(`${digest}\n`);
  });

  test("without credentials, or with wrong ones, there is no image", async () => {
    await using box = await sandbox({ env: registry().env });
    const args = ["import", "-o", "a.sqsh", registry().uri(image)];
    const without = await box.enroot(args);
    await credentials(box, entry(registry(), "open-sesame"));
    const wrong = await box.enroot(args);
    for (const { status, stdout, stderr } of [without, wrong]) {
      expect({ failed: status !== 0, stdout }).toEqual({ failed: true, stdout: "" });
      expect(stderr).not.toContain("open-sesame");
    }
    expect((await box.run(["ls", "-A", box.work])).stdout).toBe("");
  });

  improvement(
    "bash enroot shows the registry's status",
    "without credentials: says where they would have to be",
    async () => {
      await using box = await sandbox({ env: registry().env });
      const message = refusal(await box.enroot(["import", "-o", "a.sqsh", registry().uri(image)]));
      expect(message).toContain(registry().name);
      expect(message).toContain(`${box.config}/.credentials`);
      expect((await box.run(["ls", "-A", box.work])).stdout).toBe("");
    },
  );

  improvement(
    "bash enroot shows the registry's status",
    "a wrong password: says where it is from, and not what it is",
    async () => {
      await using box = await sandbox({ env: registry().env });
      const path = await credentials(box, entry(registry(), "open-sesame"));
      const result = await box.enroot(["import", "-o", "a.sqsh", registry().uri(image)], {
        env: { ENROOT_DEBUG: "y" },
      });
      expect(result.stdout + result.stderr).not.toContain("open-sesame");
      expect(result.stdout + result.stderr).not.toContain(btoa(`${account.user}:open-sesame`));
      const message = refusal(await box.enroot(["import", "-o", "a.sqsh", registry().uri(image)]));
      expect(message).toContain(path);
      expect(message).toContain(account.user);
      expect((await box.run(["ls", "-A", box.work])).stdout).toBe("");
    },
  );
});

improvement("bash enroot does not look", "a credentials file that others may read is warned of", async () => {
  await using box = await sandbox({ env: token.env });
  const path = await credentials(box, entry(token), 0o644);
  const result = await box.enroot(["digest", token.uri(image)]);
  expect(result).toMatchObject({ status: 0, stdout: `${digest}\n` });
  expect(result.stderr).toMatch(/^\[WARN\] [^\n]+\n/);
  expect(result.stderr).toContain(path);
});

improvement(
  "bash enroot shows what curl says",
  "a certificate of an unknown authority: says how to add it",
  async () => {
    await using box = await sandbox();
    const message = refusal(await box.enroot(["digest", basic.uri(image)]));
    expect(message).toContain(basic.name);
    expect(message).toContain("SSL_CERT_FILE");
  },
);

test("plain HTTP is refused unless it is allowed", async () => {
  await using box = await sandbox();
  const { status, stdout } = await box.enroot(["digest", plain.uri(image)]);
  expect({ failed: status !== 0, stdout }).toEqual({ failed: true, stdout: "" });
});

improvement("bash enroot looks the host up", "credentials may name the port as well", async () => {
  await using box = await sandbox({ env: token.env });
  const quoted = `machine ${token.name} login ${account.user} password "${account.password}"\n`;
  await credentials(box, quoted);
  expect(await box.ok(["digest", token.uri(image)])).toBe(`${digest}\n`);
});

improvement(
  "bash enroot 4.1.2 asks for manifests of Docker alone",
  "the digest of an OCI manifest",
  async () => {
    await using box = await sandbox({ env: plain.env });
    expect(await box.ok(["digest", plain.uri("test/small:oci")])).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  },
);

improvement("bash enroot shows what curl says", "plain HTTP: says how to allow it", async () => {
  await using box = await sandbox();
  expect(refusal(await box.enroot(["digest", plain.uri(image)]))).toContain("ENROOT_ALLOW_HTTP");
});
