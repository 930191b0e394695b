# SPDX-License-Identifier: BSD-3-Clause
"""A laboratory for whole nodes: starts millrace and redis-server processes, links them by virtual
devices in network namespaces, and removes every process, namespace, device and file that it made.

Invariants: processes are ended by the pid that was started; names carry the pid of this process;
close() may be called at any time and more than once. It goes by those names, so what was just being
made when a signal came in between is removed as well. When this process dies without close(), its
children get SIGKILL; the rest is removed by remove_leftovers() of a later one.
"""
import contextlib
import ctypes
import glob
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from resp import Resp, RespError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MILLRACE_BUILD", os.path.join(ROOT, "build"))
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
# Where DPDK has its sockets: an ordinary user's are elsewhere.
DPDK_RUN = os.path.join(
    "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp"), "dpdk"
)
SKIP = 77


class Failed(Exception):
    """What was to be shown is not so."""


class Skipped(Exception):
    """The machine lacks something."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def equal(found, wanted, what):
    if found != wanted:
        raise Failed(f"{what}: found {found!r}, wanted {wanted!r}")


def until(what, condition, timeout=20.0, every=0.02):
    """Waits for condition() to be true and returns its value; a lost connection counts as not yet."""
    end = time.monotonic() + timeout
    last = None
    while time.monotonic() < end:
        try:
            value = condition()
            if value:
                return value
        except (OSError, RespError) as error:
            last = error
        time.sleep(every)
    raise Failed(f"waited {timeout:g} s in vain for: {what}" + (f" (last: {last})" if last else ""))


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skipped(f"{program} is not installed")


def shell(*args, **more):
    """Runs a command to its end; its output. Failed with that output when it fails."""
    done = subprocess.run(
        args,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **more,
    )
    if done.returncode:
        raise Failed(f"{' '.join(args)}: exit {done.returncode}: {done.stdout.strip()[-600:]}")
    return done.stdout


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def children():
    """Pids of this process's children, also of those nobody has noted."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="ascii", errors="replace") as stat:
                pid, rest = stat.read().split(" (", 1)
        except OSError:
            continue
        if int(rest.rsplit(")", 1)[1].split()[1]) == os.getpid():
            found.append(int(pid))
    return found


def remove_named(pid, interfaces=None):
    """Namespaces, interfaces (of the Netns given) and DPDK's directories that a process made."""
    if interfaces is not None:
        links = subprocess.run(
            [*interfaces.prefix(), "ip", "-o", "link"], check=False, capture_output=True, text=True
        )
        for name in re.findall(rf"^\d+: (mr[vp]{pid % 100000}n\d+)[@:]", links.stdout, re.M):
            subprocess.run(
                [*interfaces.prefix(), "ip", "link", "del", name], check=False, capture_output=True
            )
    for path in glob.glob(f"/run/netns/mr-{pid}[a-z]*"):
        subprocess.run(
            ["ip", "netns", "del", os.path.basename(path)], check=False, capture_output=True
        )
    for path in glob.glob(os.path.join(DPDK_RUN, f"mr{pid}-*")):
        shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(parent, prefix):
    """What a process left that was itself killed with -9: its namespaces, DPDK's directories and
    its directory of this prefix in parent."""
    directories = glob.glob(os.path.join(glob.escape(parent), prefix + "[0-9]*-*"))
    directories = {path: os.path.basename(path)[len(prefix) :].split("-")[0] for path in directories}
    pids = {re.match(r"\d+", path[len("/run/netns/mr-") :])[0] for path in glob.glob("/run/netns/mr-[0-9]*")}
    for pid in pids | set(directories.values()):
        if not pid.isdigit() or os.path.exists(f"/proc/{pid}"):
            continue
        remove_named(int(pid))
        for path, owner in directories.items():
            if owner == pid:
                shutil.rmtree(path, ignore_errors=True)


