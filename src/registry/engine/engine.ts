// SPDX-License-Identifier: Apache-2.0
// Docker and Podman through their own programs: what they are asked, and what they say when they fail.
import type { Settings } from "../../config/settings.ts";
import { EnrootError } from "../../errors.ts";
import { log } from "../../log.ts";
import { capture, type Outcome, runToFile } from "../../system/process.ts";
import { requireProgram } from "../../system/programs.ts";

/** An image that an engine has. */
export interface KnownImage {
  /** 64 hexadecimal digits: of the image's configuration, or of whatever else the engine knows it by. */
  readonly id: string;
  /** OCI name. */
  readonly arch: string;
}

/** A container engine. */
export interface Engine {
  /** The image, if the engine has it. @throws EnrootError Tool when it does not answer */
  find(image: string): Promise<KnownImage | undefined>;
  /** Fetches an image. @throws EnrootError Registry */
  pull(image: string, arch: string): Promise<void>;
  /** Writes an image into a file. @throws EnrootError Tool */
  save(image: string, file: string): Promise<void>;
  /** Forgets an image, unless something uses it. */
  remove(image: string): Promise<void>;
}

const programs = {
  dockerd: { name: "docker", debianPackage: "docker.io" },
  podman: { name: "podman", debianPackage: "podman" },
} as const;

/** The schemes of URIs that mean an engine. */
export type EngineScheme = keyof typeof programs;

/** Finds an engine's program. It runs with the caller's own environment, which says where the engine is. @throws EnrootError Tool */
export function openEngine(scheme: EngineScheme, { environment }: Settings): Engine {
  const { name, debianPackage } = programs[scheme];
  const program = requireProgram(name, debianPackage);
  const env = { ...Object.fromEntries(environment), LC_ALL: "C" };
  const ask = (args: readonly string[], output = "/dev/null"): Promise<Omit<Outcome, "stdout">> =>
    runToFile({ argv: [program, ...args], env, output });
  const succeed = async (what: string, args: readonly string[], output?: string): Promise<void> => {
    const outcome = await ask(args, output);
    if (outcome.status !== 0) throw refusal(what, outcome, name);
  };
  return {
    find: async (image) => {
      const asking = ["image", "inspect", "--format", "{{.Id}} {{.Architecture}}", image];
      const outcome = await capture({ argv: [program, ...asking], env });
      if (outcome.status === 0) return parseKnown(outcome.stdout);
      if (/no such image|image not known|failed to find image/i.test(outcome.stderr)) return undefined;
      throw refusal(`find ${image}`, outcome, name);
    },
    pull: (image, arch) => succeed(`fetch ${image}`, ["image", "pull", "--platform", `linux/${arch}`, image]),
    save: (image, file) => succeed(`save ${image}`, ["image", "save", image], file),
    remove: async (image) => {
      const { status, stderr } = await ask(["image", "rm", image]);
      if (status !== 0) log.debug(`${name} keeps ${image}: ${stderr.trim()}`);
    },
  };
}

/** `sha256:ID ARCHITECTURE` of docker, without `sha256:` of podman; what is not of this form is known by nothing. */
function parseKnown(text: string): KnownImage {
  const [, id = "", arch = ""] = /^(?:sha256:)?([0-9a-f]{64}) (\S+)$/.exec(text.trim()) ?? [];
  return { id, arch };
}

function refusal(
  what: string,
  { stderr, status, signal }: Omit<Outcome, "stdout">,
  name: string,
): EnrootError {
  const words = stderr
    .trim()
    .split("\n")
    .at(-1)
    ?.replace(/^Error(?: response from daemon)?: /i, "");
  const reason = words || (signal ? `ended by ${signal}` : `return code ${status}`);
  const silent = /cannot connect|is the docker daemon running|permission denied.*docker\.sock/i.test(stderr);
  const hint = silent ? "is its daemon running, and are you allowed to use it?" : `try: ${name} image ls`;
  return new EnrootError("Tool", `${name} could not ${what}: ${reason}`, { hint });
}
