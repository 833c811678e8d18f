// SPDX-License-Identifier: Apache-2.0
// HTTP for registries: redirects by hand, credentials that stay at home, our own time limits, proxies and certificates.
import type { FetchOptions } from "ofetch";
import { EnrootError } from "../errors.ts";
import { type CertificateStore, readCertificates } from "./certificates.ts";
import { chooseProxy } from "./proxy.ts";
import { backoff, pause, retryAfter } from "./retry.ts";

/** What a client needs to know. Times in seconds, 0: no limit. */
export interface HttpOptions {
  readonly connectTimeout: number;
  readonly transferTimeout: number;
  readonly retries: number;
  /** Whether plain HTTP is allowed: at first, and after a redirect. */
  readonly allowHttp: boolean;
  /** Proxies and certificates: `https_proxy`, `no_proxy`, `SSL_CERT_FILE`… */
  readonly environment: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
}

/** One request. */
export interface HttpRequest {
  readonly url: string;
  readonly method?: "GET" | "HEAD" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  /** Form fields of a POST. */
  readonly form?: Readonly<Record<string, string>>;
  /** Sent to the URL's own origin alone. */
  readonly authorization?: string | undefined;
  /** Whether redirects are followed; default: yes. */
  readonly follow?: boolean;
}

/** What came back. The body is as it was on the wire. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  /** Where it came from after redirects, without query. */
  readonly url: string;
}

/** Performs requests. @throws EnrootError Registry when no answer comes */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>;

const redirectLimit = 10;
const redirects = new Set([301, 302, 303, 307, 308]);
/** Answers that may be better in a moment. */
const transient = new Set([408, 429, 500, 502, 503, 504]);

/** A URL fit for messages: signatures and passwords are in what is cut off. */
export function redact(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return "an invalid URL";
  }
}

/** Makes a client. */
export async function openHttp(options: HttpOptions): Promise<HttpClient> {
  const { ofetch } = await import("ofetch");
  const certificates = await readCertificates(options.environment);
  forgetProxies();

  const exchange: Exchange = async (url, request, authorization) => {
    const limits = [options.signal, ...limitSignals(options)];
    const { signal, done } = withConnectLimit(limits, options.connectTimeout);
    try {
      const response = await ofetch.raw<unknown, "stream">(url, {
        ...messageOf(request, authorization),
        redirect: "manual",
        responseType: "stream",
        retry: 0,
        ignoreResponseError: true,
        signal,
        ...connectionTo(url, options.environment, certificates),
      });
      return { status: response.status, headers: response.headers, body: response.body, url: redact(url) };
    } catch (cause) {
      options.signal.throwIfAborted();
      throw explainFailure(url, cause);
    } finally {
      done();
    }
  };
  return (request) => retrying(request, options, (once) => followed(once, options, exchange));
}

function messageOf(
  { method, headers, form }: HttpRequest,
  authorization: string | undefined,
): FetchOptions<"stream"> {
  return {
    method: method ?? (form ? "POST" : "GET"),
    headers: {
      "Accept-Encoding": "identity",
      "User-Agent": "enroot",
      ...(form ? { "Content-Type": "application/x-www-form-urlencoded" } : {}),
      ...headers,
      ...(authorization === undefined ? {} : { Authorization: authorization }),
    },
    ...(form ? { body: new URLSearchParams(form).toString() } : {}),
  };
}

/** What Bun's fetch takes beyond the standard; ofetch hands it on. */
function connectionTo(
  url: string,
  environment: ReadonlyMap<string, string>,
  certificates: CertificateStore,
): { decompress: boolean; proxy: string | undefined; tls: { ca: string[]; rejectUnauthorized: true } } {
  return {
    // Digests are over the bytes on the wire.
    decompress: false,
    proxy: chooseProxy(url, environment),
    // Said out loud, or NODE_TLS_REJECT_UNAUTHORIZED would be obeyed.
    tls: { ca: [...certificates(new URL(url).host)], rejectUnauthorized: true },
  };
}

/** Bun would use these by itself, whatever no_proxy of the configuration says. */
function forgetProxies(): void {
  for (const name of ["http_proxy", "https_proxy", "all_proxy"]) {
    delete process.env[name];
    delete process.env[name.toUpperCase()];
  }
}

function limitSignals({ transferTimeout }: HttpOptions): AbortSignal[] {
  return transferTimeout > 0 ? [AbortSignal.timeout(transferTimeout * 1000)] : [];
}

