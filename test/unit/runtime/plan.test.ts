// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "bun:test";
import { encodePlan, printPlan, type Step } from "../../../src/runtime/plan.ts";

const steps: Step[] = [
  ["setenv", "NAME", 'a "quoted" value\nof two lines'],
  ["prepare"],
  ["command", "login", "", "--", "é"],
];

test("the launcher reads NUL-terminated strings, empty ones too", () => {
  expect(new TextDecoder().decode(encodePlan(steps))).toBe(
    'enroot-plan 1\0setenv\x002\0NAME\0a "quoted" value\nof two lines\0prepare\x000\0command\x004\0login\0\0--\0é\0',
  );
});

test("people read one step a line", () => {
  expect(printPlan(steps)).toBe(
    'setenv "NAME" "a \\"quoted\\" value\\nof two lines"\nprepare\ncommand "login" "" "--" "é"\n',
  );
});
