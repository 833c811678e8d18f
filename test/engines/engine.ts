// SPDX-License-Identifier: Apache-2.0
// Real container engines: a dockerd of the test's own, and rootless podman with a storage of its own.
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { own } from "../conformance/container.ts";
import { imageRegistry } from "../fixtures/index.ts";
import { host, start, until } from "../harness/index.ts";

/** An engine with the test images in it. */
export interface Engine extends AsyncDisposable {
  /** How enroot calls it. */
  readonly scheme: "dockerd" | "podman";
  /** What enroot needs in its environment to find this one. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs the engine's own program, and fails when it fails; returns its output. */
  run(...args: string[]): Promise<string>;
  /** The digest of the configuration that the registry has of the small image. */
  readonly configDigest: string;
  /** Everything in it: containers, images and volumes, to compare. */
  content(): Promise<string>;
}

/** Where the test images are in an engine: REPOSITORY:TAG without a registry. */
export const images = {
  small: "test/small:latest",
  configured: "test/configured:latest",
  foreign: "test/foreign:latest",
} as const;

/** The architecture that this machine does not have, as engines and images say it. */
export const foreignArchitecture = process.arch === "arm64" ? "amd64" : "arm64";

/** What the image `configured` says. */
const configuration = [
  "ENV PATH=/bin",
  'ENV SPACES="a b  c"',
  "WORKDIR /srv/work",
  'ENTRYPOINT ["/bin/sh", "-c", "echo $*", "entry"]',
  'CMD ["default", "a b"]',
  "LABEL org.example.name=configured",
];

const listings = [
  ["container", "ls", "--all", "--quiet"],
  ["image", "ls", "--all", "--quiet", "--no-trunc"],
  ["volume", "ls", "--quiet"],
] as const;

type Run = Engine["run"];

const contentOf = (run: Run) => async (): Promise<string> => {
  const outputs = await Promise.all(listings.map((args) => run(...args)));
  return outputs.map((output) => output.split("\n").toSorted().join("\n")).join("\n--\n");
};

/** Starts a dockerd that only this process uses, with its state below a temporary directory. */
export async function startDocker(): Promise<Engine> {
  await using undo = new AsyncDisposableStack();
  const place = await temporary("enroot-docker.", undo);
  await chmod(place, 0o711);
  const socket = `unix://${place}/docker.sock`;
  const state = ["data-root", "exec-root", "pidfile"].map((name) => `--${name}=${place}/${name}`);
  const network = ["--iptables=false", "--ip6tables=false", "--bridge=none"];
  const argv = ["dockerd", ...network, "--storage-driver=vfs", `--host=${socket}`, ...state];
  const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
  const daemon = start(argv, { PATH, HOME: place }, { user: "root", timeout: 3600 });
  undo.defer(async () => {
    daemon.kill("SIGTERM");
    await daemon.exited;
    for (const mount of await mountsOf(place)) await host(["umount", "--lazy", mount]);
  });
  const env = { DOCKER_HOST: socket, PATH, HOME: place };
  const run: Run = (...args) => host(["docker", ...args], { env });
  await until(
    "dockerd",
    () =>
      run("version").then(
        () => true,
        () => existed(daemon.pid),
      ),
    60,
  );
  await chmod(join(place, "docker.sock"), 0o666); // What being a member of the group docker gives.
  const configDigest = await fill(run, place, undo);
  const stack = undo.move();
  return {
    scheme: "dockerd",
    env: { DOCKER_HOST: socket },
    run,
    content: contentOf(run),
    configDigest,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function existed(pid: number): false {
  if (!existsSync(`/proc/${pid}`)) throw new Error("dockerd has ended");
  return false;
}

/** Podman of the unprivileged user, with its images below a temporary directory. */
export async function startPodman(): Promise<Engine> {
  await using undo = new AsyncDisposableStack();
  const place = await temporary("enroot-podman.", undo);
  await mkdir(join(place, "run"), { mode: 0o700 });
  await Bun.write(
    join(place, "storage.conf"),
    `[storage]\ndriver = "vfs"\ngraphroot = "${place}/graph"\nrootless_storage_path = "${place}/graph"\nrunroot = "${place}/runroot"\n`,
  );
  await own(place);
  const env = { CONTAINERS_STORAGE_CONF: join(place, "storage.conf"), XDG_RUNTIME_DIR: join(place, "run") };
  const all = { ...env, HOME: place, PATH: "/usr/bin:/bin" };
  const run: Run = async (...args) => {
    const result = await start(["podman", ...args], all, { cwd: place }).exited;
    if (result.status !== 0) throw new Error(`podman ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  undo.defer(async () => {
    // The files of other users of its user namespace are for it to delete, and its pause process to end.
    await start(["podman", "unshare", "rm", "-rf", `${place}/graph`, `${place}/runroot`], all, { cwd: place })
      .exited;
    await start(["podman", "system", "migrate"], all, { cwd: place }).exited;
  });
  const configDigest = await fill(run, place, undo);
  const stack = undo.move();
  return {
    scheme: "podman",
    env,
    run,
    content: contentOf(run),
    configDigest,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function temporary(prefix: string, undo: AsyncDisposableStack): Promise<string> {
  const place = await mkdtemp(join(tmpdir(), prefix));
  undo.defer(() => rm(place, { recursive: true, force: true }));
  return place;
}

async function mountsOf(place: string): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const points = table.split("\n").map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${place}/`)).reverse();
}

/** Puts the test images into an engine by way of `load` and `import`. */
async function fill(run: Run, place: string, undo: AsyncDisposableStack): Promise<string> {
  const registry = undo.use(await imageRegistry(["small", "multi"]));
  await load(run, place, `${registry.name}/${images.small}`, images.small);
  await load(run, place, `${registry.name}/test/multi:latest`, images.foreign);
  const tree = join(place, "configured.tar");
  const shell = "s:^bin/busybox$:bin/sh:";
  await host(["tar", "-c", "--file", tree, "--directory=/", "--transform", shell, "bin/busybox"]);
  await chmod(tree, 0o644);
  await run("import", ...configuration.flatMap((line) => ["--change", line]), tree, images.configured);
  await rm(tree);
  const manifest = await host([
    "skopeo",
    "inspect",
    "--raw",
    "--tls-verify=false",
    `docker://${registry.name}/${images.small}`,
  ]);
  const [digest] = /sha256:[0-9a-f]{64}/.exec(manifest.slice(manifest.indexOf('"config"'))) ?? [];
  if (digest === undefined) throw new Error(`No configuration: ${manifest}`);
  return digest;
}

async function load(run: Run, place: string, from: string, name: string): Promise<void> {
  const archive = join(place, "image.tar");
  const copy = ["skopeo", "copy", "--insecure-policy", "--quiet", "--src-tls-verify=false"];
  const arch = name === images.foreign ? [`--override-arch=${foreignArchitecture}`] : [];
  await host([...copy, ...arch, `docker://${from}`, `docker-archive:${archive}:docker.io/${name}`]);
  await chmod(archive, 0o644);
  await run("load", "--quiet", "--input", archive);
  await rm(archive);
}
