# SPDX-License-Identifier: BSD-3-Clause
"""Those who are compared: servers, each at the near end of a wire of its own, with clients at the
far end.

    home namespace                                   far namespace
    redis-server  kernel  10.78.N.2 ===== veth ===== 10.78.N.1   clients
    millrace    net_af_xdp 10.77.N.2 ==== veth ===== 10.77.N.1   clients
    millrace, memif        10.76.N.2 === memory ==== 10.76.N.9   millrace-load, which has 10.7x.N.9

Over veth the sender's processor does the kernel's part of receiving: what a server takes in costs
the client's processor, and what it sends costs its own. Only that millrace asks the driver for its
frames itself (README, "Without taking the NIC"), and that its wire has packets of up to XDP_MTU
bytes, because it has no offload to cut larger ones. A kernel's sends up to 64 KB at once.

While one is measured the others are stopped (SIGSTOP), so that polling costs nobody anything.
"""
import contextlib
import dataclasses
import os
import re
import shutil
import signal

from lab import DPDK_RUN, check, shell
from resp import Resp

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
XDP_MTU = 3000  # what a page holds beside the headers of pool and buffer
NAPI = {"napi_defer_hard_irqs": 2, "gro_flush_timeout": 50000}


@dataclasses.dataclass
class Entry:
    """How to start one."""

    name: str
    exe: str = ""  # of a server with redis-server's command line; "": millrace
    options: tuple = ()
    cpus: str = "1"
    nr_cores: int = 1
    medium: str = "pmem"  # millrace: "pmem" is memory treated as such, "file" is what it is
    memif: bool = False  # millrace: shares memory with millrace-load, no wire
    folder: str = ""  # where its data goes; "": the lab's
    pool_mb: int = 1024
    raw_frames: bool = False  # the client sees frames as they are: checksums are made in software


def stat_seconds(path, with_children=False):
    """User and system time of a process or thread."""
    try:
        with open(path, encoding="ascii", errors="replace") as line:
            fields = line.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    last = 15 if with_children else 13
    return sum(int(field) for field in fields[11:last]) * TICK_S


def machine_seconds():
    """Processor time that the machine has spent on anything, interrupts and stolen time included."""
    with open("/proc/stat", encoding="ascii") as lines:
        fields = [int(field) for field in lines.readline().split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) * TICK_S


def interface_set(name, settings):
    """What stands in /sys of an interface of this namespace, which /sys shows only when mounted
    anew."""
    words = ["mount -t sysfs none /sys"]
    words += [f"echo {value} >/sys/class/net/{name}/{key}" for key, value in settings.items()]
    shell("unshare", "-m", "sh", "-c", " && ".join(words))


class Contestant:
    """A server that runs. busy_between(counts() at one time, at another): the processor seconds that
    it used meanwhile for work; used(): those so far, for idle polling too."""

    def __init__(self, arena, entry, number):
        self.arena = arena
        self.entry = entry
        self.name = entry.name
        self.far = arena.far
        self.number = number
        self.label = re.sub(r"\W+", "-", entry.name) + f"-{number}"  # names files and sockets
        self.server = None
        self.host = None

    def connect(self, timeout=60.0):
        """As a client does it, over the wire."""
        return Resp((self.host, self.server.port), timeout, self.far.socket)

    def used(self):
        return stat_seconds(f"/proc/{self.server.pid}/stat", with_children=True)

    def commands(self):
        return int(self.server.info("stats")["total_commands_processed"])

    def facts(self):
        """What the results say about it."""
        wanted = ("version", "medium", "durability", "aof_enabled", "io_threads_active")
        info = self.server.info("all")
        words = [os.path.basename(self.server.command()[0]), *self.server.command()[1:]]
        return {
            # Without the places of files: they are those of one run.
            "command": re.sub(r"(?<= )/\S*?/millrace-compare-[^/ ]+", "DIR", " ".join(words)),
            **{key: value for key, value in info.items() if key.endswith(wanted)},
        }

    def signal(self, number):
        self.server.signal(number)

    def close(self):
        self.server.kill()
        if self.server in self.arena.lab.servers:
            self.arena.lab.servers.remove(self.server)
        shutil.rmtree(self.server.dir, ignore_errors=True)


