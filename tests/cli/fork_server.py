"""Starts of the installed program that need not import its libraries each time.

A server process imports the libraries once; each start is a fork of it, which then runs the
installed script from its first line to what it registered for its end. What is started is a process
of its own, with its own arguments, folder, environment, streams, exit code and signals; only the
time that Python takes to read libraries, and to free them, is gone. Linux only: a process is
followed by its descriptor.

Run as a file, this is the server. It takes requests from a socket until that is closed, and kills
then what still runs.
"""

import atexit
import gc
import io
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path

import numba

PROGRAM = Path(sys.executable).with_name("fleetlake")

# Everything the two commands need that are started most, and what is large in the others. Polars,
# and with it our modules that use it, is left out: it starts a thread when it is imported, which a
# fork would not have. NiceGUI is, since it looks at the current folder then.
PRELOADED = ("api.cli.lake", "api.cli.sql", "fastapi", "httpx", "pyod", "socketio")

# Of the allocators in Arrow and delta-rs, which know of forks.
HARMLESS_THREADS = {"jemalloc_bg_thd"}

MOST_BYTES = 1_000_000
STOP_SECONDS = 10


class ForkServer:
    """The server, from the side of the tests."""

    def __init__(self, environment, folder):
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                cwd=folder,
                start_new_session=True,  # Ctrl-C at the tests is theirs to heed
            )

    def start(self, arguments, *, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **place):
        """Starts the program; `place` is its `cwd` and `env`, and whether its pipes are `text`."""
        return Started(self._requests, list(map(str, arguments)), stdin, stderr, **place)

    def stop(self):
        """Ends the server and all it started."""
        self._requests.close()
        self._server.wait(STOP_SECONDS)


class Started:
    """A process that the server made: of `subprocess.Popen`, what tests use.

    Its standard output is a pipe; each of the others is a pipe, nothing, or a file.
    """

    def __init__(self, requests, arguments, stdin, stderr, *, cwd, env, text=True):
        self.args, self.returncode = arguments, None
        self._told, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        binary = "" if text else "b"
        with ExitStack() as theirs:
            theirs.enter_context(told)

            def stream(asked, ours, theirs_is):
                """Our end of a pipe if there is one, and the descriptor for the process."""
                if asked == subprocess.PIPE:
                    ends = os.pipe()
                    theirs.callback(os.close, ends[theirs_is])
                    return os.fdopen(ends[1 - theirs_is], ours + binary), ends[theirs_is]
                if asked == subprocess.DEVNULL:
                    nothing = os.open(os.devnull, os.O_RDWR)
                    theirs.callback(os.close, nothing)
                    return None, nothing
                return None, asked.fileno()

            self.stdin, reads = stream(stdin, "w", 0)
            self.stdout, writes = stream(subprocess.PIPE, "r", 1)
            self.stderr, complains = stream(stderr, "r", 1)
            request = json.dumps([arguments, os.fspath(cwd), env]).encode()
            socket.send_fds(requests, [request], [reads, writes, complains, told.fileno()])
        said, descriptors, _, _ = socket.recv_fds(self._told, MOST_BYTES, 1)
        assert said, "the fork server is gone; its standard error says why"
        self.pid, self._descriptor = int(said), descriptors[0]

    def poll(self):
        """The exit code; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        """The exit code once there is one; `-n` if signal `n` ended it."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self._told.recv(MOST_BYTES))
        return self.returncode

    def send_signal(self, number):
        """Nothing happens if it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, given=None, timeout=None):
        """All it writes to its pipes until its end; killed when that takes too long."""
        with ThreadPoolExecutor() as readers:
            written = [readers.submit(pipe.read) for pipe in (self.stdout, self.stderr)]
            try:
                if self.stdin is not None:
                    with suppress(BrokenPipeError), self.stdin:
                        self.stdin.write(given)
                self.wait(timeout)
            except BaseException:
                self.kill()
                raise
            return tuple(reading.result() for reading in written)

    def close(self):
        """Kills it if it still runs, and lets go of its pipes."""
        self.kill()
        self.wait()
        os.close(self._descriptor)
        for each in (self._told, self.stdin, self.stdout, self.stderr):
            if each is not None:
                each.close()


def preload():
    """Import what starts will find imported, and be fit to be forked."""
    # Registered before all others, and so the last that is called.
    atexit.register(_leave)
    for name in PRELOADED:
        import_module(name)
    numba.njit(lambda: None)()  # it imports its larger half when it compiles first
    # The command line's own modules look at the environment when they are imported: each start
    # imports them anew, for the environment it has.
    for name in [name for name in sys.modules if name.startswith("api.cli")]:
        del sys.modules[name]
    # Objects that the garbage collector does not touch stay in memory that all starts share.
    gc.collect()
    gc.freeze()
    # OpenBLAS ends its threads at a fork, and starts them again when it needs them.
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    tasks = Path("/proc/self/task").iterdir()
    threads = sorted((task / "comm").read_text().strip() for task in tasks)
    if len([name for name in threads if name not in HARMLESS_THREADS]) != 1:
        sys.exit(f"a fork would not have all of these threads: {threads}")


def serve(requests):
    """Fork at each request. Returns in a process so made; the server itself ends here."""
    running = {}  # by its descriptor: the process, and the socket on which its end is told
    with requests, selectors.DefaultSelector() as ready:
        ready.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not requests:
                    ready.unregister(key.fd)
                    _tell_end(key.fd, *running.pop(key.fd))
                    continue
                request, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, 4)
                if not request:
                    for pid, _ in running.values():
                        os.kill(pid, signal.SIGKILL)
                    sys.exit()
                *streams, told = descriptors
                pid = os.fork()
                if pid == 0:
                    for descriptor in (told, *running):
                        os.close(descriptor)
                    for _, other in running.values():
                        other.close()
                    _become(streams, *json.loads(request))
                    return
                for descriptor in streams:
                    os.close(descriptor)
                descriptor, told = os.pidfd_open(pid), socket.socket(fileno=told)
                running[descriptor] = pid, told
                ready.register(descriptor, selectors.EVENT_READ)
                socket.send_fds(told, [str(pid).encode()], [descriptor])


def _tell_end(descriptor, pid, told):
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with told, suppress(ConnectionError):
        told.send(str(code).encode())
    os.close(descriptor)


def _become(streams, arguments, folder, environment):
    """Be the process that was asked for, as it is when its script begins."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    if "PYTHONUNBUFFERED" in environment:
        # What the interpreter does at its start, which was the server's.
        unbuffered = io.FileIO(1, "w", closefd=False)
        sys.stdout = io.TextIOWrapper(unbuffered, sys.stdout.encoding, write_through=True)


def _run():
    """Run the installed script, as the interpreter does."""
    try:
        runpy.run_path(str(PROGRAM), run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            _leave.code = end.code or 0
        raise


def _leave():
    """End here, after threads and what was registered for the end.

    What would be left to do is to free all that was preloaded: half of the time of a short start.
    """
    with suppress(OSError):  # the interpreter has its own way to tell of it
        sys.stdout.flush()
        sys.stderr.flush()
        if _leave.code is not None:
            os._exit(_leave.code)


_leave.code = None

if __name__ == "__main__":
    preload()
    serve(socket.socket(fileno=int(sys.argv[1])))
    _run()
