"""Processes that begin with the program imported and its document made, forked from one that waits.

Each is a process of its own, in a folder, an environment and a session of its own, and runs what
`python -m …` or `python -c …` would; only the second of a processor that importing takes is saved,
for hundreds of them in a run. What a fresh interpreter imports is for `subprocess` to show.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRELOADED = (
    *("contactapp.cli", "contactapp.worker", "flask_migrate", "alembic.command", "psycopg"),
    *("gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "contactapp.libpq"),
)
_MOST = 2**17  # bytes of a request


class Process:
    """What subprocess.Popen gives, as far as tests use it; text, where a stream is a pipe.

    `command` is (python, "-m" or "-c", module or code, *arguments).
    """

    def __init__(
        self, command, cwd, env, stdin=subprocess.DEVNULL, stdout=None, stderr=None, session=False
    ):
        self.args, self.returncode = command, None
        theirs, self.stdin = _end(stdin, reading=True)
        out, self.stdout = _end(stdout, reading=False)
        err, self.stderr = _end(stderr, reading=False)
        told, tells = os.pipe()
        self._told = os.fdopen(told, "rb", buffering=0)
        request = {"command": command[1:], "cwd": str(cwd), "env": env, "session": session}
        socket.send_fds(_zygote(), [json.dumps(request).encode()], [theirs, out, err, tells])
        for mine in (theirs, out, err, tells):
            os.close(mine)
        self.pid = int(self._line())

    def poll(self):
        """The exit code, None while it runs."""
        return self._ended(0)

    def wait(self, timeout=None):
        """The exit code, when it has ended."""
        if self._ended(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number):
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self):
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, given=None, timeout=None):
        """Give it this, and wait for its end: (standard output, standard error)."""
        if self.stdin and not self.stdin.closed:
            try:
                self.stdin.write(given or "")
                self.stdin.close()
            except BrokenPipeError:
                pass
        found = {}
        readers = [
            threading.Thread(target=lambda n=name, s=stream: found.update({n: s.read()}))
            for name, stream in (("out", self.stdout), ("err", self.stderr))
            if stream and not stream.closed
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()
        return found.get("out"), found.get("err")

    def _ended(self, timeout):
        if self.returncode is None and self._is_told(timeout):
            self.returncode = os.waitstatus_to_exitcode(int(self._line()))
            self._told.close()
        return self.returncode

    def _is_told(self, timeout):
        waiting = select.poll()  # select() takes no number above 1023, and a long run has more
        waiting.register(self._told, select.POLLIN | select.POLLHUP)
        return waiting.poll(None if timeout is None else 1000 * timeout)

    def _line(self):
        text = b""
        while not text.endswith(b"\n"):
            part = self._told.read(1)
            assert part, "the zygote has ended"
            text += part
        return text


def _end(wanted, *, reading):
    """The file descriptor of its end of a stream, and ours where it is a pipe."""
    if wanted == subprocess.PIPE:
        reads, writes = os.pipe()
        if reading:
            return reads, os.fdopen(writes, "w", encoding="utf-8")
        return writes, os.fdopen(reads, encoding="utf-8")
    if wanted == subprocess.DEVNULL or wanted is None:
        return os.open(os.devnull, os.O_RDWR), None
    return os.dup(wanted.fileno()), None


_started = {}  # by process: a fork must not talk to its parent's


def _zygote():
    """The connection to this process's own one."""
    if os.getpid() not in _started:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        clean = {name: value for name, value in os.environ.items() if "CONTACTAPP" not in name}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.zygote", str(theirs.fileno())],
            cwd=ROOT,
            env={**clean, "PYTHONPATH": str(ROOT)},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        _started[os.getpid()] = ours, process
        atexit.register(_stop, ours, process)
    return _started[os.getpid()][0]


def _stop(ours, process):
    ours.close()
    process.wait(10)


def main(descriptor):
    """Fork for every request, until nobody can make any."""
    for name in PRELOADED:
        importlib.import_module(name)
    importlib.import_module("tests.support.first_application").make()
    requests = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _MOST, 4)
        if not message:
            return
        if os.fork() == 0:
            requests.close()
            _watch(json.loads(message), descriptors)
        for one in descriptors:
            os.close(one)
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _watch(request, descriptors):
    """Tell of a child's number and of its end."""
    *streams, tells = descriptors
    pid = os.fork()
    if pid == 0:
        os.close(tells)
        _become(request, streams)
    for one in streams:
        os.close(one)
    os.write(tells, b"%d\n" % pid)
    os.write(tells, b"%d\n" % os.waitpid(pid, 0)[1])
    os._exit(0)


def _become(request, streams):
    """Run what was asked for, as a fresh interpreter would."""
    code = 1
    try:
        if request["session"]:
            os.setsid()
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
            os.close(stream)
        # Who replaces a stream, as Celery does, must not close what the process was given.
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, closefd=False)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        sys.path.insert(0, request["cwd"])
        random.seed()
        _started.clear()
        code = _run(*request["command"])
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _run(kind, what, *arguments):
    try:
        if kind == "-c":
            sys.argv = ["-c", *arguments]
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        elif what == "contactapp.cli":  # running it anew would warn that it is there already
            cli = sys.modules["__main__"] = sys.modules[what]
            sys.argv = [cli.__file__, *arguments]
            cli.main()
        else:
            sys.argv = [what, *arguments]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
