// SPDX-License-Identifier: Apache-2.0
// The harness holds what it promises, so that a failing test means a failing enroot.

import { expect, test } from "bun:test";
import { account, sandbox, startRegistry, testUser, until } from "./index.ts";

test("commands run as the unprivileged user in directories that it owns", async () => {
  await using box = await sandbox();
  const result = await box.run(["sh", "-c", "id -u; id -G; stat -c %u:%a $HOME; ulimit -Sn; pwd; touch x"]);
  const { uid, gid } = testUser();
  expect(result).toEqual({
    status: 0,
    signal: null,
    stdout: `${uid}\n${gid}\n${uid}:700\n1024\n${box.work}\n`,
    stderr: "",
  });
});

test("status, signal, input and terminal arrive", async () => {
  await using box = await sandbox();
  expect((await box.run(["sh", "-c", "exit 7"])).status).toBe(7);
  expect((await box.run(["sh", "-c", "kill -TERM $$"])).signal).toBe("SIGTERM");
  expect((await box.run(["cat"], { stdin: "hello" })).stdout).toBe("hello");
  const terminal = await box.run(
    ["sh", "-c", 'test -t 0 && test -t 1 && tty && echo "it\'s $1" && exit 3', "-", "a b"],
    {
      tty: true,
    },
  );
  expect(terminal.stdout).toMatch(/^\/dev\/pts\/\d+\r\nit's a b\r\n$/);
  expect(terminal.status).toBe(3);
});

test("a background program has the process id that was given, takes input and signals", async () => {
  await using box = await sandbox();
  const child = (await import("./process.ts")).start(
    ["sh", "-c", "echo $$; read x; echo got $x; cat"],
    box.env,
    {
      stdin: "pipe",
    },
  );
  await until("the first line", () => child.stdout().includes("\n"));
  expect(child.stdout()).toBe(`${child.pid}\n`);
  await child.write("more\n");
  await until("the answer", () => child.stdout().includes("got more"));
  child.kill("SIGTERM");
  expect((await child.exited).signal).toBe("SIGTERM");
});

test("a process that is left behind is noticed and killed", async () => {
  const box = await sandbox({ grace: 0.5 });
  await box.run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 </dev/null &"]);
  const failure = await box[Symbol.asyncDispose]().then(
    () => "nothing noticed",
    (error: unknown) => String(error),
  );
  expect(failure).toContain("sleep 1000");
});

test("registries answer: plain, TLS with Basic, and with tokens", async () => {
  await using plain = await startRegistry();
  expect((await fetch(`${plain.url}/v2/`)).status).toBe(200);

  await using basic = await startRegistry({ tls: true, auth: "basic" });
  const tls = { ca: await Bun.file(basic.authority ?? "").text() };
  const authorization = `Basic ${btoa(`${account.user}:${account.password}`)}`;
  expect((await fetch(`${basic.url}/v2/`, { tls })).status).toBe(401);
  expect((await fetch(`${basic.url}/v2/`, { tls, headers: { authorization } })).status).toBe(200);

  await using bearer = await startRegistry({ auth: "token" });
  const list = `${bearer.url}/v2/some/image/tags/list`;
  const challenge = (await fetch(list)).headers.get("www-authenticate") ?? "";
  const [, realm = "", service = "", scope = ""] =
    /realm="(.*)",service="(.*)",scope="(.*)"/.exec(challenge) ?? [];
  const ask = `${realm}?${new URLSearchParams({ service, scope })}`;
  expect((await fetch(ask)).status).toBe(401);
  const { token } = (await (await fetch(ask, { headers: { authorization } })).json()) as { token: string };
  const answer = await fetch(list, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(404); // let in, and there is no such image
  expect(bearer.tokens?.issued()).toBe(1);
}, 60_000);
