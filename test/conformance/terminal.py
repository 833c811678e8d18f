# SPDX-License-Identifier: Apache-2.0
"""Usage: terminal.py SCRIPT COMMAND ARG...

Runs COMMAND on a terminal of its own, 80 columns by 24 lines, and writes what it shows. SCRIPT is a list of steps that
are separated by semicolons: `wait TEXT` (until TEXT has been shown), `type TEXT` (\\n and \\x03 are understood), `size
COLUMNSxLINES`, and at the end `hang up` (the terminal goes away). Ends with the command's status, or 128 and the number
of the signal that ended it."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time


def resize(descriptor: int, columns: int, lines: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def ended(child: int) -> int:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 128 - status if status < 0 else status


def main() -> int:
    steps = [step.strip().split(" ", 1) for step in sys.argv[1].split(";") if step.strip()]
    child, terminal = pty.fork()
    if child == 0:
        resize(0, 80, 24)
        os.execvp(sys.argv[2], sys.argv[2:])
    shown = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        while steps:
            word, text = steps[0]
            data = text.encode().decode("unicode_escape").encode("latin-1")
            if word == "wait":
                at = shown.find(data)
                if at < 0:
                    break
                sys.stdout.buffer.write(shown[: at + len(data)])
                shown = shown[at + len(data) :]
            elif word == "type":
                os.write(terminal, data)
            elif word == "hang":
                os.close(terminal)
                return ended(child)
            else:
                columns, lines = re.fullmatch(r"(\d+)x(\d+)", text).groups()
                resize(terminal, int(columns), int(lines))
            steps.pop(0)
        readable, _, _ = select.select([terminal], [], [], 1)
        if not readable:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    sys.stdout.buffer.write(shown)
    if steps:
        sys.stderr.write(f"never came: {steps[0]}\n")
    return ended(child)


sys.exit(main())
