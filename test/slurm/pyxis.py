#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the Slurm plug-in pyxis does to processes, on request: one JSON object a line in, one a line out.

It stands for slurmstepd and for the tasks of a step, already as the job's user. The tests decide what is called.
"""
import ctypes
import json
import os
import signal
import stat
import sys
import warnings  # os.execvpe needs it where a container has no Python any more.

del warnings
LIBC = ctypes.CDLL(None, use_errno=True)
SECCOMP_ALLOW = 0x7FFF0000
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
# What slurmstepd has blocked while it lists, exports and removes.
BLOCKED = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE,
           signal.SIGALRM, signal.SIGTERM, signal.SIGTSTP]
logs = {}


def become_child(request, output):
    """The descriptors, signals and out-of-memory score that a child of the plug-in has."""
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("0")
    os.chdir(request.get("cwd", "."))
    from_daemon = request.get("daemon", False)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN if from_daemon else signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, BLOCKED if from_daemon else [])


def spawn(request):
    """Starts a program found through PATH, as import, create, start and the rest are."""
    log = os.memfd_create("enroot-log", os.MFD_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            become_child(request, log)
            os.execvpe(request["argv"][0], request["argv"], request["env"])
        finally:
            os._exit(1)
    logs[pid] = log
    return {"pid": pid}


def wait(request):
    """One waitpid; a stop counts as an end only for the start of a container."""
    pid = request["pid"]
    _, status = os.waitpid(pid, os.WUNTRACED if request.get("untraced") else 0)
    for path in request.get("unlink", []):
        os.unlink(path)
    size = os.fstat(logs[pid]).st_size
    answer = {"log": os.pread(logs[pid], size, 0).decode(), "status": None, "signal": None, "stopped": None}
    if os.WIFSTOPPED(status):
        answer["stopped"] = signal.Signals(os.WSTOPSIG(status)).name
    elif os.WIFSIGNALED(status):
        answer["signal"] = signal.Signals(os.WTERMSIG(status)).name
    else:
        answer["status"] = os.WEXITSTATUS(status)
    return answer


def send(request):
    os.kill(request["pid"], signal.Signals[request["signal"]])
    return {}


def inode(path):
    return os.stat(path).st_ino


def namespaces_to_join(pid):
    """In the order in which the plug-in joins them; the last three only when they are not the caller's."""
    wanted = ["user"]
    if os.path.exists(f"/proc/{pid}/ns/cgroup"):
        wanted.append("cgroup")
    wanted.append("mnt")
    wanted += [kind for kind in ("ipc", "uts", "net") if inode(f"/proc/{pid}/ns/{kind}") != inode(f"/proc/self/ns/{kind}")]
    return wanted


def variables_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        entries = [entry.decode() for entry in file.read().split(b"\0") if b"=" in entry]
    return [tuple(entry.split("=", 1)) for entry in entries]


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_uint16), ("filter", ctypes.POINTER(Instruction))]


def filter_system_calls():
    """A filter without PR_SET_NO_NEW_PRIVS, which takes the capabilities that joining has given."""
    program = Program(1, ctypes.pointer(Instruction(0x06, 0, 0, SECCOMP_ALLOW)))
    check(LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0), "seccomp")


def enter(request, joined):
    """A task of the step: into the namespaces, to the working directory, with the environment of the started one."""
    started = request.get("started", request["pid"])
    pid = request["pid"]
    descriptors = [(kind, os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)) for kind in joined]
    directory = os.readlink(f"/proc/{started}/cwd")
    environment = {key: value for key, value in request["env"].items() if key not in ("LANG", "LANGUAGE", "LC_ALL")}
    for key, value in variables_of(started):
        if key not in request.get("kept", []):
            environment[key] = value
    for kind, descriptor in descriptors:
        check(LIBC.setns(descriptor, 0), f"setns {kind}")
    os.chdir(request.get("workdir") or directory)
    filter_system_calls()
    return environment


def join(request):
    """Runs a command as a task in a container and returns what it prints, with the namespaces joined."""
    joined = namespaces_to_join(request["pid"])
    log = os.memfd_create("task")
    pid = os.fork()
    if pid == 0:
        try:
            environment = enter(request, joined)
            null = os.open("/dev/null", os.O_RDWR)
            for source, target in ((null, 0), (log, 1), (log, 2)):
                os.dup2(source, target)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvpe(request["argv"][0], request["argv"], environment)
        except Exception as error:
            os.write(log, f"{error!r}\n".encode())
        finally:
            os._exit(101)
    logs[pid] = log
    return {"pid": pid, "joined": joined}


def look(request):
    """What is read of a started process from outside."""
    pid = request["pid"]
    with open(f"/proc/{pid}/uid_map") as file:
        uid_map = file.read().split()
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {
        "cwd": os.readlink(f"/proc/{pid}/cwd"),
        "environ": dict(variables_of(pid)),
        "owner": os.stat(f"/proc/{pid}").st_uid,
        "parent": int(status["PPid"]),
        "uidMap": uid_map,
        "separate": [kind for kind in os.listdir(f"/proc/{pid}/ns")
                     if inode(f"/proc/{pid}/ns/{kind}") != inode(f"/proc/self/ns/{kind}")],
        "sockets": [fd for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2
                    and not stat.S_ISCHR(os.stat(f"/proc/{pid}/fd/{fd}").st_mode)],
    }


REQUESTS = {"spawn": spawn, "wait": wait, "send": send, "join": join, "look": look}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = REQUESTS[request["do"]](request)
        except OSError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
