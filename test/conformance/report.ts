// SPDX-License-Identifier: Apache-2.0
// Usage: bun test/conformance/report.ts REPORT.xml
// Prints what a run of this suite came to, section by section, and what failed or was skipped (see improvement.ts, which
// says why in the name). Ends with the counts as one line: PASSED FAILED SKIPPED.

import { sectionOf, titles } from "./sections.ts";

type Outcome = "passed" | "failed" | "skipped";

interface Case {
  readonly section: number;
  readonly name: string;
  readonly outcome: Outcome;
}

function decoded(text: string): string {
  const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(#x?[0-9a-f]+|\w+);/gi, (_, name: string) => {
    if (!name.startsWith("#")) return entities[name] ?? "";
    return String.fromCodePoint(Number(name.replace(/^#x?/, (mark) => (mark === "#" ? "" : "0x"))));
  });
}

function casesOf(report: string): Case[] {
  const element =
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]* file="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  return [...report.matchAll(element)].map(([, test = "", group = "", file = "", body = ""]) => {
    const parts = [decoded(group), decoded(test)].filter((part) => part !== "");
    const name = `${file.replace(/^.*\//, "")}: ${parts.join(" > ")}`;
    const outcome = /<failure/.test(body) ? "failed" : /<skipped/.test(body) ? "skipped" : "passed";
    return { section: sectionOf(file), name, outcome };
  });
}

function count(cases: readonly Case[], outcome: Outcome): number {
  return cases.filter((one) => one.outcome === outcome).length;
}

function row(title: string, cases: readonly Case[]): string {
  const numbers = (["passed", "failed", "skipped"] as const).map((outcome) =>
    String(count(cases, outcome)).padStart(8),
  );
  return `${title.padEnd(20)}${numbers.join("")}`;
}

const [path = ""] = process.argv.slice(2);
const cases = casesOf(await Bun.file(path).text());
console.log(
  `${"section".padEnd(20)}${["passed", "failed", "skipped"].map((word) => word.padStart(8)).join("")}`,
);
for (const [section, title] of Object.entries(titles)) {
  console.log(
    row(
      `${section} ${title}`,
      cases.filter((one) => one.section === Number(section)),
    ),
  );
}
console.log(row("all", cases));
for (const wanted of ["failed", "skipped"] as const)
  for (const { name, outcome } of cases) if (outcome === wanted) console.log(`${wanted.padEnd(9)}${name}`);
console.log([count(cases, "passed"), count(cases, "failed"), count(cases, "skipped")].join(" "));
