// SPDX-License-Identifier: Apache-2.0
// Usage: bun scripts/completions.ts DIRECTORY: makes the completions of bash, zsh and fish from the table of commands, as
// DIRECTORY/{enroot.bash,_enroot,enroot.fish}.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandSpec, OptionSpec } from "../src/cli/command.ts";
import { table } from "../src/cli/table.ts";

interface Command {
  readonly spec: CommandSpec;
  readonly summary: string;
}

/** What can stand somewhere: the shells' functions of these names complete it. */
type Kind =
  | "container"
  | "file"
  | "image"
  | "uri"
  | "pid"
  | "arch"
  | "format"
  | "archive"
  | "variable"
  | "none";

const help: OptionSpec = { short: "h", long: "help", text: "Show this text" };

function optionsOf({ spec }: Command): readonly OptionSpec[] {
  return [...spec.options, help];
}

/** What an option's value is, by its name in the usage. */
function valueKind({ value = "", text }: OptionSpec): Kind {
  if (/^(CONFIG|SCRIPT|FILE|DIR)/.test(value)) return "file";
  if (value === "ARCH") return "arch";
  if (value === "FORMAT") return text.startsWith("pointer") ? "format" : "archive";
  return value.startsWith("KEY") ? "variable" : "none";
}

/** What the first operand is, by its name in the usage. */
function operandKind({ spec }: Command): Kind {
  const [first = ""] = spec.operands.split(/[ .]/);
  if (first === "NAME|IMAGE") return "image";
  if (first === "NAME") return "container";
  if (first === "URI") return "uri";
  if (first === "PID") return "pid";
  return first === "" ? "none" : "file";
}

/** Whether there can be more operands of the same kind. */
const repeats = ({ spec }: Command): boolean => /^\w+\.\.\./.test(spec.operands);

/** Whether what follows the first operand is a command of the container, to be left alone. */
const runsCommand = ({ spec }: Command): boolean => spec.operands.includes("COMMAND");

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const words = ({ short, long }: OptionSpec): readonly string[] => [
  ...(short === undefined ? [] : [`-${short}`]),
  `--${long}`,
];

const bashHead = `# bash completion for enroot; made from its table of commands.

# Lines that begin with a prefix. Not "compgen -W", which would evaluate what a name holds.
_enroot_lines() {
    local line
    while IFS= read -r line; do
        [[ $line != "$1"* ]] || COMPREPLY+=("$line")
    done
}

_enroot_kind() {
    local cur=$2
    case $1 in container | image) _enroot_lines "$cur" < <(enroot list 2> /dev/null) ;; esac
    case $1 in
        file | image) _enroot_lines "$cur" < <(compgen -f -- "$cur") ;;
        uri) _enroot_lines "$cur" < <(printf '%s\\n' docker:// dockerd:// podman://) ;;
        pid) _enroot_lines "$cur" < <(enroot list --fancy 2> /dev/null | grep -oE '^[^ ]* +[0-9]+' | grep -oE '[0-9]+$') ;;
        arch) _enroot_lines "$cur" < <(printf '%s\\n' amd64 arm64 ppc64le) ;;
        format) _enroot_lines "$cur" < <(printf '%s\\n' pointer squashfs) ;;
        archive) _enroot_lines "$cur" < <(printf '%s\\n' sqsh zfs) ;;
        variable) _enroot_lines "$cur" < <(compgen -e) ;;
    esac
    case $1 in file | image) compopt -o filenames ;; uri) compopt -o nospace ;; esac
}

_enroot() {
    local cur command options valued kind rest operands=0 value='' word i
    COMPREPLY=()
    # A colon parts words for bash, but no operand of ours.
    if declare -F _get_comp_words_by_ref > /dev/null; then
        local words cword
        _get_comp_words_by_ref -n := cur words cword
    else
        local words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD
        cur=\${words[cword]}
    fi
`;

function bash(commands: readonly Command[]): string {
  const names = commands.map(({ spec }) => spec.name).join(" ");
  const cases = commands.map((command) => {
    const all = optionsOf(command);
    const valued = all.filter(({ value }) => value !== undefined);
    const values = valued.flatMap((option) => words(option).map((word) => `${word}=${valueKind(option)}`));
    const rest = runsCommand(command) ? "command" : repeats(command) ? "same" : "none";
    return `        ${command.spec.name}) options='${all.flatMap(words).join(" ")}' valued=' ${values.join(" ")} ' kind=${operandKind(command)} rest=${rest} ;;`;
  });
  return `${bashHead}    if [ "$cword" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W '${names} --help --version' -- "$cur")
        return
    fi
    command=\${words[1]}
    case $command in
${cases.join("\n")}
        *) return ;;
    esac
    for ((i = 2; i < cword; i++)); do
        word=\${words[i]}
        if [ -n "$value" ]; then value=''; continue; fi
        if [ "$operands" = 0 ] && [[ $word == -?* && $word != -- ]]; then
            [[ $valued != *" $word="* ]] || value=$word
        elif [ "$word" != -- ]; then
            operands=$((operands + 1))
        fi
    done
    if [ -n "$value" ]; then
        value=\${valued##* "$value"=}
        _enroot_kind "\${value%% *}" "$cur"
    elif [ "$operands" = 0 ] && [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    elif [ "$operands" = 0 ] || [ "$rest" = same ]; then
        _enroot_kind "$kind" "$cur"
    elif [ "$rest" = command ]; then
        _enroot_kind file "$cur"
    fi
    if declare -F __ltrim_colon_completions > /dev/null; then __ltrim_colon_completions "$cur"; fi
}

complete -F _enroot enroot
`;
}