class Peer(Contestant):
    """A server with redis-server's command line, on the kernel's network stack."""

    def __init__(self, arena, entry, number):
        super().__init__(arena, entry, number)
        home, far = arena.lab.home, arena.far
        self.host = f"10.78.{number}.2"
        self.near_iface, self.far_iface = f"near{number}", f"far{number}"
        home.ip("link", "add", self.near_iface, "type", "veth", "peer", "name", self.far_iface)
        home.ip("link", "set", self.far_iface, "netns", far.name)
        home.ip("addr", "add", f"{self.host}/24", "dev", self.near_iface)
        far.ip("addr", "add", f"10.78.{number}.1/24", "dev", self.far_iface)
        home.ip("link", "set", self.near_iface, "up")
        far.ip("link", "set", self.far_iface, "up")
        if entry.raw_frames:
            for space, name in ((home, self.near_iface), (far, self.far_iface)):
                space.run("ethtool", "-K", name, *"tx off rx off tso off gso off gro off".split())
        options = list(entry.options)
        if entry.folder:
            options += ["--dir", entry.folder]
        if entry.nr_cores > 1:
            options += ["--io-threads", str(entry.nr_cores), "--io-threads-do-reads", "yes"]
        self.server = arena.lab.stock(
            self.label,
            home,
            6400 + number,
            exe=entry.exe,
            bind=f"127.0.0.1 {self.host}",
            options=options,
        )
        self.server.cpus = entry.cpus
        self.server.start()

    def counts(self):
        """Children too: a fork's work counts when it has ended."""
        return self.used()

    @staticmethod
    def busy_between(before, after):
        return after - before

    def load_device(self):
        return [
            *("--nic", f"net_af_xdp0,iface={self.far_iface},start_queue=0,queue_count=1"),
            *("--nic-address", f"10.78.{self.number}.9/24"),
            *("--eal-args", f"--file-prefix=mr{os.getpid()}-load{self.number}"),
        ]

    def close(self):
        super().close()
        self.arena.lab.home.ip("link", "del", self.near_iface)


class Memif:
    """Memory shared with millrace-load, which is at its other end."""

    vlan = None

    def __init__(self, lab, number):
        self.socket = os.path.join(lab.dir, f"memif{number}")
        self.address = f"10.76.{number}.2"
        self.cidr = f"{self.address}/24"
        self.peer = f"10.76.{number}.9/24"

    @property
    def nic(self):
        return f"net_memif0,role=server,id=0,socket={self.socket},socket-abstract=no"

    @property
    def far_nic(self):
        return f"net_memif0,role=client,id=0,socket={self.socket},socket-abstract=no"

    def attach(self):
        pass  # it comes up when the client does

    def remove(self):
        pass  # the socket lies in the lab's folder


