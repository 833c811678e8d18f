// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "bun:test";
import {
  describeProgress,
  formatBytes,
  formatDuration,
  openProgress,
} from "../../../src/usecases/progress.ts";

test("sizes in decimal units", () => {
  const sizes = {
    0: "0 B",
    999: "999 B",
    1500: "1.5 kB",
    123456789: "123 MB",
    5e12: "5.0 TB",
    5e15: "5000 TB",
  };
  for (const [bytes, text] of Object.entries(sizes)) expect(formatBytes(Number(bytes))).toBe(text);
});

test("durations", () => {
  const durations = { 0: "0s", 59: "59s", 60: "1:00", 3599: "59:59", 3723: "1:02:03" };
  for (const [seconds, text] of Object.entries(durations)) expect(formatDuration(Number(seconds))).toBe(text);
});

test("a line says how much is done, how fast, and how long it takes", () => {
  const progress = { bytesDone: 25e6, bytesTotal: 100e6, layersDone: 1, layersTotal: 4 };
  expect(describeProgress(progress, 5)).toBe("1/4 layers, 25.0 MB of 100 MB (25%), 5.0 MB/s, 15s left");
  expect(describeProgress({ ...progress, bytesDone: 0, bytesTotal: 0 }, 0)).toBe(
    "1/4 layers, 0 B of 0 B (100%), 0 B/s",
  );
});

describe("a display", () => {
  const at = (bytesDone: number) => ({ bytesDone, bytesTotal: 100, layersDone: 0, layersTotal: 2 });
  function display(width: number | undefined) {
    const lines: string[] = [];
    let time = 0;
    const output = { width, now: () => time, write: (text: string) => void lines.push(text) };
    return {
      lines,
      progress: openProgress(output),
      after: (milliseconds: number): void => {
        time += milliseconds;
      },
    };
  }

  test("that is no terminal gets a line every few seconds, and none for what is quick", () => {
    const { lines, progress, after } = display(undefined);
    progress.fetched(at(1));
    after(4000);
    progress.fetched(at(2));
    expect(lines).toEqual([]);
    after(2000);
    progress.fetched(at(50));
    progress.fetched(at(51));
    expect(lines).toEqual(["Fetching 0/2 layers, 50 B of 100 B (50%), 8 B/s, 6s left"]);
    progress.finish();
    expect(lines.length).toBe(1);
  });

  test("that is a terminal has one line, within its width, gone at the end", () => {
    const { lines, progress, after } = display(30);
    progress.fetched(at(1));
    after(1000);
    progress.fetched(at(10));
    expect(lines).toEqual([`\x1b[KFetching 0/2 layers, 10 B of \r`]);
    progress.finish();
    expect(lines[1]).toBe("\x1b[K");
  });

  test("what is written shows once everything is fetched", () => {
    const { lines, progress, after } = display(undefined);
    progress.fetched(at(10));
    after(6000);
    progress.written(at(5));
    expect(lines).toEqual([]);
    progress.fetched(at(100));
    after(6000);
    progress.written(at(50));
    expect(lines.map((line) => line.split(" ")[0])).toEqual(["Fetching", "Writing"]);
  });
});
