// SPDX-License-Identifier: Apache-2.0
// Where enroot is meant to be better than what it replaces: another enroot need not pass these tests, and each line says
// why. A pattern is matched against "FILE: DESCRIBE > TEST".

/** Tests that say more than scripts could rely on before. */
export interface Improvement {
  readonly tests: RegExp;
  readonly why: string;
}

export const improvements: readonly Improvement[] = [
  {
    tests: /^(errors-|.*: .*(in one line|one clear line|one line|is refused|are refused|refuses ))/,
    why: "what is wrong is told in one line, with what to do",
  },
  {
    tests:
      /fails in one line|says? why|is named|are named|that cannot be|is an error|is told|stops the start/,
    why: "messages name what failed, on what",
  },
  {
    tests: /^gpu\.test\.ts: (CDI|.*(mode|CDI|for hooks alone|absence))/,
    why: "specifications of the Container Device Interface",
  },
  {
    tests: /^gpu\.test\.ts: nvidia-container-cli/,
    why: "nothing of an image becomes a variable of a host program, and no program is looked for in it",
  },
  { tests: /^gpu\.test\.ts: opt-in/, why: "the hooks tested are those of this enroot" },
  {
    tests: /interrupted|without a trace|killed|sweep|cleans up|full disk|disk is full/,
    why: "nothing half-made is left behind, however a command ends",
  },
  {
    tests: /^create\.test\.ts: the name|refused, and nothing is touched/,
    why: "names that list would not show, or that lead elsewhere, are refused",
  },
  {
    tests: /-dash|options after|names that look like options/,
    why: "names that begin with a hyphen are names",
  },
  {
    tests: /device nodes are not made/,
    why: "create makes no device nodes, and their absence is no failure",
  },
  { tests: /links are deleted/, why: "remove deletes the link, and not what it leads to" },
  {
    tests: /programs come from a safe place|PATH that the caller lacks/,
    why: "programs are never taken from the working directory, and PATH may be missing",
  },
  {
    tests:
      /no UTF-8|may have spaces|closed descriptors|hostile surroundings|Slurm epilog|read-only file system/,
    why: "odd surroundings do not stop a command",
  },
  {
    tests: /^config\.test\.ts: (directories|what is wrong|files in every)/,
    why: "the configuration is checked, and what is wrong in it named",
  },
  {
    tests: /^exec\.test\.ts: (--env|the command gets|a negative|in namespaces of its own)/,
    why: "exec passes values of several lines, gives no privileges, and its terminal-less stand-in ends",
  },
  {
    tests: /^export\.test\.ts: (a file that|a directory|an unknown|the other)/,
    why: "export reads everything or says what it could not read",
  },
  {
    tests: /zstd|oracle|mixed|plain|what umoci|one digest|same bytes/,
    why: "images are compressed by zstd, reproducible, and of any mixture of layers",
  },
  {
    tests: /^hostile-image\.test\.ts/,
    why: "files of an image cannot make a start wait, or write outside of it",
  },
  { tests: /^load\.test\.ts/, why: "load gives exactly what import and create give, without an overlay" },
  { tests: /^list\.test\.ts: processes/, why: "rows cannot be forged, and links to a store are that store" },
  {
    tests: /shadow >|home >|localtime|logging in|aptfix/,
    why: "stock hooks cope with accounts, homes and time zones that are missing or odd",
  },
  {
    tests: /small \/dev|--ipc|ipc namespace|UNSHARE_IPC|all at once|--net|net namespace|UNSHARE_NET|cgroups/,
    why: "hosts without /dev/log, or with cgroup hierarchies of version 1, do not stop a start",
  },
  {
    tests: /configuration script > (read from|has the functions|a failing|is checked)|--rc takes/,
    why: "configuration scripts may be pipes and descriptors, and their failures are told",
  },
  {
    tests: /nothing of the caller's|lines that are no variables|environment beats/,
    why: "the container's environment is exact",
  },
  {
    tests: /two starts|start with its status|a hook that fails|what a hook finds|coloured|terminal/,
    why: "output is that of the command alone, on terminals too",
  },
  {
    tests:
      /registry-auth|the cache|the default name|the image's configuration|two at once|options >|a container from a registry/,
    why: "registries as they are: anonymous, Basic and token authentication, aliases, a cache that is not trusted",
  },
  { tests: /^(surroundings|signals)/, why: "odd surroundings do not stop a command" },
  { tests: /version|info shows|SOURCE_DATE_EPOCH|is the same each time/, why: "this enroot's own" },
  {
    tests: /^bundle/,
    why: "bundles pass signals on, leave nothing behind, and need no program that a minimal system lacks",
  },
];
