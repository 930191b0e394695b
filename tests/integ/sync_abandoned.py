#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A full sync is given up by REPLICAOF NO ONE at any moment of it: the node goes on as a master, with
the old data or the new, and what it acknowledges from then on stays, also over kill -9."""
import random
import sys
import time

from lab import check, equal, run_test, until
from resp import RespError

ROUNDS = 60
WHOLE = 5  # syncs that are let finish first, to learn how long they take


def acknowledged_set(node, key, value):
    """Refused while a set that was brought is being stored; what is acknowledged counts."""

    def try_set():
        try:
            return node.call("SET", key, value) == b"OK"
        except RespError:
            return False

    until(f"SET {key}", try_set, 5, 0.0005)


def test(lab):
    rng = random.Random(31)
    stock = lab.stock("stock", port=7351).start()
    stock.call("SET", "theirs", "0")
    node = lab.node("node", port=7352).start()
    node.call("SET", "ours", "0")
    taken, took_s = 0, []
    for number in range(-WHOLE, ROUNDS):
        stock.call("SET", "theirs", number)
        node.call("REPLICAOF", "127.0.0.1", stock.port)
        if number < 0:
            begun = time.monotonic()
            until("the sync", lambda: node.call("GET", "theirs") == str(number).encode(), 30, 0.001)
            took_s.append(time.monotonic() - begun)
        else:
            time.sleep(rng.uniform(0, 2 * max(took_s)))
        node.call("REPLICAOF", "NO", "ONE")
        acknowledged_set(node, "mine", number)
        time.sleep(0.005)
        equal(node.call("GET", "mine"), str(number).encode(), f"round {number}: what was acknowledged")
        theirs = node.call("GET", "theirs")
        taken += number >= 0 and theirs == str(number).encode()
        check(theirs is not None or node.call("GET", "ours") == b"0", f"round {number}: no data")
    print(f"{taken} of {ROUNDS} syncs came to their end")
    check(0 < taken < ROUNDS, "the moments were not spread over the sync")
    digest = node.call("DEBUG", "DIGEST")
    node.kill()
    node.start()
    equal(node.call("DEBUG", "DIGEST"), digest, "digest after kill -9")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
