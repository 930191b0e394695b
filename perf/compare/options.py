# SPDX-License-Identifier: BSD-3-Clause
"""The command line of perf/compare/run, checked."""
import argparse
import os
import re
import shutil

import experiments

QUICK = {
    "rounds": 2,
    "seconds": 1,
    "pipelines": [1, 16],
    "loads": [0.25, 0.75],
    "sync_mb": 32,
    "durable_pipelines": [16],
    "only": ["pipeline", "load", "cores", "fullsync", "durable"],
}
FULL = {
    "rounds": 5,
    "seconds": 5,
    "pipelines": [1, 4, 16, 64],
    "loads": [0.1, 0.25, 0.5, 0.75, 0.9, 1.1],
    "sync_mb": 256,
    "durable_pipelines": [1, 16],
    "only": list(experiments.ALL),
}
DEVICES = ("net_af_xdp", "net_af_packet", "net_tap")


def number(low, high):
    """A type of argparse: whole numbers of that range."""

    def parse(text):
        if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number from {low} to {high}")
        return int(text)

    return parse


def several(kind):
    """Values with commas between."""

    def parse(text):
        return list(dict.fromkeys(kind(word) for word in text.split(",")))

    return parse


def real(low, high, what):
    """A type of argparse: numbers of that range."""

    def parse(text):
        value = float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) else -1.0
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: {what}, {low:g} to {high:g}")
        return value

    return parse


def experiment(text):
    if text not in experiments.ALL:
        known = ", ".join(experiments.ALL)
        raise argparse.ArgumentTypeError(f"{text!r}: no such experiment; there are: {known}")
    return text


def cpu_list(text):
    """As 0, 2-3 or 0,2-3; of those that this process may use."""
    found = []
    for word in text.split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", word)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high:
            raise argparse.ArgumentTypeError(f"{text!r}: processors, as 0 or 2-3 or 0,2")
        found += range(low, high + 1)
    unknown = sorted(set(found) - os.sched_getaffinity(0))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such processor here: {', '.join(map(str, unknown))}")
    return list(dict.fromkeys(found))


def program(text):
    path = shutil.which(text)
    if not path:
        raise argparse.ArgumentTypeError(f"{text}: no such program")
    return os.path.abspath(path)


def peer(text):
    name, _, path = text.partition("=")
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name) or not path or name == "millrace":
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=PROGRAM is wanted")
    return name, program(path)


def folder(text):
    if not os.path.isdir(text) or not os.access(text, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text}: not a folder that can be written")
    return os.path.abspath(text)


def parser_make(about):
    parser = argparse.ArgumentParser(
        prog="run", description=about, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="about a minute, to see that it works")
    add("--only", type=several(experiment), metavar="NAME,...", help="only these experiments")
    add("--peer", type=peer, action="append", default=[], metavar="NAME=PROGRAM",
        help="one more server with redis-server's command line;\n"
        "redis-server and valkey-server are found by themselves")
    add("--memtier", "--client", dest="client", type=program, metavar="PROGRAM",
        help="the client: memtier_benchmark, redis-benchmark or\n"
        "millrace-load (default: $MEMTIER, or what is on the path)")
    add("--rounds", type=number(1, 1000))
    add("--seconds", type=number(1, 3600), help="of each measurement")
    add("--pipelines", type=several(number(1, 4096)), metavar="N,...", help="depths")
    add("--loads", type=several(real(0.01, 10, "a part of the highest rate")), metavar="X,...",
        help="parts of the highest rate")
    add("--durable-pipelines", type=several(number(1, 4096)), metavar="N,...",
        help="depths for durable")
    add("--connections", type=number(1, 10000), default=50)
    add("--keys", type=number(1, 100000000), default=100000)
    add("--value", type=number(1, 1 << 20), default=32, help="bytes")
    add("--sync-mb", type=number(1, 65536), help="size of the set that is synchronised")
    add("--cores", type=several(number(1, os.cpu_count())), metavar="N,...",
        help="numbers of cores (default: powers of 2)")
    add("--server-cpus", type=cpu_list, help="processors of the servers (default: the upper half)")
    add("--client-cpus", type=cpu_list, help="of the client (default: the others)")
    add("--noise", type=real(0, 1024, "cores"), default=1024.0, metavar="CORES",
        help="measure again when other programs used more meanwhile\n(default: whatever they do)")
    add("--device", choices=DEVICES, default=DEVICES[0], help="millrace's (default: %(default)s)")
    add("--medium", choices=("pmem", "file"), default="pmem",
        help="what millrace takes the memory in --pool for (default: pmem)")
    add("--pool", type=folder, default="/dev/shm", help="folder in memory, for pools (default: %(default)s)")
    add("--disk", type=folder, default="/var/tmp", help="folder on a disk, for durable (default: %(default)s)")
    add("--results", metavar="FOLDER", help="where results go (default: a new one in perf/results)")
    add("--report", metavar="FOLDER", help="measures nothing: table and plots of FOLDER/results.json anew")
    add("options", nargs="*", metavar="-- OPTION", help="more of millrace's own")
    return parser


def processors(args):
    """Processors of the servers and of the client, disjoint where the machine allows."""
    every = sorted(os.sched_getaffinity(0))
    half = max(1, len(every) // 2)
    servers = args.server_cpus or [c for c in every if c not in (args.client_cpus or every[:half])]
    servers = servers or every[-1:]
    return servers, args.client_cpus or [c for c in every if c not in servers] or every[:1]


def peers(args):
    names = ("redis-server", "valkey-server")
    found = {name: shutil.which(name) for name in names if shutil.which(name)}
    return {**found, **dict(args.peer)}


def core_counts(args):
    if args.cores:
        return sorted(args.cores)
    return [1 << bit for bit in range(12) if 1 << bit <= os.cpu_count()]


def sizes(args):
    """What was asked for, else what --quick or a whole run has."""
    given = vars(args)
    chosen = QUICK if args.quick else FULL
    return {key: value if given[key] is None else given[key] for key, value in chosen.items()}
