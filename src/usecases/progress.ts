// SPDX-License-Identifier: Apache-2.0
// How far a download is: one line that is written over on a terminal, a line every few seconds elsewhere.
import { log } from "../log.ts";
import type { Progress } from "../registry/source.ts";
import { isTerminal, writeTerminal } from "../system/terminal.ts";

/** Shows a download. */
export interface ProgressDisplay {
  readonly show: (progress: Progress) => void;
  /** Ends the line on a terminal. */
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

/** One line about a download that has taken so many seconds. */
export function describeProgress(progress: Progress, seconds: number): string {
  const { bytesDone, bytesTotal, layersDone, layersTotal } = progress;
  const rate = seconds > 0 ? bytesDone / seconds : 0;
  const left = rate > 0 ? `, ${formatDuration((bytesTotal - bytesDone) / rate)} left` : "";
  const percent = bytesTotal > 0 ? Math.floor((100 * bytesDone) / bytesTotal) : 100;
  const bytes = `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)} (${percent}%)`;
  return `${layersDone}/${layersTotal} layers, ${bytes}, ${formatBytes(rate)}/s${left}`;
}

/** Starts a display. */
export function openProgress(now: () => number = Date.now): ProgressDisplay {
  const terminal = isTerminal();
  const started = now();
  let last = started;
  let open = false;
  return {
    show: (progress) => {
      const time = now();
      const done = progress.bytesDone >= progress.bytesTotal && progress.layersDone === progress.layersTotal;
      if (time - last < (terminal ? intervals.terminal : intervals.plain) && !(terminal && done)) return;
      last = time;
      const line = describeProgress(progress, (time - started) / 1000);
      if (!terminal) return log.info(line);
      writeTerminal(`\r\x1b[K${line}`);
      open = true;
    },
    finish: () => {
      if (open) writeTerminal("\n");
      open = false;
    },
  };
}
