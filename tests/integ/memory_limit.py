#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""maxmemory under every policy: what is refused, what is evicted, and that replicas follow.

The keys that must not go are checked one by one; evictions reach a millrace replica and a stock
one as DELs, so that all three end with the same digest; and memory in use stays near the limit,
while snapshots run too.

usage: memory_limit.py [--seed N]
"""
import argparse
import random
import sys
import threading
import time

from lab import check, equal, run_test, until
from resp import RespError

LIMIT = 8 << 20
OOM = "OOM command not allowed when used memory > 'maxmemory'."
POLICIES = (
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
)


def link_up(server):
    return server.info("replication").get("master_link_status") == "up"


def settled(servers):
    """Equal offsets and digests, once all have caught up."""
    until(
        "equal offsets",
        lambda: len({s.info("replication")["master_repl_offset"] for s in servers}) == 1,
    )
    digests = {s.name: s.call("DEBUG", "DIGEST") for s in servers}
    equal(len(set(digests.values())), 1, f"different digests {digests}")


def refusals(node, stock):
    """noeviction: both refuse and allow the same, in the same words."""
    said = {}
    for server in (node, stock):
        with server.connect() as conn:
            conn.call("FLUSHALL")
            conn.call("MSET", "here", "1", "list", "2", "three", "3")
            conn.call("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")
            said[server.name] = [
                str(reply)
                for reply in conn.pipeline(
                    [
                        ("SET", "new", "x"),
                        ("APPEND", "here", "x"),
                        ("INCR", "here"),
                        ("SETRANGE", "here", "4", "x"),
                        ("MSET", "a", "1", "b", "2"),
                        ("BITOP", "NOT", "dest", "here"),
                        ("COPY", "here", "there"),
                        ("RESTORE", "r", "0", "x"),
                        ("GET", "here"),
                        ("STRLEN", "here"),
                        ("EXPIRE", "here", "1000"),
                        ("PERSIST", "here"),
                        ("RENAME", "here", "gone"),
                        ("DEL", "gone"),
                        ("UNLINK", "list"),
                        ("GETDEL", "three"),
                        ("DBSIZE",),
                        ("FLUSHALL",),
                        ("CONFIG", "SET", "maxmemory", "0"),
                        ("SET", "new", "x"),
                    ]
                )
            ]
    equal(said["node"][0], OOM, "SET above the limit")
    equal(said["node"], said["stock"], "replies at the limit")


class Load(threading.Thread):
    """Sets keys with values of up to 2 KB until told to stop; remembers errors and the most memory
    that was in use."""

    def __init__(self, node, seed, volatile, keys=1 << 30):
        super().__init__(daemon=True)
        self.node, self.random, self.volatile = node, random.Random(seed), volatile
        self.keys = keys
        self.done = 0
        self.most = 0
        self.fault = None
        self.stop = threading.Event()

    def run(self):
        try:
            with self.node.connect() as conn:
                while not self.stop.is_set() and self.done < self.keys:
                    self.batch(conn)
        except (OSError, RespError) as error:
            self.fault = error

    def batch(self, conn):
        commands = []
        for _ in range(64):
            value = b"x" * self.random.randrange(2048)
            commands.append(("SET", f"k{self.done}", value))
            if self.volatile:
                commands[-1] += ("EX", self.random.randrange(1000, 5000))
            self.done += 1
        for reply in conn.pipeline(commands):
            if isinstance(reply, RespError):
                raise reply
        self.most = max(self.most, int(conn.info("memory")["used_memory"]))


def save_begins(conn):
    """Not while a snapshot is made that the log wanted, half a ring after its last one."""
    try:
        return conn.call("BGSAVE") == b"Background saving started"
    except RespError:
        return False


def policy(master, servers, name, seed):
    volatile = name.startswith("volatile")
    master.call("FLUSHALL")
    until("memory to be free", lambda: int(master.info("memory")["used_memory"]) < LIMIT / 2)
    master.call("CONFIG", "SET", "maxmemory-policy", name, "maxmemory", LIMIT)
    before = int(master.info("stats")["evicted_keys"])
    with master.connect() as conn:
        conn.pipeline([("SET", f"stay{i}", "s" * 100) for i in range(500)])
        loads = [Load(master, seed + n, volatile, 9000) for n in range(2)]
        loads[1].done = 100000
        loads[1].keys = 109000
        for load in loads:
            load.start()
        time.sleep(0.1)
        until("a save to begin", lambda: save_begins(conn))
        for load in loads:
            load.join(30)
            check(not load.is_alive(), f"{name}: a writer hangs")
            equal(load.fault, None, f"{name}: a writer was refused")
        most = max(load.most for load in loads)
        check(most < LIMIT * 1.25, f"{name}: {most} bytes in use with a limit of {LIMIT}")
        now = int(conn.info("memory")["used_memory"])
        check(now > LIMIT * 0.5, f"{name}: {now} bytes in use with a limit of {LIMIT}")
        evicted = int(conn.info("stats")["evicted_keys"]) - before
        check(evicted > 1000, f"{name}: {evicted} keys evicted")
        if volatile:
            equal(
                conn.call("EXISTS", *[f"stay{i}" for i in range(500)]),
                500,
                f"{name}: keys without a TTL that are left",
            )
        size = conn.call("DBSIZE")
    settled(servers)
    print(f"{name}: evicted {evicted}, left {size}, at most {most} bytes", flush=True)


def volatile_without_candidates(node):
    """Nothing has a TTL: writes are refused, as with noeviction."""
    with node.connect() as conn:
        conn.call("CONFIG", "SET", "maxmemory", "0")
        conn.call("FLUSHALL")
        conn.call("SET", "a", "x" * 100000)
        conn.call("CONFIG", "SET", "maxmemory-policy", "volatile-lru", "maxmemory", "1000")
        equal(str(conn.pipeline([("SET", "b", "x")])[0]), OOM, "SET with nothing to evict")
        equal(conn.call("STRLEN", "a"), 100000, "what is there")
        conn.call("CONFIG", "SET", "maxmemory", "0")


def shrink(master, servers):
    """A limit far below what is in use is reached, and no write is refused on the way."""
    with master.connect() as conn:
        conn.call("FLUSHALL")
        conn.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "0")
        for start in range(0, 20000, 1000):
            conn.pipeline([("SET", f"s{start + i}", "y" * 500) for i in range(1000)])
        used = int(conn.info("memory")["used_memory"])
        conn.call("CONFIG", "SET", "maxmemory", used // 2)
        equal(conn.call("SET", "one", "more" * 20000), b"OK", "a write while eviction goes on")
        until(
            "memory below the new limit",
            lambda: int(conn.info("memory")["used_memory"]) <= used // 2,
            10,
        )
    settled(servers)


def order(node, name, prepare):
    """The keys that the policy prefers (one in ten, as prepare() makes them) stay when the others go."""
    with node.connect() as conn:
        conn.call("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", name)
        conn.call("CONFIG", "SET", "maxmemory-samples", "10")
        conn.call("FLUSHALL")
        conn.pipeline([("SET", f"f{i}", "z" * 500) for i in range(2000)])
        preferred = [f"f{i}" for i in range(0, 2000, 10)]
        prepare(conn, preferred)
        used = int(conn.info("memory")["used_memory"])
        conn.call("CONFIG", "SET", "maxmemory", used - 500000)
        until("eviction", lambda: int(conn.info("memory")["used_memory"]) <= used - 500000, 10)
        left, total = conn.call("EXISTS", *preferred), conn.call("DBSIZE")
        check(total < 1500, f"{name}: {total} keys are left")
        check(left > 190, f"{name}: only {left} of the 200 that should stay are left")
        conn.call("CONFIG", "SET", "maxmemory", "0", "maxmemory-samples", "5")


def used_lately(conn, keys):
    time.sleep(2.1)  # the clock of LRU counts seconds
    conn.pipeline([("GET", key) for key in keys])


def used_often(conn, keys):
    for _ in range(100):
        conn.pipeline([("GET", key) for key in keys])


def last_to_expire(conn, keys):
    conn.pipeline([("EXPIRE", f"f{i}", 1000 + i) for i in range(2000)])
    conn.pipeline([("EXPIRE", key, 100000) for key in keys])


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    master = lab.node("node", port=7301, pool_size="128mb").start()
    stock = lab.stock("stock", port=7303).start()
    refusals(master, stock)
    second = lab.node(
        "second", port=7302, pool_size="128mb", options=["--replicaof", "127.0.0.1", "7301"]
    ).start()
    stock.call("REPLICAOF", "127.0.0.1", "7301")
    servers = [master, second, stock]
    for replica in servers[1:]:
        until(f"{replica.name}: link", lambda r=replica: link_up(r), 30)
    for number, name in enumerate(POLICIES):
        policy(master, servers, name, args.seed + 10 * number)
    volatile_without_candidates(master)
    shrink(master, servers)
    order(master, "allkeys-lru", used_lately)
    order(master, "allkeys-lfu", used_often)
    order(master, "volatile-ttl", last_to_expire)
    settled(servers)
    for server in (second, master):
        equal(server.stop(), 0, f"exit status of {server.name}")


if __name__ == "__main__":
    sys.exit(run_test(test))
