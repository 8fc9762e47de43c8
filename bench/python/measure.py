"""What the measuring scripts share: processes, disk, flood and sink.

Nothing here waits without a bound, and only processes that were started here
are ended, by their pid.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
TICK = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, file=sys.stderr, flush=True)


def orderly():
    """Ended by SIGTERM, a script still cleans up what it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def median(values):
    values = sorted(values)
    n = len(values)
    if n == 0:
        return None
    return (values[(n - 1) // 2] + values[n // 2]) / 2


def until(condition, seconds, step=0.02):
    """Polls; returns the seconds it took, or None when time was up."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if condition():
            return time.monotonic() - start
        time.sleep(step)
    return None


def stat_of(pid):
    """(ppid, utime+stime, cutime+cstime) in ticks; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8",
                  errors="replace") as f:
            words = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(words[1]), int(words[11]) + int(words[12]),
            int(words[13]) + int(words[14]))


def tree(root):
    """The process and all that descend from it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = stat_of(name)
            if stat is not None:
                children.setdefault(stat[0], []).append(int(name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(pids):
    """Of these processes and of the children they have waited for."""
    ticks = 0
    for pid in pids:
        stat = stat_of(pid)
        if stat is not None:
            ticks += stat[1] + stat[2]
    return ticks / TICK


def memory(pids):
    """Bytes: (Pss, private) of all together."""
    pss = private = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                for line in f:
                    word, *rest = line.split()
                    if word == "Pss:":
                        pss += int(rest[0]) * 1024
                    elif word in ("Private_Clean:", "Private_Dirty:"):
                        private += int(rest[0]) * 1024
        except OSError:
            pass
    return pss, private


def resting_memory(pids, still=6, most=60):
    """The same once it has not fallen by a hundredth for some seconds: what a
    server gives back when it is quiet is not counted."""
    end = time.monotonic() + most
    low, since = memory(pids), time.monotonic()
    while time.monotonic() < min(end, since + still):
        time.sleep(0.25)
        now = memory(pids)
        if now[1] < low[1] * 0.99:
            low, since = now, time.monotonic()
    return memory(pids)


def fdatasync_ms(directory, count=200):
    """(median, p99) of writing 4 KiB into a written file and flushing it."""
    path = os.path.join(directory, "flush-probe")
    block = b"x" * 4096
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, b"\0" * (4096 * count))
        os.fsync(fd)
        took = []
        for i in range(count):
            start = time.perf_counter()
            os.pwrite(fd, block, i * 4096)
            os.fdatasync(fd)
            took.append(time.perf_counter() - start)
    finally:
        os.close(fd)
        os.unlink(path)
    took.sort()
    return median(took) * 1000, took[count * 99 // 100] * 1000


def free_port():
    """A TCP port that nobody has now, below those that are given to clients:
    they come and go while a server is started again."""
    for n in range(1000):
        port = 10000 + (os.getpid() * 40 + n) % 20000
        with socket.socket() as s:
            try:
                s.bind(("", port))
                return port
            except OSError:
                pass
    raise RuntimeError("no free port")


def banner(port, seconds):
    """Seconds until a 220 was read; None when there was none."""
    def answered():
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.settimeout(max(1, seconds))
                return s.recv(512).startswith(b"220")
        except OSError:
            return False
    return until(answered, seconds, 0.005)


def end(process, seconds=10):
    """SIGTERM to a process of ours, SIGKILL when it does not heed that."""
    if process is None or process.poll() is not None:
        return True
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


class Flood:
    """A running load generator."""

    def __init__(self, port, acks=None, **options):
        argv = [os.path.join(BUILD, "bench/flood"), "--json", "--port",
                str(port)]
        if acks:
            argv += ["--acks", acks]
        for name, value in options.items():
            argv.append("--" + name.replace("_", "-"))
            if value is not True:
                argv.append(str(value))
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE,
                                        text=True)

    def result(self, seconds):
        """Its report; after the time is up, of what it has done by then."""
        try:
            out, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)  # begin no message
            time.sleep(0.5)
            self.process.send_signal(signal.SIGTERM)  # at once
            try:
                out, _ = self.process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        return json.loads(out)


class Sink:
    """A running sink; its port is in .port."""

    def __init__(self, port=0, ids=None, env=None, **options):
        argv = [os.path.join(BUILD, "bench/sink"), "--json", "--port",
                str(port)]
        if ids:
            argv += ["--ids", ids]
        for name, value in options.items():
            argv.append("--" + name.replace("_", "-"))
            if value is not True:
                argv.append(str(value))
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE,
                                        text=True, env=env)
        self.port = int(self.process.stdout.readline().split()[-1])

    def result(self, seconds=None):
        """Its report; waits for --exit-after so long, else ends it."""
        if seconds is not None:
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=10)
        return json.loads(out)


def tally(acks, ids, partial=False):
    argv = [os.path.join(ROOT, "bench/tally"), "--json"]
    argv += ["--partial"] if partial else []
    done = subprocess.run(argv + acks + ["--"] + ids, check=False,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)
