# SPDX-License-Identifier: Apache-2.0
# Usage: measure.py TIMES DIRECTORY COMMAND…: runs a command several times and prints as JSON what one run takes: wall
# and CPU seconds, the largest process's memory, and by how much DIRECTORY was larger in between than at the end.
# In Python because its fork is small: a child inherits the peak of the process that starts it.
import json, os, resource, subprocess, sys, threading, time

def size(directory):
    total, stack = 0, [directory]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
        except OSError:
            pass
    return total

class Watch(threading.Thread):
    def __init__(self, directory):
        super().__init__(daemon=True)
        self.directory, self.peak, self.done = directory, 0, threading.Event()

    def run(self):
        while not self.done.wait(0.1):
            self.peak = max(self.peak, size(self.directory))

def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime

times, directory, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
watch = Watch(directory) if directory else None
if watch:
    watch.start()
wall, before, status = time.monotonic(), cpu(), 0
for _ in range(times):
    status = status or subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
wall, used = time.monotonic() - wall, cpu() - before
result = {"status": status, "wall": wall / times, "cpu": used / times, "disk": 0}
result["memory"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
if watch:
    watch.done.set()
    watch.join()
    result["disk"] = max(0, watch.peak - size(directory))
json.dump(result, sys.stdout)
