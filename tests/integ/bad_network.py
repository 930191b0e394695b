#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The node's TCP against the kernel's, over a wire that loses, repeats, reorders and damages
packets both ways.

usage: bad_network.py [--seed N]
"""
import argparse
import hashlib
import os
import random
import sys
import time

import writer
from lab import check, equal, run_test, until
from resp import Resp

WEATHER = {
    "fair": "",
    "loss 1%": "loss=0.01",
    "loss 5%": "loss=0.05",
    "reordering": "reorder=0.1",
    "repetition": "repeat=0.2",
    "damage": "damage=0.02",
    "all of it": "loss=0.01 reorder=0.03 repeat=0.03 damage=0.01",
}
BULK = 1 << 20


def test_bulk(connect, name, seconds):
    """Large values there and back, and then many small requests on several connections."""
    began = time.monotonic()
    with connect() as conn:
        for number in range(2):
            value = os.urandom(BULK)
            equal(conn.call("SET", f"bulk:{number}", value), b"OK", f"{name}: SET of 1 MB")
            back = conn.call("GET", f"bulk:{number}")
            equal(
                hashlib.sha256(back).digest(),
                hashlib.sha256(value).digest(),
                f"{name}: 1 MB that came back",
            )
    writers = writer.Writer(
        connect, prefix=name.replace(" ", ""), connections=4, pipeline=20
    ).start()
    writers.join(seconds)
    writers.stop()
    with connect() as conn:
        verdict = writer.verify(conn, writers.state())
    for stream in writers.state()["streams"]:
        equal(stream["end"], "stopped", f"{name}: a writer's end")
    check(verdict.acked > 0, f"{name}: nothing was acknowledged")
    equal((verdict.found, verdict.faults), (verdict.acked, []), f"{name}: what the writers find")
    print(f"{name}: {time.monotonic() - began:.1f} s, {verdict.acked} writes", flush=True)


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--seconds", type=float, default=2)
    args = parser.parse_args()
    print(f"seed {args.seed}")
    random.seed(args.seed)
    far, middle = lab.netns(), lab.netns("m")
    node = lab.start_on_device("node", lab.home, far, pool_size="256mb", middle=middle)
    device = node.device

    def connect():
        return Resp((device.address, node.port), 60, far.socket)

    wire = device.wire
    for name, weather in WEATHER.items():
        wire.stdin.write(weather + "\n")
        wire.stdin.flush()
        equal(wire.stdout.readline(), "set\n", "the wire")
        test_bulk(connect, name, args.seconds)
    wire.stdin.close()
    fates = dict(word.split("=") for word in wire.stdout.readline().split())
    print(fates)
    for fate in ("loss", "reorder", "repeat", "damage"):
        check(int(fates.get(fate, 0)) > 10, f"the wire was too kind: {fates}")
    until("the node is still there", lambda: node.call("PING") == b"PONG", 5)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
