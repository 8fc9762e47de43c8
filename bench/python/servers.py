"""The servers that are measured: ours, and others where they are installed.

Each runs privately: its own configuration, queue and high port in a folder of
the run. The others keep their defaults but for what that needs, and for mail
being held (accept) or sent to the sink (relay).
"""
import os
import shutil
import socket
import subprocess
import time

from measure import BUILD, banner, end, tree, until


class Server:
    """Started once; a new object for each run."""
    name = None
    peer = True

    def __init__(self, directory, port, sink, hold):
        """hold: mail is accepted and stays; sink: the port it is sent to."""
        self.dir = directory
        self.port = port
        self.sink = sink
        self.hold = hold
        self.main = None  # pid of the first process
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)

    @classmethod
    def usable(cls):
        """None, or why it is not."""
        return None

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def pids(self):
        return tree(self.main)

    def queue_files(self):
        """Files that hold mail now."""
        return 0

    def journal_flush_ms(self):
        """The median of its own flushes; None when it does not say."""
        return None

    def count_files(self, *folders):
        count = 0
        for folder in folders:
            for _, _, files in os.walk(self.path(folder)):
                count += len(files)
        return count


RING = ("first-key-000001 active 2026-11-22T13:21:09Z aes-256-gcm "
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")
# How the queue is stored. All can read what is sealed.
FORMS = {
    "plain": "queue encryption none key file:{ring}",
    "zstd": "queue compression zstd encryption none key file:{ring}",
    "sealed": "queue encryption key file:{ring}",
    "zstd and sealed": "queue compression zstd encryption key file:{ring}",
}


def form(name, directory):
    """Its lines for smtpd.conf; the key ring is put into the directory."""
    ring = os.path.join(directory, "ring")
    if not os.path.exists(ring):
        with open(ring, "w", encoding="utf-8") as f:
            f.write(RING)
        os.chmod(ring, 0o400)
    return FORMS[name].format(ring=ring)


class Spoolkit(Server):
    name = "spoolkit"
    peer = False

    CONF = """\
hostname bench.invalid
spool "{dir}/spool"
control "{dir}/control.sock"
listen on 127.0.0.1 port {port}
max-sessions 2000 per-client 2000
{extra}
accept from local for any relay {via}
"""

    def __init__(self, directory, port, sink, hold, extra="", via=None,
                 env=None):
        """via: "" for relaying by MX; env: more of the environment."""
        super().__init__(directory, port, sink, hold)
        self.process = None
        self.via = f'via "smtp://127.0.0.1:{sink}"' if via is None else via
        self.env = {**os.environ, **(env or {})}
        self.configure(extra)

    def configure(self, extra):
        """For the next start."""
        self.write("smtpd.conf", self.CONF.format(
            dir=self.dir, port=self.port, via=self.via, extra=extra))

    @classmethod
    def usable(cls):
        if not os.access(os.path.join(BUILD, "smtpd"), os.X_OK):
            return f"{BUILD}/smtpd is not there: make all tests"
        return None

    def start(self):
        """Seconds until the first 220, or None."""
        argv = [os.path.join(BUILD, "smtpd"), "-d", "-f",
                self.path("smtpd.conf")]
        argv += ["-P", "mta"] if self.hold else []
        with open(self.path("log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(argv, stderr=log, stdout=log,
                                            env=self.env)
        self.main = self.process.pid
        return banner(self.port, 15)

    def stop(self):
        end(self.process)

    def queue_files(self):
        return self.count_files("spool/queue", "spool/incoming")

    def smtpctl(self, *words, seconds=60):
        """(status, stdout, seconds it took)"""
        start = time.monotonic()
        done = subprocess.run(
            [os.path.join(BUILD, "smtpctl"), "-s", self.path("control.sock"),
             *words], check=False, timeout=seconds, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout, time.monotonic() - start

    def journal_flush_ms(self):
        for line in self.smtpctl("show", "stats")[1].split("\n"):
            name, _, value = line.partition("=")
            if name == "spooler.journal_flush_us_p50":
                return int(value) / 1000
        return None

    def list_command(self):
        return [os.path.join(BUILD, "smtpctl"), "-s",
                self.path("control.sock"), "show", "queue"]


class Names:
    """nsd with these zones, on a loopback port."""

    CONF = """\
server:
	ip-address: 127.0.0.1@{port}
	username: ""
	chroot: ""
	zonesdir: "{dir}"
	database: ""
	pidfile: "{dir}/nsd.pid"
	xfrdfile: "{dir}/xfrd.state"
	zonelistfile: "{dir}/zone.list"
	logfile: "{dir}/log"
	server-count: 1
	do-ip6: no
	rrl-ratelimit: 0
remote-control:
	control-enable: no
"""

    def __init__(self, directory, zones):
        os.makedirs(directory)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        text = self.CONF.format(port=self.port, dir=directory)
        for name, records in zones.items():
            text += f'zone:\n\tname: "{name}"\n\tzonefile: "{name}"\n'
            with open(os.path.join(directory, name), "w",
                      encoding="ascii") as f:
                f.write(f"$ORIGIN {name}.\n$TTL 3600\n"
                        "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n"
                        f"ns A 127.0.0.1\n{records}")
        path = os.path.join(directory, "nsd.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        self.process = subprocess.Popen(["nsd", "-d", "-c", path],
                                        stderr=subprocess.DEVNULL)
        if until(self.answers, 10) is None:
            end(self.process)
            raise RuntimeError("nsd does not answer")

    def answers(self):
        question = (b"\x12\x67\0\0\0\1\0\0\0\0\0\0\2d0\5bench\4test\0"
                    b"\0\6\0\1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.connect(("127.0.0.1", self.port))
                s.send(question)
                return s.recv(512)[3] & 15 == 0
            except OSError:
                return False

    def stop(self):
        end(self.process)


class Postfix(Server):
    name = "postfix"

    MAIN = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
myhostname = bench.invalid
mydestination =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{sink}
{hold}
"""
    HOLD = "smtpd_sender_restrictions = check_sender_access static:HOLD"
    # service type private unpriv chroot wakeup maxproc command
    MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

    @classmethod
    def usable(cls):
        if shutil.which("postfix") is None:
            return "not installed"
        if os.geteuid() != 0:
            return "needs root"
        return None

    def __init__(self, directory, port, sink, hold):
        super().__init__(directory, port, sink, hold)
        os.makedirs(self.path("queue"), exist_ok=True)
        os.makedirs(self.path("data"), exist_ok=True)
        shutil.chown(self.path("data"), "postfix")
        self.write("main.cf", self.MAIN.format(
            dir=directory, sink=sink, hold=self.HOLD if hold else ""))
        self.write("master.cf", self.MASTER.format(port=port))

    def command(self, *words, program="postfix"):
        return subprocess.run(
            [program, "-c", self.dir, *words], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)

    def start(self):
        start = time.monotonic()
        done = self.command("start")
        if banner(self.port, 15) is None:
            raise RuntimeError("postfix did not start: " + done.stdout)
        took = time.monotonic() - start
        with open(self.path("queue/pid/master.pid"), encoding="ascii") as f:
            self.main = int(f.read())
        return took

    def stop(self):
        if self.main is None:
            return
        self.command("stop")
        until(lambda: not os.path.exists(f"/proc/{self.main}"), 10)

    def queue_files(self):
        return self.count_files(*("queue/" + q for q in (
            "maildrop", "incoming", "active", "deferred", "hold")))

    def list_command(self):
        return ["postqueue", "-c", self.dir, "-p"]


class OpenSMTPD(Server):
    """Its paths are fixed, so it sees its own /var/spool/smtpd and /run in a
    mount namespace; OPENSMTPD names its smtpd when it is not installed."""
    name = "opensmtpd"

    CONF = """\
listen on 127.0.0.1 port {port} hostname bench.invalid
action "out" relay host smtp://127.0.0.1:{sink}
match from local for any action "out"
"""
    PROGRAM = os.environ.get("OPENSMTPD", "/usr/sbin/smtpd")
    CHROOT = "/var/lib/opensmtpd/empty"

    @classmethod
    def usable(cls):
        if not os.access(cls.PROGRAM, os.X_OK):
            return "not installed"
        if os.geteuid() != 0:
            return "needs root"
        done = subprocess.run([cls.PROGRAM, "-h"], check=False, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if "OpenSMTPD" not in done.stdout:
            return f"{cls.PROGRAM} is something else"
        return None

    def __init__(self, directory, port, sink, hold):
        super().__init__(directory, port, sink, hold)
        self.process = None
        for name in ("spool", "run"):
            os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path("spool"), 0o711)
        self.write("smtpd.conf", self.CONF.format(port=port, sink=sink))

    def start(self):
        start = time.monotonic()
        os.makedirs("/var/spool/smtpd", exist_ok=True)
        script = ('mount --bind "$1/spool" /var/spool/smtpd && '
                  'mount --bind "$1/run" /run && '
                  'd=$1 && shift && exec "$@" -f "$d/smtpd.conf"')
        argv = ["unshare", "-m", "sh", "-c", script, "sh", self.dir,
                self.PROGRAM, "-d"]
        argv += ["-P", "mta"] if self.hold else []
        with open(self.path("log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(argv, stderr=log, stdout=log)
        self.main = self.process.pid
        if banner(self.port, 15) is None:
            return None
        return time.monotonic() - start

    def stop(self):
        end(self.process)

    def queue_files(self):
        return self.count_files("spool/queue", "spool/incoming")

    def list_command(self):
        ctl = os.path.join(os.path.dirname(self.PROGRAM), "smtpctl")
        return ["nsenter", "-t", str(self.main), "-m", ctl, "show", "queue"]


class Exim(Server):
    """EXIM names the program when it is not installed."""
    name = "exim"

    CONF = """\
primary_hostname = bench.invalid
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
pid_file_path = {dir}/spool/exim.pid
exim_path = {program}
keep_environment =
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
acl_smtp_rcpt = accept
tls_advertise_hosts =
{hold}
begin routers
out:
  driver = manualroute
  transport = remote
  route_list = * 127.0.0.1
  self = send
begin transports
remote:
  driver = smtp
  port = {sink}
begin retry
* * F,2h,15m; F,4d,6h
"""
    PROGRAM = os.environ.get("EXIM", "/usr/sbin/exim4")
    USER = "Debian-exim"

    @classmethod
    def usable(cls):
        if not os.access(cls.PROGRAM, os.X_OK):
            return "not installed"
        if os.geteuid() != 0:
            return "needs root"
        return None

    def __init__(self, directory, port, sink, hold):
        super().__init__(directory, port, sink, hold)
        self.process = None
        for name in ("spool", "log"):
            os.makedirs(self.path(name), exist_ok=True)
            shutil.chown(self.path(name), self.USER, self.USER)
        self.write("exim.conf", self.CONF.format(
            dir=directory, port=port, sink=sink, program=self.PROGRAM,
            hold="queue_only" if hold else ""))

    def start(self):
        start = time.monotonic()
        with open(self.path("stderr"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.PROGRAM, "-C", self.path("exim.conf"), "-bdf"],
                stderr=log, stdout=log)
        self.main = self.process.pid
        if banner(self.port, 15) is None:
            return None
        return time.monotonic() - start

    def stop(self):
        pids = self.pids()
        end(self.process)
        # Deliveries under way are processes of their own.
        until(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), 10)

    def queue_files(self):
        return self.count_files("spool/input")

    def list_command(self):
        return [self.PROGRAM, "-C", self.path("exim.conf"), "-bp"]


SERVERS = [Spoolkit, Postfix, OpenSMTPD, Exim]