const zshActions: Readonly<Record<Kind, string>> = {
  container: "_enroot_containers",
  image: "_enroot_images",
  file: "_files",
  uri: "_enroot_uris",
  pid: "_enroot_pids",
  arch: "(amd64 arm64 ppc64le)",
  format: "(pointer squashfs)",
  archive: "(sqsh zfs)",
  variable: "_parameters -g '*export*'",
  none: "",
};

const zshHead = `#compdef enroot
# zsh completion for enroot; made from its table of commands.

_enroot_containers() { local -a names=(\${(f)"$(enroot list 2> /dev/null)"}); compadd -a names }
_enroot_images() { _enroot_containers; _files }
_enroot_uris() { compadd -S '' docker:// dockerd:// podman:// }
_enroot_pids() { compadd \${(f)"$(enroot list --fancy 2> /dev/null | grep -oE '^[^ ]* +[0-9]+' | grep -oE '[0-9]+$')"} }
`;

function zshOption(option: OptionSpec): string {
  const names = words(option);
  // Of an option with one name there is nothing to exclude; values may follow "=".
  const many = option.value !== undefined && /\b(env|mount)\b/.test(option.long);
  const exclude = many ? "*" : `(${names.join(" ")})`;
  const text = option.text.replaceAll(/[[\]:]/g, "\\$&");
  const value =
    option.value === undefined
      ? ""
      : `:${option.value.replaceAll(/[[\]:]/g, "\\$&")}:${zshActions[valueKind(option)]}`;
  return names
    .map((name) => {
      const equals = option.value === undefined ? "" : name.startsWith("--") ? "=" : "+";
      return quoted(`${exclude}${name}${equals}[${text}]${value}`);
    })
    .join(" ");
}

function zsh(commands: readonly Command[]): string {
  const summaries = commands.map(({ spec, summary }) => `      ${quoted(`${spec.name}:${summary}`)}`);
  const cases = commands.map((command) => {
    const kind = operandKind(command);
    const first =
      kind === "none" ? [] : [quoted(`${repeats(command) ? "*" : "1"}:operand:${zshActions[kind]}`)];
    const rest = runsCommand(command) ? [quoted("*::command:_files")] : [];
    const all = [...optionsOf(command).map(zshOption), ...first, ...rest];
    return `    ${command.spec.name}) _arguments -s -S -A '-*' ${all.join(" \\\n      ")} ;;`;
  });
  return `${zshHead}
_enroot() {
  local -a commands
  if (( CURRENT == 2 )); then
    commands=(
${summaries.join("\n")}
    )
    _describe -t commands 'enroot command' commands
    return
  fi
  local command=\${words[2]}
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}

_enroot "$@"
`;
}

const fishActions: Readonly<Record<Kind, string>> = {
  container: "-f -a '(enroot list 2> /dev/null)'",
  image: "-a '(enroot list 2> /dev/null)'",
  file: "-F",
  uri: "-f -a 'docker:// dockerd:// podman://'",
  pid: "-f -a \"(enroot list --fancy 2> /dev/null | string match -rg '^\\S* +(\\d+)')\"",
  arch: "-f -a 'amd64 arm64 ppc64le'",
  format: "-f -a 'pointer squashfs'",
  archive: "-f -a 'sqsh zfs'",
  variable: "-f -a '(set --names --export)'",
  none: "-f",
};

function fishQuoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}

function fish(commands: readonly Command[]): string {
  const lines = commands.flatMap((command) => {
    const { name } = command.spec;
    const here = `complete -c enroot -n '__fish_seen_subcommand_from ${name}'`;
    const options = optionsOf(command).map((option) => {
      const short = option.short === undefined ? "" : ` -s ${option.short}`;
      const value = option.value === undefined ? "" : ` -r ${fishActions[valueKind(option)]}`;
      return `${here}${short} -l ${option.long}${value} -d ${fishQuoted(option.text)}`;
    });
    return [
      `complete -c enroot -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(command.summary)}`,
      `${here} ${fishActions[operandKind(command)]}`,
      ...options,
    ];
  });
  return `# fish completion for enroot; made from its table of commands.\n${lines.join("\n")}\n`;
}

const directory = process.argv[2];
if (directory === undefined) throw new Error("Usage: bun scripts/completions.ts DIRECTORY");
const commands = await Promise.all(
  Object.values(table).map(async ({ summary, load }) => ({ summary, spec: (await load()).spec })),
);
mkdirSync(directory, { recursive: true });
writeFileSync(join(directory, "enroot.bash"), bash(commands));
writeFileSync(join(directory, "_enroot"), zsh(commands));
writeFileSync(join(directory, "enroot.fish"), fish(commands));
