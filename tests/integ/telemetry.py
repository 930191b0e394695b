#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The endpoints on DPDK's telemetry socket: there, flat and numeric, and their counters count."""
import shutil
import subprocess
import sys
import time

from lab import check, equal, run_test

ENDPOINTS = (
    "/millrace/cores",
    "/millrace/core,0",
    "/millrace/tcp",
    "/millrace/repl",
    "/millrace/log",
)


def scalars(value):
    if isinstance(value, dict):
        return [x for part in value.values() for x in scalars(part)]
    if isinstance(value, list):
        return [x for part in value for x in scalars(part)]
    return [value]


def test_endpoints(node):
    listed = node.telemetry("/")
    for path in ENDPOINTS:
        check(path.split(",")[0] in listed, f"{path} is not listed: {listed}")
        answer = node.telemetry(path)
        check(answer, f"{path} is empty")
        for value in scalars(answer):
            check(isinstance(value, (int, float, str)), f"{path} holds {value!r}")


def test_counters_count(node):
    before = node.telemetry("/millrace/core,0"), node.telemetry("/millrace/log")
    with node.connect() as conn:
        conn.pipeline([("SET", f"k{i}", "v" * 100) for i in range(1000)])
    after = node.telemetry("/millrace/core,0"), node.telemetry("/millrace/log")
    check(
        after[0]["commands"] >= before[0]["commands"] + 1000,
        f"commands: {before[0]['commands']} then {after[0]['commands']} after 1000 of them",
    )
    check(
        after[1]["tail"] >= before[1]["tail"] + 100000,
        f"tail of the log: {before[1]['tail']} then {after[1]['tail']} after 100 kB",
    )
    check(after[1]["watermark"] <= after[1]["tail"], "the watermark is beyond the tail")


def test_cycles_have_a_unit(node):
    """Both counts of cycles together pass at the rate that is told."""
    rate = node.telemetry("/millrace/core,0")["cycles_per_second"]
    found = []
    for _ in range(2):
        found.append((time.monotonic(), node.telemetry("/millrace/core,0")))
        time.sleep(0.5)
    seconds = found[1][0] - found[0][0]
    busy, idle, asleep = (
        found[1][1][key] - found[0][1][key] for key in ("busy_cycles", "idle_cycles", "sleep_cycles")
    )
    check(
        0.5 < (busy + idle) / rate / seconds < 1.5,
        f"{busy} busy and {idle} idle cycles in {seconds:.3f} s at {rate} a second",
    )
    # Nobody asks for anything, so that it sleeps; this is part of its being idle.
    check(idle / 2 < asleep <= idle, f"{asleep} of {idle} idle cycles asleep")


def test_client_of_dpdk(node):
    tool = shutil.which("dpdk-telemetry.py")
    if not tool:
        print("dpdk-telemetry.py is not installed: not tried")
        return
    done = subprocess.run(
        [tool, "-f", node.prefix],
        input="/millrace/cores\n/millrace/log\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
        check=False,
    )
    equal(done.returncode, 0, f"exit status of dpdk-telemetry.py: {done.stdout[-400:]}")
    check("/millrace/log" in done.stdout and "watermark" in done.stdout, done.stdout[-400:])


def test(lab):
    node = lab.node(options=["--poll-cores", "0"]).start()
    test_endpoints(node)
    test_counters_count(node)
    test_cycles_have_a_unit(node)
    test_client_of_dpdk(node)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
