// SPDX-License-Identifier: Apache-2.0
import { startContainer } from "../../usecases/start.ts";
import type { CommandSpec, Invocation } from "../command.ts";

/** What `enroot start` accepts. */
export const spec: CommandSpec = {
  name: "start",
  operands: "NAME|IMAGE [COMMAND] [ARG...]",
  description: `Start a container, or an image as it is, and run its command script with COMMAND and ARG.
Without a command script COMMAND runs by itself; without COMMAND, a shell.`,
  options: [
    { long: "conf", short: "c", value: "CONFIG", text: "Configuration script, a bash file" },
    {
      long: "env",
      short: "e",
      value: "KEY[=VAL]",
      text: "Set a variable in the container (KEY alone: as it is here)",
    },
    {
      long: "mount",
      short: "m",
      value: "FSTAB",
      text: "Mount something of the host: fstab fields between colons",
    },
    { long: "rc", value: "SCRIPT", text: "Command script to use instead of the container's" },
    { long: "root", short: "r", text: "Be root in the container" },
    { long: "rw", short: "w", text: "Make the root file system writable" },
    { long: "net", text: "New network namespace, with loopback alone" },
    { long: "pid", text: "New PID namespace" },
    { long: "ipc", text: "New IPC namespace, and a small /dev" },
    { long: "uts", text: "New UTS namespace" },
  ],
  minOperands: 1,
  maxOperands: Number.POSITIVE_INFINITY,
};

/** Writes the start plan that the launcher carries out. */
export async function run(invocation: Invocation): Promise<number> {
  const [target = "", ...command] = invocation.operands;
  await startContainer({
    settings: invocation.settings,
    target,
    command,
    config: invocation.value("conf"),
    rc: invocation.value("rc"),
    mounts: invocation.values("mount"),
    environment: invocation.values("env"),
    switches: new Set(["root", "rw", "net", "pid", "ipc", "uts"].filter((name) => invocation.flag(name))),
  });
  return 0;
}
