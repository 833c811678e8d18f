// SPDX-License-Identifier: Apache-2.0
// Debian's docker-registry on the loopback interface, stopped by its process id.

import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificate, makeCertificate } from "./certificate.ts";
import { accepts, freePort } from "./port.ts";
import { host, start, until } from "./process.ts";
import { startTokenServer, type TokenServer } from "./token-server.ts";

/** What kind of registry to start. */
export interface RegistryOptions {
  /** The storage directory; a new empty one when absent. Never changed unless `writable`. */
  readonly storage?: string;
  readonly writable?: boolean;
  /** TLS with a certificate of an authority of its own. */
  readonly tls?: boolean;
  /** Basic authentication with this account, or tokens of a token server that asks for it ("token" alone: for nothing). */
  readonly auth?: "basic" | "token" | "anonymous-token";
  /** Seconds until a token expires. */
  readonly tokenLifetime?: number;
}

/** The account of registries with authentication. */
export const account = { user: "alice", password: "correct-horse" } as const;

/** A running registry. */
export interface Registry extends AsyncDisposable {
  /** HOST:PORT, as it stands in an image reference. */
  readonly name: string;
  readonly port: number;
  /** The address, with its scheme. */
  readonly url: string;
  readonly storage: string;
  /** The authority's certificate of a registry with TLS. */
  readonly authority: string | undefined;
  readonly tokens: TokenServer | undefined;
  /** What enroot has to have in its environment to talk to this registry at all. */
  readonly env: Readonly<Record<string, string>>;
  /** docker://HOST:PORT#IMAGE */
  uri(image: string): string;
  /** What the registry has logged until now. */
  log(): string;
  /** Stops it before its time. */
  stop(): Promise<void>;
}

/** Starts a registry and waits until it answers. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "enroot-registry."));
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  const storage = options.storage ?? join(directory, "storage");
  await mkdir(storage, { recursive: true });
  const token = options.auth === "token" || options.auth === "anonymous-token";
  const certificate = options.tls === true || token ? await makeCertificate(directory) : undefined;
  const tokens = token && certificate !== undefined ? undo.use(tokenServer(certificate, options)) : undefined;
  const port = freePort();
  const log = { level: "info", accesslog: { disabled: false } };
  // Other enroots read the credentials out of what curl says it sends, which HTTP/2 has in other letters.
  const http2 = { disabled: options.auth === "basic" };
  const tls = options.tls === true ? { tls: tlsFiles(certificate), http2 } : {};
  const http = { addr: `127.0.0.1:${port}`, ...tls };
  const auth = await authentication({ kind: options.auth, directory, tokens, certificate });
  const file = join(directory, "config.yml");
  // YAML reads JSON.
  await Bun.write(
    file,
    JSON.stringify({ version: "0.1", log, storage: storageOf(storage, options), http, auth }),
  );
  const server = start(
    ["docker-registry", "serve", file],
    { PATH: "/usr/bin:/bin", OTEL_TRACES_EXPORTER: "none" },
    {
      user: "root",
      timeout: 7200,
    },
  );
  undo.defer(async () => {
    server.kill("SIGKILL");
    await server.exited;
  });
  await until("the registry's first answer", async () => {
    if (await accepts(port)) return true;
    if (await hasExited(server.exited)) throw new Error(`docker-registry ended:\n${server.stderr()}`);
    return false;
  });
  const rest = undo.move();
  const scheme = options.tls === true ? "https" : "http";
  return {
    name: `127.0.0.1:${port}`,
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    storage,
    authority: options.tls === true ? certificate?.authority : undefined,
    tokens,
    env: reachable(options.tls === true ? certificate : undefined),
    uri: (image) => `docker://127.0.0.1:${port}#${image}`,
    log: () => server.stdout() + server.stderr(),
    stop: async () => {
      server.kill("SIGKILL");
      await server.exited;
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

function hasExited(exited: Promise<unknown>): Promise<boolean> {
  return Promise.race([exited.then(() => true), Bun.sleep(0).then(() => false)]);
}

function tokenServer(certificate: Certificate, options: RegistryOptions): TokenServer {
  const lifetime = options.tokenLifetime === undefined ? {} : { lifetime: options.tokenLifetime };
  const who = options.auth === "token" ? { account } : {};
  return startTokenServer({ certificate, ...lifetime, ...who });
}

function tlsFiles(certificate: Certificate | undefined): object {
  return { certificate: certificate?.certificate, key: certificate?.key };
}

function storageOf(directory: string, options: RegistryOptions): object {
  const locked = options.storage !== undefined && options.writable !== true;
  const maintenance = { uploadpurging: { enabled: false }, readonly: { enabled: locked } };
  return { filesystem: { rootdirectory: directory }, delete: { enabled: true }, maintenance };
}

async function authentication(options: {
  kind: RegistryOptions["auth"];
  directory: string;
  tokens: TokenServer | undefined;
  certificate: Certificate | undefined;
}): Promise<object> {
  const { kind, directory, tokens, certificate } = options;
  if (kind === "basic") {
    const path = join(directory, "htpasswd");
    await Bun.write(path, await host(["htpasswd", "-nbB", account.user, account.password]));
    return { htpasswd: { realm: "enroot test", path } };
  }
  if (tokens === undefined) return {};
  const { realm, service, issuer } = tokens;
  return { token: { realm, service, issuer, rootcertbundle: certificate?.certificate } };
}

function reachable(certificate: Certificate | undefined): Record<string, string> {
  return certificate === undefined ? { ENROOT_ALLOW_HTTP: "yes" } : { SSL_CERT_FILE: certificate.authority };
}
