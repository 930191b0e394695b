#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What cannot be set up is refused: exit status not 0, and a message with the cause and where it stands."""
import os
import re
import socket
import subprocess
import sys

from lab import BUILD, Failed, check, run_test

POOL = ["--port", "7001", "--pmem-file", "pool", "--pmem-size", "16mb"]
# Name; lines of a file (or None); command line; what the message has to hold.
CASES = [
    (
        "unknown directive in a file",
        ["port 7001", "no-such-thing 1"],
        [],
        [r":2\b", "no-such-thing"],
    ),
    ("unknown directive on the line", None, ["--no-such-thing", "1"], ["no-such-thing"]),
    ("not a number", ["port seven"], [], [":1", "port"]),
    ("out of range", ["port 70000"], [], [":1", "port", "65535"]),
    (
        "not one of the words",
        ["# first", "", "pmem-durability fast"],
        [],
        [":3", "always", "everysec", "no"],
    ),
    ("neither yes nor no", ["protected-mode perhaps"], [], [":1", "yes", "no"]),
    ("too few values", ["replicaof 10.0.0.1"], [], [":1", "replicaof"]),
    ("unbalanced quotes", ['requirepass "open'], [], [":1"]),
    ("bad memory unit", ["maxmemory 12xb"], [], [":1", "maxmemory"]),
    ("no such file", None, ["there-is-none.conf"], ["there-is-none.conf", "(?i)no such file"]),
    ("bad nic-address", ["nic net_null0", "nic-address 10.0.0.300/24"], [], ["nic-address"]),
    ("nic-address without a nic", ["nic-address 10.0.0.3/24"], [], ["nic"]),
    ("bad poll-cores", ["poll-cores 3-1"], [], [":1", "poll-cores"]),
    ("no such bind address", None, [*POOL, "--bind", "203.0.113.7"], ["203.0.113.7"]),
    ("directory is not there", None, ["--dir", "/nonexistent"], ["/nonexistent"]),
    (
        "pool in a directory that is not there",
        None,
        ["--pmem-file", "/nonexistent/pool", "--pmem-size", "64mb"],
        ["/nonexistent/pool"],
    ),
    (
        "no such NIC",
        None,
        [*POOL, "--nic", "0000:ff:1f.7", "--nic-address", "10.0.0.2/24"],
        [r"no PCI device 0000:ff:1f\.7", "lspci"],
    ),
    (
        "interface is not there",
        None,
        [*POOL, "--nic", "net_af_xdp0,iface=mrnone", "--nic-address", "10.0.0.2/24"],
        ["no interface mrnone"],
    ),
    (
        "a tap interface that is there already",
        None,
        [*POOL, "--nic", "net_tap0,iface=lo", "--nic-address", "10.0.0.2/24"],
        [r"interface lo already|/dev/net/tun"],
    ),
    ("arguments that DPDK refuses", None, [*POOL, "--eal-args", "--bogus"], ["eal-args"]),
    ("a log file that cannot be", None, [*POOL, "--logfile", "/nonexistent/l"], ["/nonexistent/l"]),
    ("a unix socket that is a file", None, [*POOL, "--unixsocket", "file"], ["file: .*no socket"]),
    (
        "a user with a rule that is none",
        ["port 7001", "user bob on +get nonsense"],
        [],
        [":2", "user", "nonsense", "Syntax error"],
    ),
    ("a user twice", ["user bob on", "user bob off"], [], [":2", "user", "(?i)duplicate"]),
    ("a user with an unknown command", ["user bob +nosuch"], [], [":1", "Unknown command"]),
    ("users in two places", ["user bob on", "aclfile users.acl"], POOL, ["aclfile", "user"]),
    ("no such ACL file", ["aclfile nosuch.acl"], POOL, ["nosuch.acl", "(?i)no such file"]),
    ("an ACL file with an error", ["aclfile file"], POOL, ["file:1", "user keyword"]),
    ("a module", ["loadmodule /tmp/x.so"], [], [":1", "loadmodule"]),
]


def start(lab, lines, args):
    command = [os.path.join(BUILD, "app", "millrace")]
    if lines is not None:
        with open(os.path.join(lab.dir, "node.conf"), "w", encoding="ascii") as conf:
            conf.write("\n".join(lines) + "\n")
        command.append("node.conf")
    return subprocess.run(
        [*command, *args],
        cwd=lab.dir,
        stdin=subprocess.DEVNULL,
        timeout=20,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_port_in_use(lab):
    """It is said, and no pool is made for a node that cannot serve."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 7001))
        taken.listen()
        done = start(lab, None, [*POOL])
    check(done.returncode > 0, "exit status 0 with the port in use")
    check("port 7001" in done.stdout and "in use" in done.stdout, done.stdout[-300:])
    check(not os.path.exists(os.path.join(lab.dir, "pool")), "a pool was made for nothing")


def test_unix_socket_in_use(lab):
    path = os.path.join(lab.dir, "socket")
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(path)
        taken.listen()
        done = start(lab, None, [*POOL, "--unixsocket", path])
        check(done.returncode > 0, "exit status 0 with the unix socket in use")
        check("another program" in done.stdout, done.stdout[-300:])
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)  # its owner still has it


def test_huge_pages(lab):
    with open("/proc/meminfo", encoding="ascii") as info:
        words = {line.split()[0]: int(line.split()[1]) for line in info}
    if words["HugePages_Free:"] * words["Hugepagesize:"] >= 256 << 10:
        print("enough hugepages here to start with: not tried without")
        return
    done = start(lab, None, [*POOL, "--huge-pages", "yes"])
    check(done.returncode > 0, "exit status 0 without the hugepages that were asked for")
    check("nr_hugepages" in done.stdout, done.stdout[-300:])


def test(lab):
    with open(os.path.join(lab.dir, "file"), "w", encoding="ascii") as file:
        file.write("not a socket")
    test_port_in_use(lab)
    test_unix_socket_in_use(lab)
    test_huge_pages(lab)
    faults = []
    for name, lines, args, wanted in CASES:
        try:
            done = start(lab, lines, args)
        except subprocess.TimeoutExpired:
            faults.append(f"{name}: the node started")
            continue
        if done.returncode <= 0:
            faults.append(f"{name}: exit status {done.returncode}: {done.stdout[-300:]}")
        for pattern in wanted:
            if not re.search(pattern, done.stdout):
                faults.append(f"{name}: no {pattern!r} in: {done.stdout[-300:]}")
    check(os.path.exists(os.path.join(lab.dir, "file")), "the file is gone")
    if faults:
        raise Failed("\n".join(faults))


if __name__ == "__main__":
    sys.exit(run_test(test))