class Millrace(Contestant):
    """A node of ours on net_af_xdp, or on memif."""

    def __init__(self, arena, entry, number):
        super().__init__(arena, entry, number)
        lab = arena.lab
        self.device = self.device_make()
        options = [*entry.options]
        if entry.nr_cores > 1:
            options += ["--poll-cores", entry.cpus]
        self.server = lab.node(
            self.label,
            lab.home,
            6400 + number,
            device=self.device,
            pool_size=f"{entry.pool_mb}mb",
            pool=os.path.join(entry.folder, "pool") if entry.folder else None,
            options=options,
        )
        if entry.medium == "pmem":
            self.server.env["PMEM_IS_PMEM_FORCE"] = "1"
        self.server.cpus = entry.cpus
        self.server.start()
        self.host = self.device.address
        self.nr_cores = len(self.server.telemetry("/millrace/cores"))

    def device_make(self):
        if self.entry.memif:
            return Memif(self.arena.lab, self.number)
        lab = self.arena.lab
        kind = self.arena.device
        mtu = XDP_MTU if kind == "net_af_xdp" else None
        device = lab.device(lab.home, self.far, kind=kind, number=self.number, mtu=mtu)
        if kind == "net_af_xdp":
            interface_set(device.iface, NAPI)
        return device

    def thread_seconds(self):
        """([of each thread that polls], of all others)"""
        poll, others = {}, 0.0
        folder = f"/proc/{self.server.pid}/task"
        for task in os.listdir(folder):
            try:
                with open(f"{folder}/{task}/comm", encoding="utf-8") as comm:
                    name = re.fullmatch(r"mr-poll-(\d+)\n", comm.read())
            except OSError:
                continue  # a thread that has ended
            seconds = stat_seconds(f"{folder}/{task}/stat")
            if name:
                poll[int(name[1])] = seconds
            else:
                others += seconds
        return [poll[number] for number in sorted(poll)], others

    def counts(self):
        """What busy_between() takes two of."""
        names = ("busy_cycles", "idle_cycles", "sleep_cycles")
        cores = [self.server.telemetry(f"/millrace/core,{core}") for core in range(self.nr_cores)]
        poll, others = self.thread_seconds()
        check(len(poll) == len(cores), f"{len(cores)} cores poll, but {len(poll)} threads do")
        return others, [(s, *(core[n] for n in names)) for s, core in zip(poll, cores)]

    @staticmethod
    def busy_between(before, after):
        """The process without idle polling: of each poll core's processor time the part of its
        waking cycles that it counts as busy. Cycles alone would not do: they also pass while
        another program has the processor."""
        seconds = after[0] - before[0]
        for old, new in zip(before[1], after[1]):
            used, busy, idle, asleep = (x - y for x, y in zip(new, old))
            seconds += used * busy / max(1, busy + idle - asleep)
        return seconds

    def load_device(self):
        nic = "net_af_xdp0,iface={},start_queue=0,queue_count=1"
        memif = self.entry.memif
        return [
            *("--nic", self.device.far_nic if memif else nic.format(self.device.far_iface)),
            *("--nic-address", self.device.peer if memif else f"10.77.{self.number}.9/24"),
            *("--eal-args", f"--file-prefix=mr{os.getpid()}-load{self.number}"),
        ]

    def close(self):
        super().close()
        shutil.rmtree(os.path.join(DPDK_RUN, self.server.prefix), ignore_errors=True)
        self.device.remove()
        if self.device in self.arena.lab.devices:
            self.arena.lab.devices.remove(self.device)


class Arena:
    """Where contestants stand. device: the kind of those of millrace."""

    def __init__(self, lab, device="net_af_xdp"):
        self.lab = lab
        self.device = device
        self.far = lab.netns("c")
        self.nr_started = 0
        self.present = []
        self.facts = {}

    def enter(self, entry):
        self.nr_started += 1
        check(self.nr_started < 250, "too many servers were started: no network is left for more")
        kind = Peer if entry.exe else Millrace
        contestant = kind(self, entry, self.nr_started)
        self.present.append(contestant)
        self.facts[entry.name] = contestant.facts()
        return contestant

    @contextlib.contextmanager
    def field(self, entries):
        """All of them started; ended afterwards."""
        contestants = []
        try:
            for entry in entries:
                with self.alone(None):
                    contestants.append(self.enter(entry))
            yield contestants
        finally:
            for contestant in contestants:
                contestant.signal(signal.SIGCONT)
                contestant.close()
                self.present.remove(contestant)

    @contextlib.contextmanager
    def alone(self, contestant):
        """Everybody else stands still meanwhile."""
        others = [other for other in self.present if other is not contestant]
        try:
            for other in others:
                other.signal(signal.SIGSTOP)
            yield
        finally:
            for other in others:
                other.signal(signal.SIGCONT)
