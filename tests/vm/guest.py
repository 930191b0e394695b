# SPDX-License-Identifier: BSD-3-Clause
"""A machine with NICs, an IOMMU and persistent memory, as a QEMU guest.

The guest's processors are emulated (TCG): slow, but the same everywhere. Its kernel is Debian's;
its only programs are busybox and the node under test. Whoever uses it is in a network namespace of
its own, where each NIC of the guest has a tap interface as its other end.
"""
import glob
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import time

import initramfs
from lab import BUILD, Failed, Skipped, check, need, shell, until
from resp import Resp

HERE = os.path.dirname(os.path.abspath(__file__))
WIRE, QEMU_WIRE = 7100, 7200  # UDP ports of NICs in a VLAN: the wire's and QEMU's
QEMU = "qemu-system-x86_64"
MODULES = ("vfio_pci", "vfio_iommu_type1", "uio_pci_generic", "nfit", "nd_pmem")


class Kernel:
    """An unpacked or installed kernel package: root holds boot/ and lib/modules/."""

    def __init__(self, root, version):
        self.version = version
        self.image = os.path.join(root, "boot", f"vmlinuz-{version}")
        self.modules = os.path.join(root, "lib", "modules", version)

    @classmethod
    def find(cls):
        for root in (os.path.join(BUILD, "guest-kernel"), "/"):
            for image in sorted(glob.glob(os.path.join(root, "boot", "vmlinuz-*")), reverse=True):
                kernel = cls(root, os.path.basename(image)[len("vmlinuz-") :])
                if os.path.exists(os.path.join(kernel.modules, "modules.order")):
                    return kernel
        raise Skipped(
            "there is no kernel for the guest: ./runtests --suite vm fetches linux-image-cloud-amd64"
        )


