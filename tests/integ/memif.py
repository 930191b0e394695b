#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""millrace-load against a node over net_memif, in each of its modes: what it counts is what the node
counts, wrong replies and wrong arguments are told, and a peer that is dead, or dies, is no hang."""
import json
import os
import signal
import subprocess
import sys
import time

from lab import BUILD, check, equal, run_test, until

LOAD = os.path.join(BUILD, "perf", "load", "millrace-load")
PORT = 7431
SERVER, SERVER6 = "10.78.0.2", "2001:db8:78::2"
CLIENT = "10.78.0.1/24,2001:db8:78::1/64"
SHORT = ("--seconds", "0.6", "--warm-up", "0.2", "--quiet")
KEYS = 3000


class Load:
    """How to run millrace-load against the node at a socket."""

    def __init__(self, lab, path):
        self.lab = lab
        self.path = path

    def command(self, *args, port=PORT, server=SERVER, is_raw=False, role="client"):
        nic = f"net_memif0,role={role},id=0,socket={self.path},socket-abstract=no"
        where = () if is_raw else ("--nic-address", CLIENT, "--server", server, "--port", str(port))
        return [LOAD, "--nic", nic, *where, *args]

    def start(self, *args, **more):
        return self.lab.spawn(
            *self.command(*args, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process, timeout=40):
        """Status, the JSON if there is one, and what it said."""
        out, err = process.communicate(timeout=timeout)
        try:
            return process.returncode, json.loads(out), err
        except ValueError:
            return process.returncode, None, out + err

    def run(self, *args, **more):
        return self.end(self.start("--json", "-", *args, **more))

    def good(self, *args, **more):
        status, result, said = self.run(*SHORT, *args, **more)
        check(status == 0 and result, f"{args}: exit {status}: {said[-800:]}")
        for name in ("wrong", "broken", "lost", "unanswered"):
            equal(result[name], 0, f"{args}: {name}")
        return result

    def refused(self, said, *args, status=2, **more):
        began = time.monotonic()
        found, _, text = self.run(*args, **more)
        equal(found, status, f"{args}: exit status ({text[-400:]})")
        check(said in text, f"{args}: {said!r} is not in: {text[-600:]}")
        check(time.monotonic() - began < 20, f"{args}: took too long")


def calls(node):
    """Commands by name, since the last RESETSTAT."""
    return {
        name.removeprefix("cmdstat_"): int(value.split("calls=")[1].split(",")[0])
        for name, value in node.info("commandstats").items()
    }


def counted(node, load, *args, **more):
    node.call("CONFIG", "RESETSTAT")
    result = load.good(*args, **more)
    points = [result[name] for name in ("p50_us", "p90_us", "p99_us", "p99_9_us", "max_us")]
    check(0 < points[0] and points == sorted(points), f"{args}: percentiles {points}")
    check(0 < result["done"] <= result["answers"] == result["sent"], f"{args}: {result}")
    return result, calls(node)


def test_requests(node, load):
    keys = ("--keys", str(KEYS))
    result, stats = counted(node, load, *keys, "--load", "--connections", "64")
    equal((stats["set"], stats["get"]), (KEYS, result["sent"] - KEYS), "loaded, then read")
    equal(result["misses"], 0, "misses")
    # By number, not by time: two threads may leave the node little of a processor.
    two = ("--cores", "0,1") if {0, 1} <= os.sched_getaffinity(0) else ()
    result, stats = counted(
        node, load, *keys, "--load", "--requests", "2000", "--seconds", "30", "--ratio", "1:1",
        "--pipeline", "8", "--data-size", "1-9kb", *two,
    )  # fmt: skip
    equal(result["done"], 2000, "--requests")
    equal(stats["set"] + stats["get"], result["sent"], "SETs and GETs")
    check(0.8 < result["reads"] / result["writes"] < 1.25, f"ratio: {result}")
    result, stats = counted(
        node, load, *keys, "--requests", "2000", "--seconds", "20", "--key-pattern", "zipf",
        "--data-size", "1-9kb", server=SERVER6,
    )  # fmt: skip
    equal(result["done"], 2000, "--requests")
    equal(stats["get"], result["sent"], "GETs over IPv6")


def test_rate(node, load):
    result, stats = counted(
        node, load, "--keys", str(KEYS), "--load", "--rate", "2000", "--seconds", "1"
    )
    equal(stats["get"], result["sent"] - KEYS, "GETs")
    check(1900 <= result["done"] <= 2100, f"{result['done']} requests at 2000/s in 1 s")


def test_churn(node, load):
    with node.connect() as conn:
        for args in ((), ("--command", "PING", "--rate", "1000")):
            conn.call("CONFIG", "RESETSTAT")
            result = load.good("--mode", "churn", *args)
            stats = conn.info("stats")
            equal(int(stats["total_connections_received"]), result["sent"], f"{args}: connections")
            equal(calls(node).get("ping", 0), result["sent"] if "PING" in args else 0, "PINGs")
            check(result["unit"] == "connections" and result["done"] > 0, f"{result}")
            until(
                "all of them are gone",
                lambda: int(conn.info("clients")["connected_clients"]) == 1,
                10,
            )


def test_idle(node, load):
    process = load.start("--json", "-", "--quiet", "--mode", "idle", "--connections", "300",
        "--seconds", "1.5")  # fmt: skip
    most = 0
    while process.poll() is None:
        most = max(most, int(node.info("clients")["connected_clients"]))
        time.sleep(0.05)
    status, result, said = load.end(process)
    equal(status, 0, f"idle: {said}")
    equal(most, 301, "connections that the node had, this one included")
    equal(result["connections_held"], 300, "held")
    used = int(node.info("memory")["used_memory"])
    check(abs(result["server_used_bytes"] - used) < used / 2, f"used_memory {used}: {result}")
    check(result["server_rss_bytes"] > 1 << 20, f"{result}")


def test_bulk(node, load):
    node.call("CONFIG", "RESETSTAT")
    result = load.good("--mode", "bulk", "--keys", "4")
    stats = calls(node)
    equal((stats["set"], stats["get"]), (4, result["sent"] - 4), "bulk")
    wanted = result["done"] * ((1 << 20) + 12) * 8e-9 / result["seconds"]
    check(0.8 < result["gbit_in_per_s"] / wanted < 1.2, f"{wanted} Gbit/s: {result}")


def test_wrong(node, load):
    """What another client has stored is no value of the key; an error is no reply to a SET."""
    node.call("SET", "key:0000000001", "foreign")
    status, result, said = load.run(*SHORT, "--keys", "2")
    check(status == 1 and result["wrong"] > 0, f"a foreign value: {status}, {result}")
    check("not a value of this key (expected a value, key 1): foreign" in said, said)
    status, result, said = load.run(*SHORT, "--keys", "1", "--mode", "churn", "--command",
        "SETEX {key} 0 {value}")  # fmt: skip
    check(status == 1 and result["wrong"] > 0 and "-ERR" in said, f"churn: {status} {said}")
    node.call("CONFIG", "SET", "maxmemory", "1mb")
    load.refused("keys could not be set: wrong reply (expected +OK", "--load", "--keys", "500")
    node.call("CONFIG", "SET", "maxmemory", "0")


def test_signal(load):
    process = load.start("--json", "-", "--seconds", "60", "--warm-up", "0.1")
    until("a line each second", lambda: "measure   1 s" in process.stderr.readline(), 10)
    process.send_signal(signal.SIGINT)
    status, result, said = load.end(process)
    check(status in (0, 1) and result and result["ended_early"], f"SIGINT: {status}: {said}")


def test_arguments(load):
    for said, args in (
        ("--keys x: must be a number", ("--keys", "x")),
        ("--rate: means nothing in --mode idle", ("--mode", "idle", "--rate", "5")),
        ("there is no such option", ("--quick",)),
        ("CPU 1000 is not there", ("--cores", "1000")),
        ("No such file or directory", ("--json", "/nonexistent/x")),
    ):
        load.refused(said, *args)
    load.refused("do not fit a frame", "--mode", "frames", "--pipeline", "100", is_raw=True)


def test_nobody(load):
    load.refused("Connection refused", port=PORT + 1)
    load.refused("Connection refused", "--mode", "churn", port=PORT + 1)
    load.refused("Connection timed out", "--give-up", "1", server="10.78.0.77")
    load.refused("no frame comes back", "--mode", "frames", "--give-up", "0.5", is_raw=True)


def test_silent(node, load):
    """The node stops in the middle, and then ends."""
    cases = ((signal.SIGSTOP, "nothing comes from"), (signal.SIGKILL, "the link is down"))
    node.call("FLUSHALL")
    for number, said in cases:
        process = load.start(
            *("--json", "-", "--seconds", "60", "--warm-up", "0.1", "--give-up", "1.5")
        )
        until("it runs", lambda p=process: "measure" in p.stderr.readline(), 10)
        node.signal(number)
        status, result, text = load.end(process, 20)
        node.signal(signal.SIGCONT)
        check(status == 1 and said in text, f"{number!r}: exit {status}: {text[-600:]}")
        check(result["ended_early"] and result["unanswered"] > 0, f"{number!r}: {result}")
    node.process.wait()
    load.refused("role=server has to run first")


def test_echo(lab):
    load = Load(lab, os.path.join(lab.dir, "echo.sock"))
    for number in (signal.SIGKILL, signal.SIGINT):
        # The second one finds the socket of the first, which was killed.
        echo = load.start("--mode", "echo", "--json", "-", is_raw=True, role="server")
        until("the echo", lambda e=echo: e.poll() is None and is_served(load.path), 10)
        results = [
            load.good("--mode", "frames", "--connections", "64", "--pipeline", n, is_raw=True)
            for n in (("1", "16") if number == signal.SIGINT else ())
        ]
        echo.send_signal(number)
        status, there, said = load.end(echo)
    equal(status, 0, f"echo: {said}")
    equal(there["frames_out"], sum(r["sent"] for r in results), "frames sent back")
    for result in results:
        check(result["unit"] == "frames" and 0 < result["done"] <= result["answers"], f"{result}")
        equal(result["frames_in"], result["frames_out"], "frames in and out")


def is_served(path):
    with open("/proc/net/unix", encoding="ascii") as sockets:
        return any(line.endswith(path + "\n") for line in sockets)


def test(lab):
    test_echo(lab)
    load = Load(lab, os.path.join(lab.dir, "node.sock"))
    options = [
        *("--nic", f"net_memif0,role=server,id=0,socket={load.path},socket-abstract=no"),
        *("--nic-address", f"{SERVER}/24,{SERVER6}/64", "--protected-mode", "no"),
    ]
    node = lab.node("node", lab.home, PORT, options=options, pool_size="256mb").start()
    test_requests(node, load)
    test_rate(node, load)
    test_churn(node, load)
    test_idle(node, load)
    test_bulk(node, load)
    test_wrong(node, load)
    test_signal(load)
    test_arguments(load)
    test_nobody(load)
    test_silent(node, load)
    # It was killed: its socket is no obstacle.
    node.start()
    load.good("--keys", "10", "--load")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
