# SPDX-License-Identifier: BSD-3-Clause
"""The clients: memtier_benchmark, redis-benchmark and millrace-load under one interface.

A client turns a Load into a command line, and what the command leaves into a dict: ops (a second),
p50_ms, p99_ms, and client_cores of a client that polls. What a client does not tell is absent.
"""
import dataclasses
import json
import os
import re
import shutil
import subprocess

from lab import BUILD, Failed, check, shell


@dataclasses.dataclass
class Load:
    connections: int = 50
    pipeline: int = 1
    sets: int = 1  # SET:GET is sets:gets
    gets: int = 1
    value_bytes: int = 32
    keys: int = 100000
    seconds: int = 5
    rate: int = 0  # requests a second, of all connections; 0: as fast as replies come


class Client:
    """cpus: those it runs on, one thread each."""

    can_pace = False  # keeps to Load.rate
    raw_frames = False  # sees frames as they are: checksums are made in software, not left open
    note = ""  # what its figures mean

    def __init__(self, path, cpus):
        self.path = path
        self.cpus = cpus

    @property
    def name(self):
        return os.path.basename(self.path)

    def version(self):
        done = subprocess.run([self.path, "--version"], capture_output=True, text=True, check=False)
        return (done.stdout.splitlines() or [self.name])[0]

    def command(self, target, load, out):
        raise NotImplementedError

    def result(self, text, out, load):
        raise NotImplementedError

    def fill_command(self, target, load):
        """Sets every key that the load touches; None: the load does that itself."""
        raise NotImplementedError

    def connections(self, load):
        """As many as there can be: each processor has the same number."""
        return max(1, load.connections // len(self.cpus)) * len(self.cpus)

    def execute(self, target, command, seconds):
        args = [*target.far.prefix(), "taskset", "-c", ",".join(map(str, self.cpus)), *command]
        return shell(*args, timeout=60 + 20 * seconds)

    def fill(self, target, load):
        command = self.fill_command(target, load)
        if command:
            self.execute(target, command, 30)

    def run(self, target, load):
        """(figures, command line without the places of files)"""
        out = os.path.join(target.server.dir, "client.json")
        command = self.command(target, load, out)
        text = self.execute(target, command, load.seconds)
        told = [self.name if word == self.path else word for word in command]
        told = ["client.json" if word == out else word for word in told]
        try:
            return self.result(text, out, load), " ".join(told)
        except (OSError, ValueError, KeyError, TypeError) as why:
            raise Failed(f"{self.name} told something else than it used to: {why!r}") from None


class Memtier(Client):
    can_pace = True
    note = "each connection is paced, and latency counts from when a request was sent"

    def common(self, target, load):
        threads = len(self.cpus)
        return [
            self.path,
            *("-s", target.host, "-p", str(target.server.port), "-t", str(threads)),
            *("-c", str(self.connections(load) // threads)),
            *("-d", str(load.value_bytes), "--key-minimum", "1", "--key-maximum", str(load.keys)),
            "--hide-histogram",
        ]

    def command(self, target, load, out):
        args = [
            *self.common(target, load),
            *("--ratio", f"{load.sets}:{load.gets}", "--pipeline", str(load.pipeline)),
            *("--test-time", str(load.seconds), "--json-out-file", out),
        ]
        if load.rate:
            args += ["--rate-limiting", str(max(1, round(load.rate / self.connections(load))))]
        return args

    def fill_command(self, target, load):
        return [
            *self.common(target, load),
            *("--ratio", "1:0", "--pipeline", "64", "--key-pattern", "P:P", "-n", "allkeys"),
        ]

    def result(self, text, out, load):
        with open(out, encoding="utf-8") as data:
            totals = json.load(data)["ALL STATS"]["Totals"]
        points = totals.get("Percentile Latencies", {})
        check(totals["Ops/sec"] > 0, f"memtier measured nothing: {text[-400:]}")
        return {
            "ops": totals["Ops/sec"],
            "p50_ms": points.get("p50.00"),
            "p99_ms": points.get("p99.00"),
        }


class RedisBenchmark(Client):
    """It counts requests, not seconds: a short run before the first tells how many make a second."""

    note = "SET and GET one after the other, of which the mean is taken"
    PROBE = 2000  # requests, for each that is under way on a connection

    def __init__(self, path, cpus):
        super().__init__(path, cpus)
        self.rates = {}  # (server, depth) -> requests a second

    def common(self, target, load):
        return [
            self.path,
            *("-h", target.host, "-p", str(target.server.port), "-c", str(load.connections)),
            *("-d", str(load.value_bytes), "-r", str(load.keys), "--csv"),
        ]

    def tests(self, load):
        return ["set"] * bool(load.sets) + ["get"] * bool(load.gets)

    def command_for(self, target, load, requests):
        return [
            *self.common(target, load),
            *("-P", str(load.pipeline), "-n", str(requests), "-t", ",".join(self.tests(load))),
        ]

    def command(self, target, load, out):
        key = (target.label, load.pipeline)
        if key not in self.rates:
            probe = self.command_for(target, load, self.PROBE * min(16, load.pipeline))
            self.rates[key] = self.result(self.execute(target, probe, 30), out, load)["ops"]
        requests = max(1000, int(self.rates[key] * load.seconds) // len(self.tests(load)))
        return self.command_for(target, load, requests)

    def fill_command(self, target, load):
        return [*self.common(target, load), "-P", "64", "-n", str(4 * load.keys), "-t", "set"]

    def result(self, text, out, load):
        rows = re.findall(
            r'^"(?:SET|GET)","([\d.]+)","[\d.]+","[\d.]+","([\d.]+)","[\d.]+","([\d.]+)"',
            text,
            re.M,
        )
        check(len(rows) == len(self.tests(load)), f"redis-benchmark: {text[-400:]}")
        return {
            "ops": len(rows) / sum(1 / float(row[0]) for row in rows),
            "p50_ms": max(float(row[1]) for row in rows),
            "p99_ms": max(float(row[2]) for row in rows),
        }


class MillraceLoad(Client):
    """Speaks to any server, over a DPDK device of its own that the target tells."""

    can_pace = True
    raw_frames = True
    note = "one schedule for all, and latency counts from when a request was due"

    def version(self):
        return self.name

    def common(self, target, load):
        return [
            self.path,
            *target.load_device(),
            *("--server", target.host, "--port", str(target.server.port)),
            *("--connections", str(load.connections), "--keys", str(load.keys)),
            *("--data-size", str(load.value_bytes), "--cores", ",".join(map(str, self.cpus))),
            "--quiet",
        ]

    def command(self, target, load, out):
        args = [
            *self.common(target, load),
            *("--ratio", f"{load.sets}:{load.gets}", "--pipeline", str(load.pipeline)),
            *("--seconds", str(load.seconds), "--warm-up", "0.2", "--json", out),
        ]
        return args + (["--rate", str(load.rate)] if load.rate else [])

    def fill_command(self, target, load):
        return [*self.common(target, load), "--load", "--seconds", "0.1", "--warm-up", "0"]

    def result(self, text, out, load):
        with open(out, encoding="utf-8") as data:
            found = json.load(data)
        return {
            "ops": found["per_s"],
            "p50_ms": found["p50_us"] / 1000,
            "p99_ms": found["p99_us"] / 1000,
            "client_cores": found["client_busy"] * len(self.cpus),
        }


def find(wanted, cpus):
    """The client to use: a path, or what the machine has; None: nothing."""
    path = (
        wanted
        or os.environ.get("MEMTIER")
        or shutil.which("memtier_benchmark")
        or shutil.which("redis-benchmark")
    )
    if not path:
        return None
    if not shutil.which(path):
        raise Failed(f"{path}: not a program")
    kinds = {"memtier": Memtier, "millrace-load": MillraceLoad, "redis-benchmark": RedisBenchmark}
    kind = next((k for part, k in kinds.items() if part in os.path.basename(path)), None)
    if not kind:
        raise Failed(f"{path}: no client that is known here: {', '.join(kinds)}")
    return kind(os.path.abspath(shutil.which(path)), cpus)


def find_load(cpus):
    """millrace-load, if it has been built; else None."""
    path = os.path.join(BUILD, "perf", "load", "millrace-load")
    return MillraceLoad(path, cpus) if os.access(path, os.X_OK) else None
