#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each virtual device whose other side is a kernel interface, under redis-benchmark, and under
memtier_benchmark where it is installed: SET and GET, alone and in pipelines, small and of several
segments. No client may complain, and every command has to be counted, once.

usage: devices.py [--kind net_tap|net_af_packet|net_af_xdp]... [--times N]
"""
import argparse
import shutil
import sys

from lab import check, equal, grep, need, run_test

KINDS = ("net_tap", "net_af_packet", "net_af_xdp")
NR_KEYS = 1000
# pipeline, bytes of a value, requests
LOADS = ((1, 3, 10000), (16, 3, 64000), (4, 8000, 4800))


def calls(node):
    """How often SET and GET were called, and that none of it failed."""
    found = {}
    for name, text in node.info("commandstats").items():
        fields = dict(part.split("=") for part in text.split(","))
        equal((fields["rejected_calls"], fields["failed_calls"]), ("0", "0"), f"{name}: refused")
        found[name.removeprefix("cmdstat_")] = int(fields["calls"])
    return {name: found.get(name, 0) for name in ("set", "get")}


def drops(node):
    """Frames that were of no use, but for those that were meant for other stations."""
    found = node.telemetry("/millrace/tcp")
    foreign = ("drop_eth", "drop_ip_not", "drop_ip_proto")
    return {
        name: count
        for name, count in found.items()
        if name.startswith("drop_") and not name.startswith(foreign)
    }


def redis_benchmark(node, command, pipeline, size, nr_requests):
    """Requests a second."""
    said = node.device.far.run(
        *("redis-benchmark", "-h", node.device.address, "-p", str(node.port), "--csv"),
        *("-c", "50", "-P", str(pipeline), "-d", str(size), "-r", str(NR_KEYS)),
        *("-n", str(nr_requests), "-t", command),
    )
    check("rror" not in said, f"redis-benchmark: {said}")
    return float(grep(rf'^"{command.upper()}","([0-9.]+)"', said)[0])


def memtier(node, command, pipeline, size, nr_requests):
    said = node.device.far.run(
        *("memtier_benchmark", "-s", node.device.address, "-p", str(node.port)),
        *("-t", "1", "-c", "50", "--pipeline", str(pipeline), "-d", str(size)),
        *("--ratio", "1:0" if command == "set" else "0:1", "--hide-histogram"),
        *("--key-minimum", "1", "--key-maximum", str(NR_KEYS), "-n", str(nr_requests // 50)),
    )
    check("rror" not in said, f"memtier_benchmark: {said}")
    return float(grep(rf"^{command.title()}s +([0-9.]+)", said)[0])


def load(node, tool, pipeline, size, nr_requests):
    rates = []
    for command in ("set", "get"):
        before = calls(node)
        rates.append(tool(node, command, pipeline, size, nr_requests))
        after = calls(node)
        grown = {name: after[name] - before[name] for name in before}
        wanted = {"set": 0, "get": 0, command: nr_requests}
        equal(grown, wanted, f"{node.name}: {tool.__name__} of {command}, calls counted")
    print(
        f"   {node.name:13} {tool.__name__:15} pipeline {pipeline:2}, {size:4} bytes: "
        f"SET {rates[0]:7.0f}/s, GET {rates[1]:7.0f}/s",
        flush=True,
    )


def test_kind(lab, kind, number, times, tools):
    device = lab.device(lab.home, lab.netns(f"d{number}"), kind, number)
    # What is to be seen is the device, not how fast a file reaches the disk.
    options = ["--nic-gateway", device.gateways, "--pmem-durability", "everysec"]
    node = lab.node(
        kind, lab.home, 7441, device=device, options=options, pool_size="512mb"
    ).start()
    with node.over_device() as conn:
        conn.call("PING")
    before = drops(node)
    for pipeline, size, nr_requests in LOADS:
        for tool in tools:
            load(node, tool, pipeline, size, nr_requests * times)
    with node.over_device() as conn:
        check(conn.call("DBSIZE") <= NR_KEYS * len(tools), "keys that nobody made")
        key = conn.call("RANDOMKEY")
        equal(len(conn.call("GET", key)), LOADS[-1][1], "a value of the last load")
    tcp = node.telemetry("/millrace/tcp")
    after = drops(node)
    lost = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    print(
        f"   {kind}: {tcp['pkts_in']} frames in, {tcp['pkts_out']} out, "
        f"{tcp['tcp_retrans']} retransmitted ({tcp['tcp_tlp']} probes, {tcp['tcp_rto']} timeouts), "
        f"drops: {lost}"
    )
    for name in ("drop_tcp_csum", "drop_ip_csum", "drop_ip_short", "drop_tcp_short"):
        equal(lost.get(name, 0), 0, f"{kind}: {name}")
    equal(node.stop(), 0, "exit status")
    device.remove()


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--times", type=int, default=1)
    args = parser.parse_args()
    need("redis-benchmark")
    tools = [redis_benchmark] + ([memtier] if shutil.which("memtier_benchmark") else [])
    for number, kind in enumerate(args.kind or KINDS):
        test_kind(lab, kind, number, args.times, tools)


if __name__ == "__main__":
    sys.exit(run_test(test))
