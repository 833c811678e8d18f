# SPDX-License-Identifier: Apache-2.0
"""Speaks to qemu's monitor: `qmp.py SOCKET save FILE` saves the machine's state and ends it,
`qmp.py SOCKET share SOCKET` waits until the machine runs and plugs the shared directory in."""

import json
import socket
import sys
import time


class Monitor:
    def __init__(self, path):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        self.stream = connection.makefile("rw")
        self.stream.readline()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            line = self.stream.readline()
            if not line:
                sys.exit(f"qemu ended at {command}")
            answer = json.loads(line)
            if "error" in answer:
                sys.exit(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def wait(self, command, *wanted, failed=("failed", "cancelled")):
        while True:
            status = self.call(command).get("status")
            if status in wanted:
                return
            if status in failed:
                sys.exit(f"{command} says {status}")
            time.sleep(0.02)


monitor = Monitor(sys.argv[1])
if sys.argv[2] == "save":
    monitor.call("migrate", uri=f"file:{sys.argv[3]}")
    monitor.wait("query-migrate", "completed")
    monitor.call("quit")
else:
    monitor.wait("query-status", "running")
    backend = {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": sys.argv[3]}}, "server": False}}
    monitor.call("chardev-add", id="share", backend=backend)
    monitor.call("device_add", driver="vhost-user-fs-pci", chardev="share", tag="share", addr="0x10")