class Netns:
    """A named network namespace. name None: the one this process is in."""

    def __init__(self, name=None):
        self.name = name
        if name:
            shell("ip", "netns", "add", name)
            self.ip("link", "set", "lo", "up")

    def prefix(self):
        return ["ip", "netns", "exec", self.name] if self.name else []

    def ip(self, *args):
        return shell("ip", *(["-n", self.name] if self.name else []), *args)

    def run(self, *args, **more):
        return shell(*self.prefix(), *args, **more)

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in this namespace meanwhile: sockets made there belong to it."""
        if not self.name:
            yield
            return
        with open("/proc/thread-self/ns/net", "rb") as home, open(
            f"/run/netns/{self.name}", "rb"
        ) as there:
            if LIBC.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if LIBC.setns(home.fileno(), CLONE_NEWNET):
                    os._exit(70)  # in the wrong namespace: nothing that follows can be trusted

    def socket(self, family, kind):
        """A socket of this namespace, whichever the caller is in."""
        with self.inside():
            return socket.socket(family, kind)


class Server:
    """A server process and where it listens."""

    def __init__(self, lab, name, netns, port, unixsocket):
        self.lab = lab
        self.name = name
        self.netns = netns
        self.port = port
        self.unixsocket = unixsocket
        self.dir = os.path.join(lab.dir, name)
        os.makedirs(self.dir, exist_ok=True)
        self.log_path = os.path.join(self.dir, "log")
        self.process = None
        self.cpus = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def start(self, wait=True, timeout=30.0):
        """Starts it; wait: until it answers PING."""
        args = self.netns.prefix() + self.command()
        if self.cpus:
            args = ["taskset", "-c", self.cpus] + args
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(  # ended by close()
                args,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.dir,
                env=self.environment(),
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        if wait:
            self.until_up(timeout)
        return self

    def until_up(self, timeout=30.0):
        end = time.monotonic() + timeout
        while True:
            if self.process.poll() is not None:
                raise Failed(
                    f"{self.name} ended with status {self.process.returncode}:\n" + self.log_tail()
                )
            try:
                with self.connect(timeout=2.0) as conn:
                    if conn.call("PING") == b"PONG":
                        return
            except (OSError, RespError):
                pass
            if time.monotonic() > end:
                raise Failed(f"{self.name} does not answer:\n" + self.log_tail())
            time.sleep(0.02)

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def connect(self, timeout=20.0):
        if self.unixsocket:
            return Resp(self.unixsocket, timeout)
        return Resp(("127.0.0.1", self.port), timeout, self.netns.socket)

    def call(self, *args):
        with self.connect() as conn:
            return conn.call(*args)

    def info(self, section="all"):
        with self.connect() as conn:
            return conn.info(section)

    def signal(self, number):
        if self.alive:
            os.kill(self.pid, number)

    def kill(self):
        """kill -9; the process is gone when this returns."""
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self, timeout=15.0):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(
                f"{self.name} did not stop within {timeout:g} s of SIGTERM:\n" + self.log_tail()
            ) from None

    def log_text(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return log.read()
        except OSError:
            return ""

    def last_words(self):
        """Why it ended: its own message, or the last line that it wrote."""
        lines = [line for line in self.log_text().splitlines() if line.strip()]
        own = [line for line in lines if line.startswith("millrace: ")]
        return (own or lines or ["it said nothing"])[-1]

    def log_tail(self, lines=25):
        return "\n".join("   | " + line[:200] for line in self.log_text().splitlines()[-lines:])


class Stock(Server):
    """Debian's redis-server, or another with its command line."""

    def __init__(
        self, lab, name, netns, port, options=(), bind="127.0.0.1", exe="redis-server"
    ):
        super().__init__(lab, name, netns, port, None)
        need(exe)
        self.exe = exe
        self.options = list(options)
        self.bind = bind

    def command(self):
        return [
            self.exe,
            "--port",
            str(self.port),
            "--bind",
            *self.bind.split(),
            "--dir",
            self.dir,
            "--save",
            "",
            "--appendonly",
            "no",
            "--protected-mode",
            "no",
            "--enable-debug-command",
            "yes",
            "--repl-diskless-sync-delay",
            "0",
            "--loglevel",
            "verbose",
            *self.options,
        ]


class Node(Server):
    """millrace. device: a Device of the lab, or None for kernel sockets alone."""

    def __init__(
        self,
        lab,
        name,
        netns,
        port,
        options=(),
        device=None,
        pool_size="64mb",
        pool=None,
        debug=True,
    ):
        super().__init__(lab, name, netns, port, None)
        self.device = device
        self.pool_size = pool_size
        self.pool = os.path.join(self.dir, "pool") if pool is None else pool
        self.options = list(options)
        self.debug = debug
        self.env = {}
        self.exe = os.path.join(BUILD, "app", "millrace")
        if not os.access(self.exe, os.X_OK):
            raise Failed(f"{self.exe} is not there; build it first")

    @property
    def prefix(self):
        """DPDK's file prefix: names the telemetry socket."""
        return f"mr{os.getpid()}-{self.name}"

    def environment(self):
        return {**os.environ, **self.env}

    def command(self):
        args = [self.exe, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir]
        if self.pool:
            args += ["--pmem-file", self.pool, "--pmem-size", self.pool_size]
        if self.debug:
            args += ["--enable-debug-command", "yes"]
        if self.device:
            args += [
                "--nic",
                self.device.nic,
                "--nic-address",
                self.device.cidr,
                *(["--nic-vlan", str(self.device.vlan)] if self.device.vlan else []),
                "--protected-mode",
                "no",
            ]
        args += ["--eal-args", f"--file-prefix={self.prefix}"]
        return args + self.options

    def start(self, wait=True, timeout=30.0):
        super().start(wait, timeout)
        if self.device:
            self.device.attach()
        return self

    def over_device(self, timeout=20.0):
        """A connection from the far side of its device."""
        return Resp((self.device.address, self.port), timeout, self.device.far.socket)

    def telemetry(self, path):
        """What DPDK's telemetry socket answers, as JSON."""
        where = os.path.join(DPDK_RUN, self.prefix, "dpdk_telemetry.v2")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.settimeout(5)
            sock.connect(where)
            sock.recv(16384)
            sock.send(path.encode())
            return json.loads(sock.recv(65536))[path.split(",")[0]]


