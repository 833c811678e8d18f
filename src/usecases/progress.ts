// SPDX-License-Identifier: Apache-2.0
// How far an import is: one line that is written over on a terminal, a line every few seconds elsewhere.
import { log } from "../log.ts";
import type { Progress } from "../registry/source.ts";
import { isTerminal, terminalWidth, writeTerminal } from "../system/terminal.ts";

/** Shows what is fetched, and after that how much of it is written. */
export interface ProgressDisplay {
  readonly fetched: (progress: Progress) => void;
  readonly written: (progress: Progress) => void;
  /** Takes the line away from a terminal. */
  finish(): void;
}

/** Milliseconds between two lines: on a terminal, and elsewhere. */
const intervals = { terminal: 100, plain: 5000 } as const;

/** `1.5 GB`: decimal units, as transfer rates have them. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** `1:02:03`, `2:03` or `3s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** One line about work that has taken so many seconds. */
export function describeProgress(progress: Progress, seconds: number): string {
  const { bytesDone, bytesTotal, layersDone, layersTotal } = progress;
  const rate = seconds > 0 ? bytesDone / seconds : 0;
  const left = rate > 0 ? `, ${formatDuration((bytesTotal - bytesDone) / rate)} left` : "";
  const percent = bytesTotal > 0 ? Math.floor((100 * bytesDone) / bytesTotal) : 100;
  const bytes = `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)} (${percent}%)`;
  return `${layersDone}/${layersTotal} layers, ${bytes}, ${formatBytes(rate)}/s${left}`;
}

/** Where lines go: a terminal, or the log. */
export interface ProgressOutput {
  /** Columns of the terminal; undefined: the log. */
  readonly width: number | undefined;
  readonly now: () => number;
  write(text: string): void;
}

function standardOutput(): ProgressOutput {
  if (!isTerminal()) return { width: undefined, now: Date.now, write: log.info };
  return { width: terminalWidth(), now: Date.now, write: writeTerminal };
}

/** Starts a display. */
export function openProgress(output: ProgressOutput = standardOutput()): ProgressDisplay {
  const { width, now, write } = output;
  const interval = width === undefined ? intervals.plain : intervals.terminal;
  let last = now();
  let shown = false;
  let fetching = false;

  const show = (what: string, progress: Progress, started: number): void => {
    const time = now();
    if (time - last < interval) return;
    last = time;
    const line = `${what} ${describeProgress(progress, (time - started) / 1000)}`;
    // The cursor waits at the start of the line, so a message that comes in between begins there.
    if (width === undefined) write(line);
    else write(`\x1b[K${line.slice(0, width - 1)}\r`);
    shown = true;
  };
  let fetchStart: number | undefined;
  let writeStart: number | undefined;
  return {
    fetched: (progress) => {
      fetchStart ??= now();
      fetching = progress.bytesDone < progress.bytesTotal;
      show("Fetching", progress, fetchStart);
    },
    written: (progress) => {
      writeStart ??= now();
      if (!fetching) show("Writing", progress, writeStart);
    },
    finish: () => {
      if (shown && width !== undefined) write("\x1b[K");
      shown = false;
    },
  };
}
