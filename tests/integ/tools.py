#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""redis-benchmark and redis-cli, unchanged, over the DPDK device and over loopback."""
import os
import re
import subprocess
import sys
import time

from lab import Failed, check, equal, need, run_test, shell


class Place:
    """Where a tool runs and how it reaches the node."""

    def __init__(self, node, netns, host):
        self.node, self.netns, self.host = node, netns, host

    def run(self, program, *args, **more):
        return self.netns.run(program, "-h", self.host, "-p", str(self.node.port), *args, **more)

    def cli(self, *args):
        return self.run("redis-cli", *args)


def test_benchmark(place):
    for pipeline in (1, 16):
        count = 20000 * min(pipeline, 5)
        out = place.run(
            "redis-benchmark",
            "-P",
            str(pipeline),
            "-n",
            str(count),
            "-c",
            "50",
            "-d",
            "32",
            "-t",
            "ping,set,get,incr,mset",
            "-r",
            "10000",
            "-q",
            timeout=100,
        )
        rates = dict(
            re.findall(r"^(\S[^:\r]*): ([\d.]+) requests per second", out.replace("\r", "\n"), re.M)
        )
        for wanted in ("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"):
            check(
                float(rates.get(wanted, 0)) > 0,
                f"redis-benchmark -P {pipeline}: no {wanted} in {out[-800:]}",
            )
        check("error" not in out.lower(), out[-800:])


def fill(place):
    place.cli("flushall")
    lines = [f"SET key:{i} value-{i}\r\n" for i in range(5000)]
    lines += [f"SETBIT bits:{i} 4095 1\r\n" for i in range(10)]
    lines.append("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$200000\r\n" + "x" * 200000 + "\r\n")
    path = os.path.join(place.node.dir, "commands")
    with open(path, "w", encoding="ascii", newline="") as out:
        out.writelines(lines)
    with open(path, "rb") as commands:
        done = subprocess.run(
            [
                *place.netns.prefix(),
                "redis-cli",
                "-h",
                place.host,
                "-p",
                str(place.node.port),
                "--pipe",
            ],
            stdin=commands,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
    check("errors: 0, replies: 5011" in done.stdout, f"redis-cli --pipe: {done.stdout[-400:]}")
    equal(place.cli("dbsize").strip(), "5011", "DBSIZE after --pipe")


def test_cli(place):
    keys = place.cli("--scan", "--pattern", "key:*").split()
    equal(len(keys), 5000, "keys that --scan lists")
    equal(len(set(keys)), 5000, "different keys that --scan lists")
    out = place.cli("--bigkeys")
    check("Sampled 5011 keys" in out, f"--bigkeys: {out[-600:]}")
    check(
        re.search(r'Biggest string found.*"big".* has 200000 bytes', out),
        f"--bigkeys: {out[-600:]}",
    )
    out = place.cli("--memkeys")
    check("Sampled 5011 keys" in out, f"--memkeys: {out[-600:]}")
    equal(place.cli("-r", "3", "-i", "0.01", "ping").split(), ["PONG"] * 3, "-r 3 ping")
    equal(place.cli("-3", "hello", "3").split("\n")[0], "server redis", "HELLO 3")
    out = place.cli("--latency", "-i", "1", "--raw")
    check(re.match(r"\d+ \d+ [\d.]+ \d+", out), f"--latency: {out[:200]}")
    for words in (
        ("info", "server"),
        ("command", "docs", "set"),
        ("client", "list"),
        ("config", "get", "port"),
    ):
        check(place.cli(*words).strip(), f"{words}: empty")


def test_stat(place):
    """--stat goes on for ever: three lines are enough."""
    process = subprocess.Popen(
        [
            *place.netns.prefix(),
            "redis-cli",
            "-h",
            place.host,
            "-p",
            str(place.node.port),
            "--stat",
            "-i",
            "0.1",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines = [process.stdout.readline() for _ in range(5)]
    finally:
        process.kill()
        process.wait()
    check("keys" in lines[1] and "mem" in lines[1], f"--stat: {lines}")
    check(re.match(r"5011\s+\d", lines[2]), f"--stat: {lines}")


def test_rdb(lab, place):
    """The file that --rdb fetches starts a stock server with the same data."""
    path = os.path.join(place.node.dir, "dump.rdb")
    place.cli("--rdb", path)
    check(os.path.getsize(path) > 100000 // 2, "the file of --rdb is too small")
    shell("redis-check-rdb", path)
    other = lab.stock("loaded", port=7800 + len(lab.servers))
    os.replace(path, os.path.join(other.dir, "dump.rdb"))
    other.start()
    equal(other.call("DBSIZE"), 5011, "keys in a stock server started with the file of --rdb")
    equal(other.call("DEBUG", "DIGEST"), place.node.call("DEBUG", "DIGEST"), "digest")
    other.stop()


def test(lab):
    need("redis-benchmark", "redis-cli", "redis-check-rdb")
    far = lab.netns()
    node = lab.start_on_device("node", lab.home, far, pool_size="512mb")
    for place in (Place(node, far, node.device.address), Place(node, lab.home, "127.0.0.1")):
        began = time.monotonic()
        try:
            test_benchmark(place)
            fill(place)
            test_cli(place)
            test_stat(place)
            test_rdb(lab, place)
        except Failed as why:
            raise Failed(f"at {place.host}: {why}") from None
        print(f"{place.host}: {time.monotonic() - began:.1f} s")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
