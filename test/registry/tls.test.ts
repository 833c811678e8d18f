// SPDX-License-Identifier: Apache-2.0
// Whom TLS trusts, and that nothing goes round it.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { chmod, copyFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Certificate, makeCertificate } from "../harness/certificate.ts";
import { enrootBinary } from "../harness/index.ts";
import {
  basic,
  credentials,
  expectImport,
  expectRefusal,
  guarded,
  login,
  plainImage,
  type Scene,
  scene,
} from "./fixture.ts";
import { digestOf } from "./scripted-image.ts";
import { type Script, serveImage } from "./scripted-registry.ts";

const image = plainImage();
const digest = `${digestOf(image.manifest)}\n`;
const place = mkdtempSync(join(tmpdir(), "enroot-tls."));
let certificate: Certificate;

beforeAll(async () => {
  await chmod(place, 0o755);
  certificate = await makeCertificate(place);
});

afterAll(() => rmSync(place, { recursive: true }));

const secure = (script?: Script, hostname?: string): Promise<Scene> =>
  scene(image, script, {}, { certificate, ...(hostname === undefined ? {} : { hostname }) });

describe("an authority of one's own", () => {
  test("from SSL_CERT_FILE", async () => {
    await using here = await secure();
    await expectImport(here, { SSL_CERT_FILE: certificate.authority });
  });

  test("from SSL_CERT_DIR", async () => {
    const directory = join(place, "certificates");
    await mkdir(directory);
    await copyFile(certificate.authority, join(directory, "ca.pem"));
    await using here = await secure();
    await expectImport(here, { SSL_CERT_DIR: directory });
  });

  test("from a file that holds none: names the variable", async () => {
    await using here = await secure();
    await expectRefusal(here, /Could not read certificates: \/dev\/null \(from SSL_CERT_FILE\)/, {
      SSL_CERT_FILE: "/dev/null",
    });
    await expectRefusal(here, /\/nowhere \(from SSL_CERT_DIR\)/, { SSL_CERT_DIR: "/nowhere" });
    expect(here.registry.asked).toEqual([]);
  });
});

describe("no connection to", () => {
  test("an unknown authority: says how to add it", async () => {
    await using here = await secure();
    await expectRefusal(
      here,
      /Could not verify the certificate of 127\.0\.0\.1.*add its CA to SSL_CERT_FILE/,
    );
    expect(here.registry.asked).toEqual([]);
  });

  test("another host than the certificate names", async () => {
    await using here = await secure(undefined, "127.0.0.2");
    await expectRefusal(here, /Could not verify the certificate of 127\.0\.0\.2/, {
      SSL_CERT_FILE: certificate.authority,
    });
  });

  test("a registry without TLS", async () => {
    await using here = await scene(image);
    await expectRefusal(here, /Could not verify the certificate|ENROOT_ALLOW_HTTP/, {
      ENROOT_ALLOW_HTTP: "",
    });
    expect(here.registry.asked).toEqual([]);
  });

  test.each([
    ["enroot", enrootBinary()],
    ["the engine itself", join(dirname(enrootBinary()), "enroot-engine")],
  ])("an unknown authority, whatever the runtime's variables tell %s", async (_, program) => {
    await using here = await secure();
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_EXTRA_CA_CERTS: certificate.authority };
    const result = await here.box.run([program, "digest", here.registry.uri], { env });
    expect(result).toMatchObject({ status: 1, stdout: "" });
    expect(result.stderr).toContain("Could not verify the certificate");
  });
});

describe("redirects", () => {
  test("from HTTPS to HTTP are refused", async () => {
    await using plain = serveImage(image);
    await using here = await secure(({ kind, url }) =>
      kind === "blob" ? Response.redirect(`http://${plain.name}${url.pathname}`, 307) : undefined,
    );
    await expectRefusal(here, /redirects to http:.*plain HTTP needs ENROOT_ALLOW_HTTP/, {
      SSL_CERT_FILE: certificate.authority,
    });
    expect(plain.asked).toEqual([]);
  });

  test("from HTTP to HTTPS on the same host keep the credentials", async () => {
    await using safe = serveImage(
      image,
      guarded(() => ['Basic realm="x"'], basic),
      { certificate },
    );
    await using here = await scene(image, ({ url }) =>
      Response.redirect(`https://${safe.name}${url.pathname}`, 307),
    );
    await credentials(here, login(here, "127.0.0.1"));
    const env = { SSL_CERT_FILE: certificate.authority };
    expect(await here.box.ok(["digest", here.registry.uri], { env })).toBe(digest);
  });
});

test("a token server without TLS is not asked", async () => {
  await using plain = serveImage(image);
  await using here = await secure(guarded(() => [`Bearer realm="http://${plain.name}/token"`], "x"));
  await credentials(here, login(here));
  await expectRefusal(here, /not to be trusted: http: is not https:/, {
    SSL_CERT_FILE: certificate.authority,
  });
  expect(plain.asked).toEqual([]);
});
