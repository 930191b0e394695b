#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What streams and their groups come to on replicas of both makes, by full sync and by effects, and after a restart."""
import random
import sys

from diff_commands import FAMILIES, Words
from lab import check, equal, run_test, until
from resp import RespError

SEED = 20240611
COMMANDS = 6000
WINDOW = 100


class Traffic:
    """Random commands of streams, and of nothing else."""

    def __init__(self, seed):
        print(f"seed {seed}", flush=True)
        self.rnd = random.Random(seed)
        self.words = Words(self.rnd)
        self.made = FAMILIES["stream"].commands(self.words)

    def send(self, server):
        refused = 0
        with server.connect() as conn:
            for _ in range(0, COMMANDS, WINDOW):
                replies = conn.pipeline([self.rnd.choice(self.made)() for _ in range(WINDOW)])
                refused += sum(isinstance(reply, RespError) for reply in replies)
        check(refused < COMMANDS / 2, f"{refused} of {COMMANDS} commands were refused")


def in_step(master, *replicas):
    def same():
        wanted = master.info("replication")["master_repl_offset"]
        states = [replica.info("replication") for replica in replicas]
        return all(
            state["master_link_status"] == "up" and state["master_repl_offset"] == wanted
            for state in states
        )

    until("replicas to have every byte", same, 60, 0.1)


def pairs(array):
    return dict(zip(array[::2], array[1::2]))


def groups(conn, key):
    """Of each group its last ID, and what is pending with whom; Redis tells replicas no more: neither how often a
    consumer has looked at its own, nor how many entries a group has read."""
    found = {}
    for group in pairs(conn.call("XINFO", "STREAM", key, "FULL", "COUNT", "0"))[b"groups"]:
        group = pairs(group)
        found[group[b"name"]] = (
            group[b"last-delivered-id"],
            [(entry[0], entry[1]) for entry in group[b"pending"]],
        )
    return found


def counters(conn, key):
    found = pairs(conn.call("XINFO", "STREAM", key))
    return {name: found[name] for name in found if not name.startswith(b"radix")}


def compare(master, *others):
    digest = master.call("DEBUG", "DIGEST")
    nr_pending = 0
    for other in others:
        equal(other.call("DEBUG", "DIGEST"), digest, f"digest of {other.name} and {master.name}")
        with master.connect() as one, other.connect() as two:
            for key in sorted(one.call("KEYS", "*")):
                wanted = groups(one, key)
                equal(groups(two, key), wanted, f"groups of {key} in {other.name}")
                equal(counters(two, key), counters(one, key), f"XINFO STREAM {key}")
                nr_pending += sum(len(pending) for _, pending in wanted.values())
    check(nr_pending > 100, f"only {nr_pending} entries are pending: this shows nothing")


def attach(replica, master):
    replica.call("REPLICAOF", "127.0.0.1", master.port)
    until(
        f"{replica.name}: link to {master.name}",
        lambda: replica.info("replication")["master_link_status"] == "up",
        60,
    )


def test(lab):
    node = lab.node("node", port=7461).start()
    second = lab.node("second", port=7462).start()
    stock = lab.stock("stock", port=7463).start()
    traffic = Traffic(SEED)

    traffic.send(node)
    attach(stock, node)
    attach(second, node)
    in_step(node, stock, second)
    compare(node, stock, second)
    traffic.send(node)
    in_step(node, stock, second)
    compare(node, stock, second)
    print("millrace -> redis-server, millrace")

    stock.call("REPLICAOF", "NO", "ONE")
    node.kill()
    node.start()
    compare(stock, node)
    print("killed and started again")

    attach(node, stock)
    attach(second, node)
    traffic.send(stock)
    in_step(stock, node, second)
    compare(stock, node, second)
    print("redis-server -> millrace -> millrace")
    for one in (second, node):
        equal(one.stop(), 0, f"{one.name}: exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
