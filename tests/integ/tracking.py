#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Client-side caching over two poll cores: whoever keeps copies of keys and drops what he is told to
never ends up with an old value, in every mode, while others write on both cores."""
import random
import select
import sys
import threading
import time

from lab import check, equal, run_test, until

KEYS = 40
WRITERS = 3
SECONDS = 1.2


class Cacher(threading.Thread):
    """Reads keys, keeps the values, and drops those that it hears of."""

    def __init__(self, node, mode, options, stop):
        super().__init__()
        self.conn = node.connect()
        self.news = self.conn
        self.mode, self.stop = mode, stop
        self.cache, self.asked = {}, set()
        self.dropped, self.failure = 0, None
        if mode == "redirect":
            self.news = node.connect()
            options = ["REDIRECT", self.news.call("CLIENT", "ID")]
            self.news.call("SUBSCRIBE", "__redis__:invalidate")
        else:
            self.conn.call("HELLO", 3)
        equal(self.conn.call("CLIENT", "TRACKING", "ON", *options), b"OK", "TRACKING")

    def drop(self, keys):
        self.dropped += 1
        for key in list(self.cache) if keys is None else keys:
            self.cache.pop(key, None)
            self.asked.discard(key)

    def reply(self):
        while True:
            got = self.conn.read()
            if not (isinstance(got, list) and got and got[0] == b"invalidate"):
                return got
            self.drop(got[1])

    def hear(self):
        """Of a redirection: what has come on the other connection."""
        if self.news is self.conn:
            return
        news = self.news
        while news.pos < len(news.buf) or select.select([news.sock], [], [], 0)[0]:
            self.drop(news.read()[2])

    def look(self, key):
        self.asked.add(key)
        if self.mode == "exec":
            for args in (["MULTI"], ["GET", key], ["GET", b"none"], ["EXEC"]):
                self.conn.send(*args)
            value = [self.reply() for _ in range(4)][-1][0]
        elif self.mode == "script":
            self.conn.send("EVAL", "return redis.call('get', KEYS[1])", 1, key)
            value = self.reply()
        elif self.mode == "mget":
            self.conn.send("MGET", key, b"none")
            value = self.reply()[0]
        else:
            if self.mode == "optin":
                self.conn.send("CLIENT", "CACHING", "YES")
                self.reply()
            self.conn.send("GET", key)
            value = self.reply()
        if key in self.asked:
            self.cache[key] = value

    def run(self):
        rng = random.Random(id(self))
        try:
            while not self.stop.is_set():
                key = b"k%d" % rng.randrange(KEYS)
                if key not in self.cache:
                    self.look(key)
                elif rng.random() < 0.2:
                    self.conn.send("PING")
                    self.reply()
                self.hear()
        except Exception as err:  # told by the main thread
            self.failure = err

    def settle(self):
        until("its news", self.is_quiet, 5)

    def is_quiet(self):
        before = self.dropped
        time.sleep(0.05)
        self.conn.send("PING")
        self.reply()
        self.hear()
        return before == self.dropped


def write(node, number, stop, failures):
    rng = random.Random(number)
    try:
        with node.connect() as conn:
            while not stop.is_set():
                key = b"k%d" % rng.randrange(KEYS)
                other = b"k%d" % rng.randrange(KEYS)
                what = rng.randrange(12)
                if what < 5:
                    conn.call("INCR", key)
                elif what == 5:
                    conn.call("MSET", key, what, other, rng.randrange(10**9))
                elif what == 6:
                    conn.call("DEL", key, other)
                elif what == 7:
                    conn.pipeline([("MULTI",), ("SET", key, 1), ("INCR", key), ("EXEC",)])
                elif what == 8:
                    conn.call("EVAL", "redis.call('set', KEYS[1], ARGV[1])", 1, key, what)
                elif what == 9:
                    conn.call("SET", key, 7, "PX", rng.randrange(1, 20))
                elif what == 10:
                    conn.pipeline([("SET", b"k%d" % i, i) for i in range(8)])
                elif rng.random() < 0.02:
                    conn.call("FLUSHALL")
                else:
                    conn.call("SET", key, rng.randrange(10**9))
    except Exception as err:
        failures.append(err)


def test_no_old_value_stays(node, mode, options):
    stop, failures = threading.Event(), []
    cachers = [Cacher(node, mode, options, stop) for _ in range(4)]
    writers = [
        threading.Thread(target=write, args=(node, i, stop, failures)) for i in range(WRITERS)
    ]
    node.call("FLUSHALL")
    for thread in cachers + writers:
        thread.start()
    time.sleep(SECONDS)
    stop.set()
    for thread in cachers + writers:
        thread.join(20)
        check(not thread.is_alive(), f"{mode}: a thread hangs")
    check(not failures, f"{mode}: a writer failed: {failures}")
    time.sleep(0.05)  # the last keys expire
    heard = 0
    for cacher in cachers:
        check(cacher.failure is None, f"{mode}: {cacher.failure!r}")
        cacher.settle()
        heard += cacher.dropped
        for key, value in cacher.cache.items():
            equal(value, node.call("GET", key), f"{mode}: copy of {key.decode()}")
        cacher.conn.close()
        if cacher.news is not cacher.conn:
            cacher.news.close()
    check(heard > 100, f"{mode}: only {heard} invalidations in all")


def tracker(node, *options):
    conn = node.connect()
    conn.call("HELLO", 3)
    equal(conn.call("CLIENT", "TRACKING", "ON", *options), b"OK", "TRACKING")
    return conn


def invalidated(conn):
    got = conn.read()
    equal(got[0], b"invalidate", "a push")
    return got[1]


def test_order(node):
    """Own changes are told behind the command's reply, in the middle of a pipeline too."""
    node.call("FLUSHALL")
    with tracker(node) as conn:
        conn.call("SET", "a", 1)
        conn.call("GET", "a")
        for args in (["INCR", "a"], ["PING"]):
            conn.send(*args)
        equal([conn.read() for _ in range(3)], [2, [b"invalidate", [b"a"]], b"PONG"], "INCR, PING")
        conn.call("GET", "a")
        for args in (["MULTI"], ["INCR", "a"], ["GET", "a"], ["FLUSHDB"], ["EXEC"], ["PING"]):
            conn.send(*args)
        got = [conn.read() for _ in range(8)]
        equal(got[4], [3, b"3", b"OK"], "EXEC")
        equal(got[5:], [[b"invalidate", [b"a"]], [b"invalidate", None], b"PONG"], "behind it")
    with tracker(node, "NOLOOP") as conn:
        conn.call("GET", "a")
        conn.call("SET", "a", 1)
        conn.call("EVAL", "redis.call('get', KEYS[1]) redis.call('incr', KEYS[1])", 1, "a")
        equal(conn.call("PING"), b"PONG", "nothing of one's own with NOLOOP")
    with tracker(node, "BCAST", "PREFIX", "p:", "PREFIX", "q:") as conn:
        conn.pipeline([("SET", "r:1", 1), ("MSET", "p:2", 1, "q:1", 1, "p:1", 1)])
        equal([invalidated(conn), invalidated(conn)], [[b"p:1", b"p:2"], [b"q:1"]], "BCAST")


