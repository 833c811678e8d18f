// SPDX-License-Identifier: Apache-2.0
// A registry that does what a test says, on the loopback interface: for faults that a real one cannot be made to have.
import type { Certificate } from "../harness/certificate.ts";
import type { ScriptedImage } from "./scripted-image.ts";
import { digestOf } from "./scripted-image.ts";

/** What a request is about. */
export interface Asked {
  readonly request: Request;
  readonly url: URL;
  readonly kind: "manifest" | "blob" | "other";
  /** Tag or digest. */
  readonly reference: string;
  /** How many requests of this kind came before, for the same reference. */
  readonly count: number;
}

/** Answers a request, or leaves it to the registry. */
export type Script = (asked: Asked) => Response | undefined | Promise<Response | undefined>;

/** A running registry. */
export interface ScriptedRegistry extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  /** docker://HOST:PORT#test/image */
  readonly uri: string;
  /** Every request so far. */
  readonly asked: readonly Asked[];
}

/** What a request is about, from its path. */
function classify(url: URL): Pick<Asked, "kind" | "reference"> {
  const form = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname);
  if (!form) return { kind: "other", reference: url.pathname };
  return { kind: form[1] === "manifests" ? "manifest" : "blob", reference: form[2] ?? "" };
}

/** Where and how a registry is served. */
export interface ServeOptions {
  /** TLS with this certificate; plain HTTP without one. */
  readonly certificate?: Certificate | undefined;
  readonly hostname?: string;
}

/** Serves an image, after the script has had its say. */
export function serveImage(
  image: ScriptedImage,
  script: Script = () => undefined,
  { certificate, hostname = "127.0.0.1" }: ServeOptions = {},
): ScriptedRegistry {
  const asked: Asked[] = [];
  const tls = certificate && { cert: Bun.file(certificate.certificate), key: Bun.file(certificate.key) };
  const server = Bun.serve({
    hostname,
    port: 0,
    idleTimeout: 120,
    ...(tls ? { tls } : {}),
    async fetch(request) {
      const url = new URL(request.url);
      const about = classify(url);
      const count = asked.filter(
        ({ kind, reference }) => kind === about.kind && reference === about.reference,
      ).length;
      const now: Asked = { request, url, ...about, count };
      asked.push(now);
      return (await script(now)) ?? answer(image, now);
    },
  });
  const name = `${hostname}:${server.port}`;
  return {
    name,
    port: server.port ?? 0,
    env: certificate ? {} : { ENROOT_ALLOW_HTTP: "yes" },
    uri: `docker://${name}#test/image`,
    asked,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** What a registry without faults answers. */
export function answer(image: ScriptedImage, { kind, reference }: Asked): Response {
  if (kind === "manifest") {
    const known = reference === "latest" || reference === digestOf(image.manifest);
    const child = image.blobs.get(reference);
    const bytes = known ? image.manifest : child;
    if (bytes)
      return new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { "content-type": image.mediaType } });
  }
  const blob = kind === "blob" ? image.blobs.get(reference) : undefined;
  if (blob) return new Response(blob as Uint8Array<ArrayBuffer>);
  const errors = [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }];
  return Response.json({ errors }, { status: 404 });
}
