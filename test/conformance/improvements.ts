// SPDX-License-Identifier: Apache-2.0
// Where enroot is meant to be better than what it replaces: another enroot need not pass these tests, each of which bash
// enroot 4.1.2 was seen to fail, and the lines say why.

/** Tests of a file, by their full names, and why another enroot need not pass them. */
export interface Improvement {
  readonly file: string;
  readonly why: string;
  readonly tests: readonly string[];
}

export const improvements: readonly Improvement[] = [
  {
    file: "export.test.ts",
    why: "export leaves nothing half-made, keeps the old image, and says what it could not read",
    tests: [
      "SIGHUP ends it without a trace",
      "SIGINT ends it without a trace",
      "SIGTERM ends it without a trace",
      "a directory instead of a file is refused and leaves nothing",
      "a file that cannot be read is named, and the old image stays",
      "an unknown format is refused and leaves nothing",
      "devices, mount points, the lock and a bundle's directory stay out",
      "the other store's format is refused and leaves nothing",
    ],
  },
  {
    file: "export.test.ts",
    why: "images are compressed by zstd",
    tests: ["the file > is NAME.sqsh here unless another is wanted, of root, zstd"],
  },
  {
    file: "gpu.test.ts",
    why: "devices by specifications of the Container Device Interface, and refusals that say what to install",
    tests: [
      "CDI > 0",
      "CDI > 0,GPU-1:2",
      "CDI > GPU-1:2",
      "CDI > a device that no specification has goes to the CLI, and a mode forces either",
      "CDI > a specification with a device without a name is refused in one line",
      "CDI > a specification with a line break is refused in one line",
      "CDI > a specification with a relative path is refused in one line",
      "CDI > a specification with a variable without a name is refused in one line",
      "CDI > a specification with no JSON is refused in one line",
      "CDI > a specification with no kind is refused in one line",
      "CDI > all",
      "CDI > hooks of the specification run on the host with the container's state",
      "CDI > mounts of a specification cannot leave the container",
      "CDI > nvidia.com/gpu=0",
      "CDI > of two directories the later one counts, and within one a device stands once",
      "CDI > specifications may be YAML, and AMD's devices come the same way",
      "nvidia-container-cli > CDI without a specification stops the start",
      "nvidia-container-cli > an unknown mode stops the start",
      "nvidia-container-cli > its absence is told with what to install",
      "what is for hooks alone is refused elsewhere",
    ],
  },
  {
    file: "gpu.test.ts",
    why: "nothing of an image becomes a variable of a host program, and no program is looked for in it",
    tests: [
      "nvidia-container-cli > MIG",
      "nvidia-container-cli > all capabilities",
      "nvidia-container-cli > all devices",
      "nvidia-container-cli > an InfiniBand device that is not there stops the start",
      "nvidia-container-cli > an option",
      "nvidia-container-cli > capabilities",
      "nvidia-container-cli > gets nothing of the image but what is asked for it",
      "nvidia-container-cli > no devices, but the driver",
      "nvidia-container-cli > no requirements",
      "nvidia-container-cli > requirements",
      "nvidia-container-cli > some",
      "nvidia-container-cli > the last of several lines",
    ],
  },
  {
    file: "hooks-stock.test.ts",
    why: "accounts, homes and cgroups that are missing or odd are no obstacle, and nothing is written twice",
    tests: [
      "a root file system on a read-only file system > starts in silence when it was started before",
      "a root file system on a read-only file system > starts with warnings when everything that is mounted upon is there",
      'cgroups > every hierarchy is read-only, with {"SLURM_STEP_ID":"0"}',
      "home > may have spaces in its name, or come from the host's passwd",
      "shadow > a caller that no database knows, known to the environment",
      "shadow > a caller that no database knows, not known at all",
      "shadow > a caller that no database knows, who calls himself root",
      "shadow > a home from the skeleton, with the container's umask",
      "shadow > a second start changes nothing",
      "shadow > root, nobody and the caller come first, and _apt goes",
      "shadow > the caller's shell when the container has it, else that of useradd, else sh",
    ],
  },
  {
    file: "hostile-image.test.ts",
    why: "files of an image cannot make a start wait, or write outside of it",
    tests: [
      "/.lock that is no file does not make the start wait",
      "/etc/group that is no file does not make the start wait",
      "/etc/login.defs that is no file does not make the start wait",
      "/etc/passwd that is no file does not make the start wait",
      "a directory as a link > /etc/apt",
      "a directory as a link > /etc/apt/apt.conf.d",
      "a directory that becomes a link to the host, and back, all the while",
      "a file as a link > /.lock",
      "a file as a link > /etc/apt/apt.conf.d/enroot",
    ],
  },
];
