// SPDX-License-Identifier: Apache-2.0

/** A registry that takes requests and never answers: what asks it is in the middle of its work until it is ended. */
export interface SilentRegistry extends AsyncDisposable {
  readonly port: number;
  /** Whether there has been a request. */
  asked(): boolean;
}

/** Starts one. */
export function silentRegistry(): SilentRegistry {
  let asked = false;
  const { promise, resolve } = Promise.withResolvers<Response>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: () => {
      asked = true;
      return promise;
    },
  });
  return {
    port: Number(server.port),
    asked: () => asked,
    [Symbol.asyncDispose]: async () => {
      resolve(new Response());
      await server.stop(true);
    },
  };
}