class Device:
    """A virtual DPDK device whose other side is a kernel interface in a namespace.

    middle: a namespace where bad_wire.py joins the two sides; wire is its process. vlan: the node's
    side of that wire has this tag, the other none. v6: IPv6 addresses besides. mtu: of both sides.
    """

    def __init__(
        self, lab, kind, near, far, number, peer, middle=None, vlan=None, v6=False, mtu=None
    ):
        self.vlan = vlan
        self.v6 = v6
        self.mtu = mtu
        self.lab = lab
        self.middle = middle
        self.wire = None
        self.kind = kind
        self.near = near
        self.far = far
        self.address = f"10.77.{number}.2"
        self.peer = f"10.77.{number}.1"
        self.address6 = f"2001:db8:77:{number + 1}::2"
        self.peer6 = f"2001:db8:77:{number + 1}::1"
        self.cidr = self.address + "/24" + (f",{self.address6}/64" if v6 else "")
        self.gateways = self.peer + (f",{self.peer6}" if v6 else "")
        self.number = number
        self.iface = f"mrv{lab.id}n{number}"
        self.far_iface = peer

    @property
    def nic(self):
        if self.kind == "net_tap":
            return f"net_tap{self.number},iface={self.far_iface}"
        if self.kind == "net_af_packet":
            ring = ",framesz=9216,blocksz=36864,framecnt=256" if (self.mtu or 0) > 1500 else ""
            return f"net_af_packet{self.number},iface={self.iface}{ring}"
        return f"net_af_xdp{self.number},iface={self.iface},start_queue=0,queue_count=1"

    def setup(self):
        if self.kind == "net_tap":
            return
        near, far, middle = self.near, self.far, self.middle
        ends = [(near, self.iface), (far, self.far_iface)]
        if middle:
            pairs = [(ends[0], (middle, "left")), ((middle, "right"), ends[1])]
        else:
            pairs = [tuple(ends)]
        for (one, one_name), (other, other_name) in pairs:
            one.ip("link", "add", one_name, "type", "veth", "peer", "name", other_name)
            one.ip("link", "set", other_name, "netns", other.name)
            # Packets pass as they are: the node computes and checks every checksum itself.
            for netns, name in ((one, one_name), (other, other_name)):
                netns.run(
                    "ethtool",
                    "-K",
                    name,
                    "tx",
                    "off",
                    "rx",
                    "off",
                    "tso",
                    "off",
                    "gso",
                    "off",
                    "gro",
                    "off",
                )
                if self.mtu:
                    netns.ip("link", "set", name, "mtu", str(self.mtu))
                netns.ip("link", "set", name, "up")
        self.address_far()
        if middle:
            self.wire = self.lab.spawn(
                "/usr/bin/python3",
                os.path.join(ROOT, "tests", "support", "bad_wire.py"),
                "--seed",
                str(random.randrange(1 << 32)),
                "--vlan",
                str(self.vlan or 0),
                "left",
                "right",
                netns=middle,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def address_far(self):
        self.far.ip("addr", "add", self.peer + "/24", "dev", self.far_iface)
        if self.v6:
            self.far.ip("addr", "add", self.peer6 + "/64", "dev", self.far_iface, "nodad")

    def attach(self):
        """After each start, when the node serves: net_tap makes its interface anew, and sets it up
        by its name, so that it has to stay where it is until then."""
        if self.kind != "net_tap":
            return
        self.near.ip("link", "set", self.far_iface, "netns", self.far.name)
        self.far.ip("link", "set", self.far_iface, "up")
        self.address_far()

    def remove(self):
        subprocess.run(
            [*self.near.prefix(), "ip", "link", "del", self.iface],
            check=False,
            capture_output=True,
        )


class Lab:
    """Everything one test or demonstration makes; a context manager.

    isolated: this process moves into a network namespace of its own first, so that its loopback
    ports are private. Has to happen before any thread is started.
    """

    def __init__(self, isolated=False, parent=None, prefix="millrace-"):
        self.id = os.getpid() % 100000
        self.servers = []
        self.devices = []
        self.others = []
        self.dir = tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent)
        if isolated:
            self.isolate()
        self.home = Netns()

    def isolate(self):
        if os.geteuid() != 0:
            raise Skipped("network namespaces need root")
        if LIBC.unshare(CLONE_NEWNET):
            raise Skipped(
                "network namespaces are not allowed here: " + os.strerror(ctypes.get_errno())
            )
        shell("ip", "link", "set", "lo", "up")

    def netns(self, what="p"):
        return Netns(f"mr-{os.getpid()}{what}")

    def device(self, near, far, kind="net_af_xdp", number=0, middle=None, **more):
        need("ip", "ethtool")
        device = Device(self, kind, near, far, number, f"mrp{self.id}n{number}", middle, **more)
        self.devices.append(device)
        device.setup()
        return device

    def add(self, server):
        self.servers.append(server)
        return server

    def node(self, name="node", netns=None, port=7777, **more):
        return self.add(Node(self, name, netns or self.home, port, **more))

    def stock(self, name="stock", netns=None, port=7778, **more):
        return self.add(Stock(self, name, netns or self.home, port, **more))

    def start_on_device(
        self,
        name,
        near,
        far,
        port=7777,
        number=0,
        options=(),
        middle=None,
        kinds=("net_af_xdp", "net_tap"),
        v6=False,
        **more,
    ):
        """A node on the first of these kinds of device that works here; as a rule net_af_xdp."""
        for kind in kinds[:1] if middle else kinds:
            device = self.device(near, far, kind, number, middle, v6=v6)
            node = self.node(
                name,
                near,
                port,
                device=device,
                options=["--nic-gateway", device.gateways, *options],
                **more,
            )
            try:
                node.start()
                with node.over_device(timeout=5) as conn:
                    conn.call("PING")
                return node
            except (Failed, OSError) as why:
                if middle:
                    raise Skipped(f"net_af_xdp does not work here: {str(why)[:1000]}") from None
                if kind == kinds[-1]:
                    raise
                reason = why if node.alive else node.last_words()
                print(f"   {kind} does not work here: {reason}", flush=True)
                print("   trying the next kind of device", flush=True)
                node.kill()
                self.servers.remove(node)
                shutil.rmtree(node.dir, ignore_errors=True)
                device.remove()
                self.devices.remove(device)
        return None

    def spawn(self, *args, netns=None, **more):
        """Another process; ended by close()."""
        args = (netns or self.home).prefix() + list(args)
        process = subprocess.Popen(
            args,
            stdin=more.pop("stdin", subprocess.DEVNULL),
            preexec_fn=die_with_parent,
            start_new_session=True,
            **more,
        )
        self.others.append(process)
        return process

    def close(self):
        known = [s.process for s in self.servers if s.process] + self.others
        for process in known:
            if process.poll() is None:
                process.kill()
            process.wait()
        for pid in children():
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except OSError:
                pass  # it has ended by itself
        self.devices, self.others = [], []
        remove_named(os.getpid(), Netns())
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


