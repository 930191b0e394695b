# SPDX-License-Identifier: BSD-3-Clause
"""Makes the guest's initial RAM file system: busybox, the node with its libraries and DPDK's
drivers, and kernel modules, as an archive in cpio's "newc" form, which the kernel unpacks.
"""
import os
import re
import stat
import subprocess

from lab import Failed, Skipped

BUSYBOX = "/bin/busybox"
DRIVERS = ("bus_pci", "bus_vdev", "mempool_ring", "net_e1000", "net_virtio", "net_vmxnet3")


class Archive:
    """A cpio archive in memory; directories are made as they are needed."""

    def __init__(self):
        self.parts = []
        self.size = 0
        self.names = set()

    def emit(self, data):
        self.parts.append(data)
        self.size += len(data)
        if self.size % 4:
            self.emit(b"\0" * (4 - self.size % 4))

    def entry(self, name, mode, data):
        """Header: magic, then 13 numbers of 8 hexadecimal digits (ino, mode, uid, gid, nlink,
        mtime, size, 4 of devices, length of the name with its NUL, checksum)."""
        numbers = [len(self.names) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % number for number in numbers)
        self.emit(head + name.encode() + b"\0")
        self.emit(data)
        self.names.add(name)

    def directory(self, name):
        if name and name not in self.names:
            self.directory(os.path.dirname(name))
            self.entry(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name, data, mode=0o644):
        name = name.lstrip("/")
        if name not in self.names:
            self.directory(os.path.dirname(name))
            self.entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        name = name.lstrip("/")
        if name not in self.names:
            self.directory(os.path.dirname(name))
            self.entry(name, stat.S_IFLNK | 0o777, target.encode())

    def copy(self, source, name=None):
        """A file of this machine; without another name, under its own with /lib as /usr/lib. What
        is a link here is one there: a library under two names is still loaded once."""
        folder, base = os.path.split(source)
        place = name or os.path.join(os.path.realpath(folder), base)
        if os.path.islink(source) and not name:
            target = os.readlink(source)
            self.link(place, target)
            self.copy(os.path.join(folder, target))
            return
        with open(source, "rb") as data:
            self.file(place, data.read(), 0o755)

    def write(self, path):
        self.entry("TRAILER!!!", 0, b"")
        with open(path, "wb") as out:
            out.write(b"".join(self.parts))


def libraries(program):
    """The shared libraries of a program or library, the loader among them."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"ldd {program}: {done.stderr.strip()}")
    words = (word for line in done.stdout.splitlines() for word in line.split())
    return [word for word in words if word.startswith("/")]


def drivers(program):
    """DPDK's drivers that the guest's devices need, in the folder where DPDK's library, which the
    node is linked with, looks for them."""
    eal = [path for path in libraries(program) if "librte_eal.so" in path]
    if not eal:
        raise Skipped("the node is linked with DPDK statically: no drivers to take along")
    version = os.path.realpath(eal[0]).rsplit(".so.", 1)[1]
    folder = os.path.join(os.path.dirname(eal[0]), "dpdk", f"pmds-{version}")
    for driver in DRIVERS:
        path = os.path.join(folder, f"librte_{driver}.so.{version}")
        if not os.path.exists(path):
            raise Skipped(f"{path} is not there (packages librte-*)")
        yield path


def module_name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def depends(path):
    """The modules that a module names as its needs, in its section .modinfo."""
    with open(path, "rb") as data:
        match = re.search(rb"\0depends=([^\0]*)\0", data.read())
    return match.group(1).decode().split(",") if match and match.group(1) else []


def module_files(kernel, names):
    """The modules with all that they depend on, what is needed first."""
    with open(os.path.join(kernel.modules, "modules.order"), encoding="ascii") as lines:
        there = {module_name(line.strip()): line.strip() for line in lines}
    with open(os.path.join(kernel.modules, "modules.builtin"), encoding="ascii") as lines:
        builtin = {module_name(line.strip()) for line in lines}
    ordered = []

    def add(name):
        if name in builtin:
            return
        if name not in there:
            raise Skipped(f"kernel {kernel.version} has no module {name}")
        path = os.path.join(kernel.modules, there[name])
        for needed in depends(path):
            add(needed.replace("-", "_"))
        if path not in ordered:
            ordered.append(path)

    for name in names:
        add(name)
    return ordered


def make(path, kernel, init, node, programs, modules):
    """Writes the archive to path. kernel: a guest.Kernel; init: the first program; node and
    programs: executables, the node's and others; modules: names."""
    archive = Archive()
    for folder in ("bin", "lib", "lib64"):
        archive.directory("usr/" + folder)
        archive.link(folder, "usr/" + folder)
    archive.copy(init, "init")
    archive.copy(BUSYBOX, "usr/bin/busybox")
    needed = []
    for program in (node, *programs):
        archive.copy(program, "usr/bin/" + os.path.basename(program))
        needed += libraries(program)
    for driver in drivers(node):
        needed += [driver, *libraries(driver)]
    for library in sorted(set(needed)):
        archive.copy(library)
    order = []
    for module in module_files(kernel, modules):
        order.append("/modules/" + os.path.basename(module))
        archive.copy(module, order[-1])
    archive.file("modules/order", "".join(f"{name}\n" for name in order).encode())
    archive.write(path)
