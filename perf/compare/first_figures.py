#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""millrace against redis-server: the same load over a veth pair, one processor for the server, one
for the client.

usage: first_figures.py [--tool PATH] [--rounds N] [--seconds N] [--pipelines 1,16] [--pool DIR]
                        [--durability MODE] [--server-cpu N] [--client-cpu N] [-- OPTION...]
OPTION: more of millrace's own.

50 connections, 32-byte values, SET and GET 1:1. millrace runs on net_af_xdp on the veth's end, with
its pool in DIR (a file there: memory-backed in /dev/shm, else on disk) and every acknowledged write
durable; redis-server runs on the other end of a veth pair of its own, through the kernel, without
persistence. The rounds of the two alternate, and the medians are compared. --tool:
memtier_benchmark (by default $MEMTIER, or the one on the path) or redis-benchmark.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

sys.path.insert(
    0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "support")
)

from lab import Failed, Lab, Skipped, check  # noqa: E402

CONNECTIONS = 50
VALUE_BYTES = 32
KEYS = 100000


def memtier(tool, host, port, pipeline, seconds, where):
    out = os.path.join(where, "memtier.json")
    args = [
        tool,
        "-s",
        host,
        "-p",
        str(port),
        "-t",
        "1",
        "-c",
        str(CONNECTIONS),
        "--ratio",
        "1:1",
        "-d",
        str(VALUE_BYTES),
        "--pipeline",
        str(pipeline),
        "--key-maximum",
        str(KEYS),
        "--test-time",
        str(seconds),
        "--hide-histogram",
        "--json-out-file",
        out,
    ]

    def result(_text):
        with open(out, encoding="utf-8") as data:
            totals = json.load(data)["ALL STATS"]["Totals"]
        tail = totals.get("Percentile Latencies", {}).get("p99.00", 0)
        return totals["Ops/sec"], tail

    return args, result


def redis_benchmark(tool, host, port, pipeline, seconds, where):
    requests = 60000 * seconds * (6 if pipeline > 1 else 1)
    args = [
        tool,
        "-h",
        host,
        "-p",
        str(port),
        "-c",
        str(CONNECTIONS),
        "-d",
        str(VALUE_BYTES),
        "-P",
        str(pipeline),
        "-r",
        str(KEYS),
        "-n",
        str(requests),
        "-t",
        "set,get",
        "--csv",
    ]

    def result(text):
        rows = re.findall(
            r'^"(SET|GET)","([\d.]+)","[\d.]+","[\d.]+","[\d.]+","[\d.]+","([\d.]+)"', text, re.M
        )
        check(len(rows) == 2, text[-400:])
        rates = [float(rate) for _, rate, _ in rows]
        return 2 / sum(1 / rate for rate in rates), max(float(p99) for _, _, p99 in rows)

    return args, result


def measure(server, host, far, pipeline, args):
    """Operations a second and the 99th percentile in milliseconds."""
    make = memtier if "memtier" in os.path.basename(args.tool) else redis_benchmark
    command, result = make(args.tool, host, server.port, pipeline, args.seconds, server.dir)
    done = subprocess.run(
        [*far.prefix(), "taskset", "-c", str(args.client_cpu), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60 + 20 * args.seconds,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}: {done.stdout[-400:]}")
    return result(done.stdout)


def servers(lab, args):
    """name -> (server, its address, the client's namespace); each on a veth pair of its own."""
    near, far = lab.netns("r"), lab.netns("c")
    near.ip("link", "add", "stock0", "type", "veth", "peer", "name", "stock1")
    near.ip("link", "set", "stock1", "netns", far.name)
    near.ip("addr", "add", "10.78.0.2/24", "dev", "stock0")
    far.ip("addr", "add", "10.78.0.1/24", "dev", "stock1")
    for space, name in ((near, "stock0"), (far, "stock1")):
        space.ip("link", "set", name, "up")
    stock = lab.stock("redis-server", near, 6400, bind="127.0.0.1 10.78.0.2")
    stock.cpus = str(args.server_cpu)
    stock.start()
    device = lab.device(lab.home, far)
    node = lab.node(
        "millrace",
        lab.home,
        6401,
        device=device,
        pool_size="2gb",
        debug=False,
        options=["--pmem-durability", args.durability, *args.options],
    )
    node.cpus = str(args.server_cpu)
    node.start()
    return {"redis-server": (stock, "10.78.0.2", far), "millrace": (node, device.address, far)}


def compare(lab, args):
    both = servers(lab, args)
    version = subprocess.run(
        [args.tool, "--version"], capture_output=True, text=True, check=False
    ).stdout
    node = both["millrace"][0]
    medium = {k: v for k, v in node.info("all").items() if "medium" in k or "durability" in k}
    print(
        f"client: {(version.splitlines() or [args.tool])[0]}; millrace: {medium}; pool in {args.pool}"
    )
    print(
        f"{CONNECTIONS} connections, {VALUE_BYTES}-byte values, SET:GET 1:1, {args.rounds} rounds of "
        f"{args.seconds} s, alternating; server on processor {args.server_cpu}, client on {args.client_cpu}\n"
    )
    print("pipeline  server         median ops/s   p99 ms   each round (thousand ops/s)")
    for pipeline in (int(p) for p in args.pipelines.split(",")):
        rates = {name: [] for name in both}
        tails = {name: [] for name in both}
        for number in range(args.rounds):
            order = list(both.items())
            for name, (server, host, far) in order if number % 2 == 0 else reversed(order):
                rate, tail = measure(server, host, far, pipeline, args)
                rates[name].append(rate)
                tails[name].append(tail)
        for name, found in rates.items():
            print(
                f"{pipeline:8d}  {name:12s}  {statistics.median(found):13,.0f}  {statistics.median(tails[name]):7.3f}"
                f"   {' '.join(f'{rate / 1000:.1f}' for rate in found)}"
            )
        ratio = statistics.median(rates["millrace"]) / statistics.median(rates["redis-server"])
        print(f"          millrace / redis-server: {ratio:.2f}\n", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--tool",
        default=os.environ.get("MEMTIER")
        or shutil.which("memtier_benchmark")
        or shutil.which("redis-benchmark"),
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--pipelines", default="1,16")
    parser.add_argument("--pool", default="/dev/shm", help="directory of the pool")
    parser.add_argument("--durability", default="always")
    parser.add_argument("--server-cpu", type=int, default=1)
    parser.add_argument("--client-cpu", type=int, default=0)
    parser.add_argument("options", nargs="*")
    args = parser.parse_args()
    if not args.tool:
        print("neither memtier_benchmark nor redis-benchmark is installed", file=sys.stderr)
        return 1
    lab = Lab(isolated=True, parent=args.pool)
    try:
        compare(lab, args)
        return 0
    except (Failed, Skipped) as why:
        print(f"first_figures: {why}", file=sys.stderr)
        for server in lab.servers:
            print(f"-- {server.name}:\n{server.log_tail()}", file=sys.stderr)
        return 1
    finally:
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
