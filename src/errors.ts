// SPDX-License-Identifier: Apache-2.0
// The one error type of the engine. A leaf: imports nothing.

/** What went wrong, in the terms a caller can act on. */
export type ErrorKind =
  /** The command line, a setting or an input file is not of the right form. */
  | "Usage"
  /** Something named does not exist. */
  | "NotFound"
  /** Something to be made is there already. */
  | "Exists"
  /** A registry could not be reached, refused, or answered nonsense. */
  | "Registry"
  /** A program or the system failed, or is missing. */
  | "Tool"
  /** The disk or the quota is full. */
  | "NoSpace"
  /** Data is not what its digest or its format says. */
  | "Corrupt"
  /** Understood, but not possible here. */
  | "Unsupported";

/** What `EnrootError` takes beyond its message. */
export interface ErrorDetails {
  /** What the user can do about it: one sentence, no final period. */
  readonly hint?: string | undefined;
  /** The error underneath. Never printed, except with ENROOT_DEBUG. */
  readonly cause?: unknown;
}

/** Every failure that a user is told about: one line, and a hint where one helps. */
export class EnrootError extends Error {
  override readonly name = "EnrootError";
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.kind = kind;
    this.hint = details.hint;
  }
}
