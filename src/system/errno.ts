// SPDX-License-Identifier: Apache-2.0
// System errors in words.
const words: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EEXIST: "exists already",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  EROFS: "read-only file system",
  ENAMETOOLONG: "name too long",
  ELOOP: "too many symbolic links",
  EIO: "input/output error",
  EMFILE: "too many open files",
  ENFILE: "too many open files on this machine",
  EBUSY: "in use",
  ENOTEMPTY: "directory not empty",
  EXDEV: "not on the same file system",
  ESTALE: "stale file handle",
  ETXTBSY: "program is being run",
  ENOEXEC: "not a program of this machine",
  ENOMEM: "out of memory",
  ENOTSUP: "not supported here",
  EOPNOTSUPP: "not supported here",
  EFBIG: "file too large",
};

/** The errno name of a system error (`ENOSPC`), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** A system error as a phrase that ends a sentence: `no space left on device`. */
export function describeErrno(error: unknown): string {
  const code = errnoOf(error);
  if (code) return words[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}
