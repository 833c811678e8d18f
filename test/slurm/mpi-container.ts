// SPDX-License-Identifier: Apache-2.0
// A container with a program of Debian's MPICH, and an installation that has the hook for Slurm's process manager.
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { container, own } from "../conformance/container.ts";
import { installation } from "../conformance/installation.ts";
import { host, projectDirectory, type Sandbox } from "../harness/index.ts";

const program = `#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv) {
    int rank, size, sum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int mine = rank + 1;
    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("rank %d of %d sum %d\\n", rank, size, sum);
    return MPI_Finalize();
}
`;

/** Makes the container "mpi" with /hello, which adds up over all tasks; returns the enroot to start it with. */
export async function mpiContainer(box: Sandbox): Promise<string> {
  const { rootfs } = await container(box, {}, "mpi");
  const source = join(box.root, "hello.c");
  await writeFile(source, program);
  await host(["mpicc.mpich", "-o", join(rootfs, "hello"), source]);
  for (const library of await librariesOf(join(rootfs, "hello"))) {
    await mkdir(join(rootfs, dirname(library)), { recursive: true });
    await copyFile(library, join(rootfs, library));
  }
  await own(rootfs);
  const hook = await Bun.file(join(projectDirectory, "packaging/extra/hooks.d/50-slurm-pmi.sh")).text();
  const { sysconf } = await installation(box, { "hooks.d/50-slurm-pmi.sh": hook });
  await host(["chmod", "-R", "a+rX", sysconf]);
  await host(["chmod", "755", join(sysconf, "hooks.d/50-slurm-pmi.sh")]);
  return join(dirname(dirname(sysconf)), "enroot");
}

async function librariesOf(path: string): Promise<string[]> {
  return [...(await host(["ldd", path])).matchAll(/\/\S+(?= \(0x)/g)].map(([library]) => library);
}