def where(error):
    """The calls that led to an error, innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return " > ".join(f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in frames)


def run_test(test, isolated=True):
    """Runs test(lab) as a program: status 0, 1 with the reason and the servers' last words, or 77 when skipped."""
    lab = None
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))
    try:
        lab = Lab(isolated=isolated, parent=os.environ.get("MILLRACE_TEST_DIR"))
        test(lab)
        for server in lab.servers:
            if server.alive or not isinstance(server, Node):
                continue
            check(
                server.process is None or server.process.returncode in (0, -signal.SIGKILL),
                f"{server.name} ended by itself with status {server.process and server.process.returncode}",
            )
        print("ok")
        return 0
    except Skipped as why:
        print(f"skipped: {why}")
        return SKIP
    except (Failed, OSError, RespError, subprocess.SubprocessError) as why:
        kind = "" if isinstance(why, Failed) else f"{type(why).__name__}: "
        print(f"failed: {kind}{why}\n   at {where(why)}")
        for server in lab.servers if lab else []:
            if server.process and not server.alive:
                print(f"   {server.name} ended, {server.process.returncode}: {server.last_words()}")
        for server in lab.servers if lab else []:
            print(f"-- {server.name}:\n{server.log_tail()}")
        if not isinstance(why, Failed):
            raise
        return 1
    finally:
        if lab:
            lab.close()


def grep(pattern, text):
    return re.findall(pattern, text, re.M)
