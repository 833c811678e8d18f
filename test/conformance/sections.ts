// SPDX-License-Identifier: Apache-2.0
// Which part of what users rely on each file of this suite is about.

/** Parts by number. */
export const titles: Readonly<Record<number, string>> = {
  1: "command line",
  2: "configuration",
  3: "image format",
  4: "start",
  5: "registries",
  9: "bundles",
};

const sections: readonly (readonly [section: number, files: RegExp])[] = [
  [1, /^(cli|create|errors-containers|export|list|load|remove|surroundings)\b/],
  [2, /^(config|settings)\b/],
  [3, /^(hostile-image|image-format|import|import-oracle|import-interrupted)\b/],
  [4, /^(batch|exec|gpu|hooks|start|signals)/],
  [5, /^(engines|errors-import|registry)/],
  [9, /^bundle\b/],
];

/** The part that a file is about. @throws Error when this table does not know the file */
export function sectionOf(file: string): number {
  const name = file.replace(/^.*\//, "");
  const section = sections.find(([, files]) => files.test(name))?.[0];
  if (section === undefined) throw new Error(`${name} is in no section: add it to ${import.meta.path}`);
  return section;
}