class Qmp:
    """QEMU's control connection."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(20)
        self.lines = self.sock.makefile("r", encoding="utf-8")
        self.lines.readline()  # the greeting
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        request = {"execute": command, "arguments": arguments}
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        while True:
            line = self.lines.readline()
            if not line:
                raise Failed(f"QEMU ended during {command}")
            answer = json.loads(line)
            if "error" in answer:
                raise Failed(f"QEMU: {command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]


class Nic:
    """A NIC of the guest and the tap interface at its other end. options: of QEMU's device; mtu and
    vlan: of both ends, when they are to be other than usual."""

    def __init__(self, model, number, queues=1, options="", mtu=0, vlan=0):
        self.model, self.number, self.queues, self.options = model, number, queues, options
        self.mtu, self.vlan = mtu, vlan
        self.tap = f"tap{number}"
        self.name = f"nic{number}"
        self.pci = f"0000:00:{0x10 + number:02x}.0"
        self.address, self.peer = (f"10.78.{number}.{end}" for end in (2, 1))
        self.address_v6, self.peer_v6 = (f"fd78:{number}::{end}" for end in (2, 1))

    def __str__(self):
        return f"{self.model} at {self.pci}"

    def setup(self, lab):
        if self.vlan:
            wire = lab.spawn(
                os.path.join(HERE, "vlan_wire.py"),
                *(self.tap, str(self.vlan), str(WIRE + self.number), str(QEMU_WIRE + self.number)),
                stdout=subprocess.PIPE,
                text=True,
            )
            check(wire.stdout.readline() == "ready\n", "the wire of the VLAN does not start")
        else:
            queues = ["multi_queue"] if self.queues > 1 else []
            shell("ip", "tuntap", "add", "dev", self.tap, "mode", "tap", *queues)
        if self.mtu:
            shell("ip", "link", "set", self.tap, "mtu", str(self.mtu))
        shell("ip", "link", "set", self.tap, "up")
        shell("ip", "addr", "add", self.peer + "/24", "dev", self.tap)
        shell("ip", "addr", "add", self.peer_v6 + "/64", "dev", self.tap, "nodad")

    def directives(self):
        """What tells the node of it."""
        args = f"--nic {self.pci} --nic-address {self.address}/24,{self.address_v6}/64"
        return f"{args} --nic-vlan {self.vlan} --nic-mtu {self.mtu}"

    def arguments(self):
        if self.vlan:
            back = f"socket,udp=127.0.0.1:{WIRE + self.number}"
            back += f",localaddr=127.0.0.1:{QEMU_WIRE + self.number}"
        else:
            back = f"tap,ifname={self.tap},script=no,downscript=no,queues={self.queues}"
        front = (
            f"{self.model},id={self.name},netdev=net{self.number},addr={0x10 + self.number:#x},"
            f"romfile=,mac=52:54:00:78:00:{self.number:02x}"
        )
        return ["-netdev", f"{back},id=net{self.number}", "-device", front + self.options]


class Guest:
    """One machine. machine: options of QEMU's -machine; kernel_args: for the guest's kernel; more:
    further arguments of QEMU; programs: of this machine, to be there in the guest."""

    def __init__(
        self, lab, nics=(), cpus=2, memory="1024", machine="q35", kernel_args="", more=(), programs=()
    ):
        need(QEMU, initramfs.BUSYBOX, *programs)
        if platform.machine() != "x86_64":
            raise Skipped("the guest is an x86-64 machine, and runs the node that was built here")
        self.lab, self.nics, self.cpus, self.memory = lab, list(nics), cpus, memory
        self.machine, self.kernel_args, self.more = machine, kernel_args, list(more)
        self.dir = os.path.join(lab.dir, "guest")
        os.makedirs(self.dir, exist_ok=True)
        self.kernel = Kernel.find()
        self.initrd = os.path.join(self.dir, "initrd")
        self.process = self.line = self.qmp = None
        initramfs.make(
            self.initrd,
            self.kernel,
            os.path.join(HERE, "init"),
            os.path.join(BUILD, "app", "millrace"),
            [shutil.which(program) for program in programs],
            MODULES,
        )
        for nic in self.nics:
            nic.setup(lab)

    def command(self):
        args = [QEMU, "-accel", "tcg,thread=multi", "-machine", self.machine]
        args += ["-cpu", "max", "-smp", str(self.cpus), "-m", self.memory]
        args += ["-nodefaults", "-no-user-config", "-nographic", "-no-reboot"]
        args += ["-kernel", self.kernel.image, "-initrd", self.initrd]
        args += ["-append", "console=ttyS0 panic=-1 quiet " + self.kernel_args]
        args += ["-chardev", f"file,id=console,path={self.dir}/console,append=on"]
        args += ["-serial", "chardev:console"]
        args += ["-chardev", f"socket,id=line,path={self.dir}/line,server=on,wait=off"]
        args += ["-serial", "chardev:line"]
        args += ["-qmp", f"unix:{self.dir}/qmp,server=on,wait=off"]
        for nic in self.nics:
            args += nic.arguments()
        return args + self.more

    @property
    def console(self):
        with open(os.path.join(self.dir, "console"), encoding="utf-8", errors="replace") as text:
            return text.read()

    def start(self, timeout=60):
        """Boots it; returns when it takes requests."""
        for name in ("line", "qmp"):
            if os.path.exists(os.path.join(self.dir, name)):
                os.unlink(os.path.join(self.dir, name))
        began = time.monotonic()
        with open(os.path.join(self.dir, "qemu"), "ab") as log:
            self.process = self.lab.spawn(*self.command(), stdout=log, stderr=log)
        self.qmp = Qmp(until("QEMU", lambda: self.connect("qmp"), 20))
        self.line = until("the guest's line", lambda: self.connect("line"), 20)
        self.line.settimeout(timeout)
        self.answers = self.line.makefile("r", encoding="utf-8", errors="replace")
        self.answer("boot")
        print(f"the guest is up after {time.monotonic() - began:.1f} s", flush=True)
        return self

    def connect(self, name):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(os.path.join(self.dir, name))
        except OSError:
            sock.close()
            if self.process.poll() is not None:
                with open(os.path.join(self.dir, "qemu"), encoding="utf-8") as log:
                    raise Failed(f"QEMU ended: {log.read()[-600:]}") from None
            raise
        return sock

    def answer(self, what):
        """What the guest prints up to the next status line, and the status."""
        lines = []
        try:
            for line in self.answers:
                if line.startswith("== "):
                    return int(line[3:]), "".join(lines)
                lines.append(line)
        except TimeoutError:
            pass
        raise Failed(f"the guest did not finish: {what}\n" + self.tail())

    def tail(self, lines=30):
        return "\n".join("   | " + line[:200] for line in self.console.splitlines()[-lines:])

    def status(self, command):
        """Runs a line of shell in the guest: its status and its output."""
        self.line.sendall(command.encode() + b"\n")
        return self.answer(command)

    def run(self, command):
        """Runs a line of shell that has to succeed; its output."""
        status, output = self.status(command)
        check(status == 0, f"in the guest: {command}: status {status}: {output.strip()[-600:]}")
        return output

    def bind(self, nic, driver):
        """Gives a NIC to a kernel driver; "" takes it from whichever it has."""
        device = f"/sys/bus/pci/devices/{nic.pci}"
        self.run(
            f"cd {device} && echo {driver} >driver_override && "
            f"{{ test ! -e driver || echo {nic.pci} >driver/unbind; }} && "
            f"echo {nic.pci} >/sys/bus/pci/drivers_probe && "
            f"test $(basename $(readlink driver)) = {driver}"
        )

    def kill(self):
        """Takes the power away: SIGKILL, and it is gone when this returns."""
        self.process.kill()
        self.process.wait()
        for end in (self.line, self.qmp.sock):
            end.close()

    def node(self, nics, options="", port=7777):
        return GuestNode(self, nics, options, port)


class GuestNode:
    """The node in the guest, reached over the guest's NICs."""

    def __init__(self, guest, nics, options, port):
        self.guest, self.nics, self.options, self.port = guest, nics, options, port
        self.began = 0

    def arguments(self):
        args = f"--port {self.port} --protected-mode no --enable-debug-command yes"
        return " ".join([args, *(nic.directives() for nic in self.nics), self.options])

    def check_says(self, status, *wanted):
        """millrace --check ends with this status and says, among other things, what is wanted."""
        found, text = self.guest.status("millrace --check " + self.arguments())
        for part in wanted:
            check(part in text, f"--check does not say {part!r}:\n{text}")
        check(found == status, f"--check ended with {found}, not {status}:\n{text}")

    def refuses(self, *wanted, options=""):
        """It does not start with these options as well, and says what is wanted."""
        command = f"timeout 20 millrace {self.arguments()} {options}"
        status, text = self.guest.status(command)
        for part in wanted:
            check(part in text, f"{options}: the node does not say {part!r}:\n{text}")
        check(status == 1, f"{options}: the node ended with {status}:\n{text}")

    def start(self, timeout=30):
        """Starts it and waits until it answers over its first NIC."""
        self.began = len(self.guest.console)
        self.guest.run(
            f"rm -f /tmp/status; (millrace {self.arguments()} >/dev/console 2>&1; "
            "echo $? >/tmp/status) & "
        )
        try:
            until("an answer of the node", lambda: self.call("PING") == b"PONG", timeout)
        except Failed as why:
            raise Failed(f"{why}\n{self.guest.tail()}") from None
        for line in re.findall(r"nic: .*", self.log):
            print(line.strip())
        return self

    @property
    def log(self):
        """What it has said since its start."""
        return self.guest.console[self.began :]

    def connect(self, nic=None, timeout=30.0, v6=False):
        nic = nic or self.nics[0]
        return Resp((nic.address_v6 if v6 else nic.address, self.port), timeout)

    def call(self, *args):
        with self.connect(timeout=5.0) as conn:
            return conn.call(*args)

    def info(self, section="all"):
        with self.connect() as conn:
            return conn.info(section)

    def cores(self):
        """INFO's line of each poll core as a dict of numbers."""
        lines = self.info("millrace")
        found = [lines[key] for key in sorted(lines) if re.fullmatch(r"core\d+", key)]
        return [
            {key: float(value) for key, value in (pair.split("=") for pair in line.split(","))}
            for line in found
        ]

    def stop(self):
        """SIGTERM; its exit status."""
        self.guest.run("killall millrace")
        until("the node's end", lambda: self.guest.status("test -s /tmp/status")[0] == 0, 20)
        return int(self.guest.run("cat /tmp/status"))