def test_expiry_and_eviction(node):
    node.call("FLUSHALL")
    with tracker(node) as conn:
        conn.call("SET", "gone", 1, "PX", 30)
        conn.call("GET", "gone")
        equal(invalidated(conn), [b"gone"], "expiry")
        keys = [b"big%d" % i for i in range(20)]
        for key in keys:
            node.call("SETEX", key, 1000, "x" * 1000)
            conn.call("GET", key)
        node.call("CONFIG", "SET", "maxmemory-policy", "volatile-random")
        used = int(node.info("memory")["used_memory"])
        node.call("CONFIG", "SET", "maxmemory", used - 5000)
        check(invalidated(conn)[0] in keys, "eviction")
        node.call("CONFIG", "SET", "maxmemory", 0)
        for key in keys:
            node.call("DEL", key)
    equal(int(node.info("stats")["tracking_total_keys"]), 0, "tracking_total_keys")


def test_table_limit(node):
    node.call("FLUSHALL")
    with tracker(node) as conn:
        for i in range(300):
            conn.call("GET", f"n{i}")
        equal(node.info("stats")["tracking_total_keys"], "300", "tracking_total_keys")
        node.call("CONFIG", "SET", "tracking-table-max-keys", 10)
        keys = {invalidated(conn)[0] for _ in range(290)}
        equal(len(keys), 290, "keys that had to go")
        equal(conn.call("PING"), b"PONG", "no more than that")
        equal(node.info("stats")["tracking_total_items"], "10", "tracking_total_items")
        node.call("CONFIG", "SET", "tracking-table-max-keys", 1000000)


def test_broken_redirect(node):
    target = node.connect()
    ident = target.call("CLIENT", "ID")
    with tracker(node, "REDIRECT", ident) as conn:
        me = conn.call("CLIENT", "ID")
        line = node.call("CLIENT", "LIST", "ID", me).decode()
        check(" flags=t " in line and f" redir={ident} " in line, line)
        conn.call("GET", "r")
        equal(node.call("CLIENT", "KILL", "ID", ident), 1, "KILL")
        until("its end", lambda: not node.call("CLIENT", "LIST", "ID", ident), 5)
        node.call("SET", "r", 1)
        equal(conn.read(), [b"tracking-redir-broken", ident], "a push")
        check(b"broken_redirect" in conn.call("CLIENT", "TRACKINGINFO")[b"flags"], "TRACKINGINFO")
        check(" flags=tR " in node.call("CLIENT", "LIST", "ID", me).decode(), "CLIENT LIST")
        equal(conn.call("RESET"), b"RESET", "RESET")
        equal(conn.call("CLIENT", "GETREDIR"), -1, "RESET ends tracking")
    target.close()
    until("no client tracks", lambda: node.info("clients")["tracking_clients"] == "0", 5)


def test_replica(lab, node):
    """A replica tells its clients what comes by the stream, and that everything may have changed."""
    replica = lab.node("replica", port=7384, options=["--poll-cores", "0-1"]).start()
    node.call("SET", "over", 1)
    with tracker(replica) as conn:
        conn.call("GET", "over")
        replica.call("REPLICAOF", "127.0.0.1", node.port)
        equal(invalidated(conn), None, "a full sync")
        until("the link", lambda: replica.info("replication").get("master_link_status") == "up")
        equal(conn.call("GET", "over"), b"1", "GET")
        node.call("INCR", "over")
        equal(invalidated(conn), [b"over"], "a change in the stream")
        equal(conn.call("GET", "over"), b"2", "GET")
    equal(replica.stop(), 0, "exit status")


def test(lab):
    node = lab.node("node", port=7383, options=["--poll-cores", "0-1"]).start()
    for mode, options in (
        ("plain", []),
        ("mget", []),
        ("exec", []),
        ("script", []),
        ("optin", ["OPTIN"]),
        ("bcast", ["BCAST"]),
        ("redirect", None),
    ):
        test_no_old_value_stays(node, mode, options)
    test_order(node)
    test_expiry_and_eviction(node)
    test_table_limit(node)
    test_broken_redirect(node)
    test_replica(lab, node)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