/** A signal that also fires when no answer has begun in time. */
function withConnectLimit(
  signals: AbortSignal[],
  seconds: number,
): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController();
  const limit = new EnrootError("Registry", `no answer within ${seconds} seconds`);
  const timer = seconds > 0 ? setTimeout(() => controller.abort(limit), seconds * 1000) : undefined;
  return { signal: AbortSignal.any([...signals, controller.signal]), done: () => clearTimeout(timer) };
}

type Exchange = (
  url: string,
  request: HttpRequest,
  authorization: string | undefined,
) => Promise<HttpResponse>;

async function followed(
  request: HttpRequest,
  { allowHttp }: HttpOptions,
  exchange: Exchange,
): Promise<HttpResponse> {
  let url = request.url;
  let authorization = request.authorization;
  for (let count = 0; count <= redirectLimit; count++) {
    const response = await exchange(url, request, authorization);
    const location = response.headers.get("location");
    if (!redirects.has(response.status) || location === null || request.follow === false) return response;
    await response.body?.cancel();
    const next = nextHop(url, location, allowHttp);
    if (!keepsCredentials(new URL(url), next)) authorization = undefined;
    url = next.href;
  }
  throw new EnrootError("Registry", `Too many redirects: ${redact(request.url)}`);
}

function nextHop(url: string, location: string, allowHttp: boolean): URL {
  const next = URL.parse(location, url);
  if (next?.protocol === "https:" || (allowHttp && next?.protocol === "http:")) return next;
  throw new EnrootError(
    "Registry",
    `${redact(url)} redirects to ${next?.protocol ?? "an invalid URL"}//${next?.host ?? ""}`,
    {
      hint: "plain HTTP needs ENROOT_ALLOW_HTTP=yes",
    },
  );
}

/** Credentials go on to the same origin, or to the same host when it changes to TLS. */
function keepsCredentials(from: URL, to: URL): boolean {
  return (
    from.origin === to.origin ||
    (from.hostname === to.hostname && from.protocol === "http:" && to.protocol === "https:")
  );
}

async function retrying(
  request: HttpRequest,
  { retries, signal }: HttpOptions,
  attempt: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  for (let count = 0; ; count++) {
    const last = count >= retries;
    let wait = backoff(count);
    try {
      const response = await attempt(request);
      if (last || !transient.has(response.status)) return response;
      wait = retryAfter(response.headers.get("retry-after")) ?? wait;
      await response.body?.cancel();
    } catch (error) {
      const lasting = error instanceof EnrootError && error.hint !== undefined;
      if (last || lasting || signal.aborted) throw error;
    }
    await pause(wait, signal);
  }
}

function explainFailure(url: string, cause: unknown): EnrootError {
  const host = new URL(url).host;
  const code = codeOf(cause);
  if (/CERT|SELF_SIGNED|UNABLE_TO|TLS|EPROTO|ISSUER/i.test(code)) {
    return new EnrootError("Registry", `Could not verify the certificate of ${host}: ${code}`, {
      hint: "add its CA to SSL_CERT_FILE or to the system's certificates; ENROOT_ALLOW_HTTP=yes talks to plain HTTP registries",
      cause,
    });
  }
  return new EnrootError("Registry", `Could not connect to ${host}: ${describeTransport(cause)}`, { cause });
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "host not found",
  EAI_AGAIN: "the name service does not answer",
  ECONNRESET: "connection reset",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "network unreachable",
};

/** Why a connection failed or broke off, in a few words: those of the runtime speak to its programmers. */
export function describeTransport(error: unknown): string {
  const known = chain(error).find((cause) => cause instanceof EnrootError);
  if (known instanceof EnrootError) return known.message;
  if (chain(error).some((cause) => cause instanceof Error && cause.name === "TimeoutError"))
    return "it took longer than ENROOT_TRANSFER_TIMEOUT allows";
  const code = codeOf(error);
  return words[code] ?? (code || "no connection");
}

function codeOf(error: unknown): string {
  const codes = chain(error).map((cause) =>
    cause instanceof Error && "code" in cause ? cause.code : undefined,
  );
  return codes.find((code) => typeof code === "string") ?? "";
}

/** An error, and the one underneath. */
function chain(error: unknown): readonly unknown[] {
  return error instanceof Error ? [error, error.cause] : [error];
}
