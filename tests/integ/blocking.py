#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Commands that wait for keys, over two poll cores: who came first is served first, with the command
that filled the key and before anybody else; what is waited for is neither lost nor given twice, not
when clients give up or are killed at that moment; the log and a replica have the same order."""
import random
import sys
import threading
import time

from lab import check, equal, run_test, until
from resp import RespError

PUSHERS = 4
POPPERS = 8
ELEMENTS = 400
KEYS = [f"q{i}" for i in range(3)]


class Waiter:
    """A connection whose command is under way."""

    def __init__(self, node, *command):
        self.node = node
        self.conn = node.connect()
        self.id = self.conn.call("CLIENT", "ID")
        self.wait(*command)

    def wait(self, *command):
        self.conn.send(*command)
        until(f"{command} waits", lambda: is_blocked(self.node, self.id))

    def reply(self):
        reply = self.conn.read()
        return str(reply) if isinstance(reply, RespError) else reply

    def close(self):
        self.conn.close()


def is_blocked(node, client):
    line = node.call("CLIENT", "LIST", "ID", client).decode()
    return any("b" in word[6:] for word in line.split() if word.startswith("flags="))


def nobody_waits(node):
    until("nobody waits", lambda: node.info("clients")["blocked_clients"] == "0")


class Tap:
    """A replica that only listens."""

    def __init__(self, node):
        self.conn = node.connect()
        self.conn.send("SYNC")
        header = self.conn.line()
        while not header.startswith(b"$"):
            header = self.conn.line()
        self.conn.exactly(int(header[1:]))
        self.node = node
        self.marks = 0

    def commands(self):
        self.marks += 1
        mark = f"mark{self.marks}".encode()
        self.node.call("PUBLISH", "tap", mark)
        found = []
        while True:
            command = self.conn.read()
            if command == [b"PUBLISH", b"tap", mark]:
                return found
            if command[0] not in (b"PING", b"SELECT", b"REPLCONF"):
                found.append(b" ".join(command).decode())


def test_lists(node):
    tap = Tap(node)
    with node.connect() as conn:
        first = Waiter(node, "BLPOP", "k", 0)
        second = Waiter(node, "BRPOP", "other", "k", 0)
        third = Waiter(node, "BLMPOP", 0, 1, "k", "RIGHT", "COUNT", 2)
        fourth = Waiter(node, "BLPOP", "k", 0)
        equal(conn.call("RPUSH", "k", *"abcde"), 5, "RPUSH")
        equal(first.reply(), [b"k", b"a"], "who came first")
        equal(second.reply(), [b"k", b"e"], "who came second")
        equal(third.reply(), [b"k", [b"d", b"c"]], "who came third")
        equal(fourth.reply(), [b"k", b"b"], "who came last")
        equal(conn.call("EXISTS", "k"), 0, "the key")
        equal(
            tap.commands(),
            ["RPUSH k a b c d e", "LPOP k", "RPOP k", "RPOP k 2", "LPOP k"],
            "the log",
        )
        first.wait("BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
        second.wait("BRPOPLPUSH", "b", "c", 0)
        third.wait("BLPOP", "c", 0)
        equal(conn.call("LPUSH", "a", "x"), 1, "LPUSH")
        equal([first.reply(), second.reply()], [b"x", b"x"], "the movers")
        equal(third.reply(), [b"c", b"x"], "the end of the chain")
        equal(
            tap.commands(),
            ["LPUSH a x", "LMOVE a b left right", "RPOPLPUSH b c", "LPOP c"],
            "the log of a chain",
        )
        conn.call("SET", "wrong", "type")
        first.wait("BLMOVE", "a", "wrong", "LEFT", "RIGHT", 0)
        second.wait("BLPOP", "a", 0)
        equal(conn.call("RPUSH", "a", "y"), 1, "RPUSH")
        check(first.reply().startswith("WRONGTYPE"), "a destination of another type")
        equal(second.reply(), [b"a", b"y"], "the next one in the row")
        first.wait("BRPOPLPUSH", "a", "a", 0)
        second.wait("BLPOP", "a", 0)
        conn.call("RPUSH", "a", "y")
        equal([first.reply(), second.reply()], [b"y", [b"a", b"y"]], "a list onto itself")
        tap.commands()
    for waiter in (first, second, third, fourth):
        waiter.close()
    tap.conn.close()


def test_zsets(node):
    tap = Tap(node)
    with node.connect() as conn:
        first = Waiter(node, "BZPOPMIN", "other", "z", 0)
        second = Waiter(node, "BZMPOP", 0, 1, "z", "MAX", "COUNT", 9)
        third = Waiter(node, "BLPOP", "z", 0)
        fourth = Waiter(node, "BZPOPMAX", "z", 0)
        equal(conn.call("ZADD", "z", 1, "a", 2, "b", 3, "c"), 3, "ZADD")
        equal(first.reply(), [b"z", b"a", b"1"], "the lowest")
        equal(second.reply(), [b"z", [[b"c", b"3"], [b"b", b"2"]]], "the highest ones")
        conn.call("SADD", "s", "m")
        equal(conn.call("ZUNIONSTORE", "z", 1, "s"), 1, "ZUNIONSTORE")
        equal(fourth.reply(), [b"z", b"m", b"1"], "by ZUNIONSTORE")
        conn.call("RPUSH", "z", "list")
        equal(third.reply(), [b"z", b"list"], "who waits for another type")
        equal(
            tap.commands(),
            [
                "ZADD z 1 a 2 b 3 c",
                "ZPOPMIN z",
                "ZPOPMAX z 2",
                "SADD s m",
                "ZUNIONSTORE z 1 s",
                "ZPOPMAX z",
                "RPUSH z list",
                "LPOP z",
            ],
            "the log",
        )
        fourth.wait("BZPOPMIN", "z", 0)
        conn.call("GEOADD", "z", 1, 1, "here")
        equal(fourth.reply()[:2], [b"z", b"here"], "by GEOADD")
        fourth.wait("BZMPOP", "0.05", 1, "z", "MIN")
        equal(fourth.reply(), None, "time is over")
        replies = conn.pipeline([("MULTI",), ("BZPOPMIN", "z", 0), ("BZMPOP", 0, 1, "z", "MIN"), ("EXEC",)])
        equal(replies[-1], [None, None], "in EXEC nobody waits")
        conn.call("DEL", "s")
    for waiter in (first, second, third, fourth):
        waiter.close()
    tap.conn.close()


def entry(number, value):
    return [f"{number}-0".encode(), [b"f", value]]


def test_streams(node):
    tap = Tap(node)
    with node.connect() as conn:
        conn.call("XADD", "x", "1-0", "f", "0")
        reader = Waiter(node, "XREAD", "BLOCK", 0, "STREAMS", "x", "y", "$", "$")
        modern = node.connect()
        modern.call("HELLO", 3)
        modern_id = modern.call("CLIENT", "ID")
        modern.send("XREAD", "COUNT", 1, "BLOCK", 10000, "STREAMS", "x", "$")
        until("RESP3 waits", lambda: is_blocked(node, modern_id))
        later = Waiter(node, "XREAD", "BLOCK", 0, "STREAMS", "x", "2-0")
        conn.call("XADD", "x", "2-0", "f", "1")
        equal(reader.reply(), [[b"x", [entry(2, b"1")]]], "XREAD")
        equal(modern.read(), {b"x": [entry(2, b"1")]}, "XREAD in RESP3")
        check(is_blocked(node, later.id), "who waits for what comes later waits on")
        conn.pipeline([("MULTI",), ("XADD", "x", "3-0", "f", "2"), ("XADD", "x", "4-0", "f", "3")])
        conn.call("EXEC")
        equal(later.reply(), [[b"x", [entry(3, b"2"), entry(4, b"3")]]], "two entries")
        reader.wait("XREAD", "BLOCK", 50, "STREAMS", "x", "$")
        equal(reader.reply(), None, "time is over")
        conn.call("XGROUP", "CREATE", "x", "g", "$")
        tap.commands()
        reader.wait("XREADGROUP", "GROUP", "g", "alice", "BLOCK", 0, "STREAMS", "x", ">")
        later.wait("XREADGROUP", "GROUP", "g", "bob", "BLOCK", 0, "STREAMS", "x", ">")
        conn.call("XADD", "x", "5-0", "f", "4")
        equal(reader.reply(), [[b"x", [entry(5, b"4")]]], "the first consumer")
        check(is_blocked(node, later.id), "the second one waits on")
        log = tap.commands()
        equal(log[0], "XADD x 5-0 f 4", "the log")
        check(log[1].startswith("XCLAIM x g alice 0 5-0 TIME "), f"the log: {log}")
        equal(len(log), 2, "the log")
        conn.call("XADD", "x", "6-0", "f", "5")
        equal(later.reply(), [[b"x", [entry(6, b"5")]]], "the second consumer")
        pending = conn.call("XPENDING", "x", "g", "-", "+", 9)
        equal([(p[0], p[1]) for p in pending], [(b"5-0", b"alice"), (b"6-0", b"bob")], "XPENDING")
        reader.wait("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", "x", ">")
        conn.call("XGROUP", "DESTROY", "x", "g")
        equal(
            reader.reply(),
            "NOGROUP the consumer group this client was blocked on no longer exists",
            "a group that goes",
        )
        ends = {
            "DEL": lambda: conn.call("DEL", "x"),
            "SET": lambda: conn.call("SET", "x", 1),
            "RENAME": lambda: conn.call("RENAME", "x", "elsewhere"),
            "FLUSHALL": lambda: conn.call("FLUSHALL"),
            "SWAPDB": lambda: conn.call("SWAPDB", 0, 5),
            "expiry": lambda: conn.call("PEXPIRE", "x", 1),
        }
        for name, end in ends.items():
            conn.call("DEL", "x")
            conn.call("XGROUP", "CREATE", "x", "g", "$", "MKSTREAM")
            reader.wait("XREADGROUP", "GROUP", "g", "a", "BLOCK", 0, "STREAMS", "x", ">")
            end()
            equal(reader.reply(), "UNBLOCKED the stream key no longer exists", name)
        conn.call("FLUSHALL")
        replies = conn.pipeline([("MULTI",), ("XREAD", "BLOCK", 0, "STREAMS", "n", "$"), ("EXEC",)])
        equal(replies[-1], [None], "in EXEC nobody waits")
    for waiter in (reader, later):
        waiter.close()
    modern.close()
    tap.conn.close()


def test_atomic(node):
    """Nobody is served inside of a transaction or a script, and nobody waits there."""
    with node.connect() as conn:
        waiter = Waiter(node, "BLPOP", "k", "l", 0)
        conn.pipeline([("MULTI",), ("RPUSH", "k", 1), ("DEL", "k"), ("RPUSH", "l", 2)])
        conn.call("RPUSH", "k", 3)
        equal(conn.call("EXEC"), [1, 1, 1, 1], "EXEC")
        equal(waiter.reply(), [b"k", b"3"], "the key that was filled first")
        equal(conn.call("LRANGE", "l", 0, -1), [b"2"], "the other one")
        conn.call("DEL", "l")
        waiter.wait("BLPOP", "k", 0)
        script = "redis.call('rpush', KEYS[1], 1, 2) return redis.call('llen', KEYS[1])"
        equal(conn.call("EVAL", script, 1, "k"), 2, "EVAL")
        equal(waiter.reply(), [b"k", b"1"], "behind the script")
        waiter.wait("BLMOVE", "s", "undeclared", "LEFT", "LEFT", 0)
        equal(conn.call("EVAL", "return redis.call('rpush', 's', 5)", 0), 1, "EVAL")
        equal(waiter.reply(), b"5", "a mover behind a script")
        equal(conn.call("LPOP", "undeclared"), b"5", "its destination")
        replies = conn.pipeline(
            [
                ("MULTI",),
                ("BLPOP", "none", 0),
                ("BLMOVE", "none", "x", "LEFT", "LEFT", 0),
                ("BLMPOP", 0, 1, "none", "LEFT"),
                ("EXEC",),
            ]
        )
        equal(replies[-1], [None, None, None], "in EXEC nobody waits")
        equal(conn.call("EVAL", "return redis.call('blmpop', 0, 1, 'none', 'left')", 0), None, "EVAL")
        conn.call("DEL", "k")
    waiter.close()


def fill_by_restore(conn, key):
    conn.call("RPUSH", "tmp", "v")
    dump = conn.call("DUMP", "tmp")
    conn.call("DEL", "tmp")
    conn.call("RESTORE", key, 0, dump)


def fill_by_swap(conn, key):
    conn.call("SELECT", 7)
    conn.call("RPUSH", key, "v")
    conn.call("SELECT", 0)
    conn.call("SWAPDB", 0, 7)


def fill_by_move(conn, key):
    conn.call("SELECT", 7)
    conn.call("RPUSH", key, "v")
    conn.call("MOVE", key, 0)
    conn.call("SELECT", 0)


def fill_by(*commands):
    def fill(conn, key):
        for command in commands:
            conn.call(*(key if word == "KEY" else word for word in command))

    return fill


def test_ways(node):
    """All that brings a list into being."""
    ways = {
        "LMOVE": fill_by(("RPUSH", "t", "v"), ("LMOVE", "t", "KEY", "LEFT", "LEFT")),
        "RENAME": fill_by(("RPUSH", "t", "v"), ("RENAME", "t", "KEY")),
        "COPY": fill_by(("RPUSH", "t", "v"), ("COPY", "t", "KEY"), ("DEL", "t")),
        "SORT": fill_by(("SADD", "t", "v"), ("SORT", "t", "ALPHA", "STORE", "KEY"), ("DEL", "t")),
        "SET": fill_by(("SET", "KEY", "s"), ("DEL", "KEY"), ("RPUSH", "KEY", "v")),
        "MOVE": fill_by_move,
        "SWAPDB": fill_by_swap,
        "RESTORE": fill_by_restore,
    }
    with node.connect() as conn:
        for name, fill in ways.items():
            waiter = Waiter(node, "BLPOP", "way", 0)
            fill(conn, "way")
            equal(waiter.reply(), [b"way", b"v"], name)
            waiter.close()


def test_end(node):
    """Time, CLIENT UNBLOCK, KILL, and what is pipelined behind."""
    with node.connect() as conn:
        waiter = Waiter(node, "BLPOP", "k", "0.3")
        start = time.monotonic()
        equal(waiter.reply(), None, "time is over")
        check(0.1 < time.monotonic() - start < 2, "the time")
        waiter.wait("BLMOVE", "k", "l", "LEFT", "LEFT", 0)
        equal(conn.call("CLIENT", "UNBLOCK", waiter.id), 1, "CLIENT UNBLOCK")
        equal(waiter.reply(), None, "as if time was over")
        equal(conn.call("CLIENT", "UNBLOCK", waiter.id), 0, "CLIENT UNBLOCK of who does not wait")
        waiter.wait("BLPOP", "k", 0)
        conn.call("CLIENT", "UNBLOCK", waiter.id, "ERROR")
        equal(waiter.reply(), "UNBLOCKED client unblocked via CLIENT UNBLOCK", "with an error")
        waiter.wait("BLPOP", "k", 0)
        waiter.conn.send("PING")
        waiter.conn.send("RPUSH", "m", 1)
        conn.call("PING")
        equal(conn.call("EXISTS", "m"), 0, "what is behind waits")
        conn.call("RPUSH", "k", 1)
        equal([waiter.reply() for _ in range(3)], [[b"k", b"1"], b"PONG", 1], "pipelined")
        waiter.wait("BLPOP", "k", 0)
        next_one = Waiter(node, "BLPOP", "k", 0)
        conn.call("CLIENT", "KILL", "ID", waiter.id)
        until("the killed one is gone", lambda: not conn.call("CLIENT", "LIST", "ID", waiter.id))
        conn.call("RPUSH", "k", 2)
        equal(next_one.reply(), [b"k", b"2"], "behind one that was killed")
        for bad in ("x", "-1", "1e40"):
            try:
                conn.call("BLPOP", "k", bad)
                check(False, f"a timeout of {bad}")
            except RespError as err:
                check("timeout" in str(err), f"{bad}: {err}")
        conn.call("DEL", "m")
    waiter.close()
    next_one.close()
    nobody_waits(node)


def push_all(node, who, errors):
    try:
        rng = random.Random(who)
        with node.connect() as conn:
            for nr in range(0, ELEMENTS, 2):
                key = rng.choice(KEYS)
                items = [f"{who}:{nr}", f"{who}:{nr + 1}"]
                how = rng.randrange(4)
                if how == 0:
                    conn.pipeline([("MULTI",), *(("RPUSH", key, i) for i in items), ("EXEC",)])
                elif how == 1:
                    conn.call("EVAL", "return redis.call('rpush', KEYS[1], unpack(ARGV))", 1, key, *items)
                else:
                    conn.call("RPUSH", key, *items)
    except Exception as err:  # pylint: disable=broad-except
        errors.append(f"pusher {who}: {err!r}")


def pop_all(node, who, got, stop, errors):
    """Takes from random keys, by any command, with short times; from q2 by way of another list."""
    rng = random.Random(1000 + who)
    try:
        with node.connect() as conn:
            while not stop.is_set():
                how = rng.randrange(3)
                timeout = rng.choice(["0.001", "0.01", "0.1"])
                if how == 0:
                    reply = conn.call("BLPOP", *rng.sample(KEYS, 2), timeout)
                    got.extend([reply[1]] if reply else [])
                elif how == 1:
                    reply = conn.call("BLMPOP", timeout, 1, rng.choice(KEYS), "LEFT", "COUNT", 3)
                    got.extend(reply[1] if reply else [])
                else:
                    reply = conn.call("BLMOVE", rng.choice(KEYS), f"own{who}", "LEFT", "RIGHT", timeout)
                    if reply is not None:
                        equal(conn.call("LPOP", f"own{who}"), reply, "what was moved")
                        got.append(reply)
    except Exception as err:  # pylint: disable=broad-except
        errors.append(f"popper {who}: {err!r}")


def kill_some(node, stop, errors):
    """Clients that wait, and go; and who is told to stop."""
    rng = random.Random(7)
    try:
        with node.connect() as conn:
            while not stop.is_set():
                other = node.connect()
                other.send("BLPOP", *KEYS, 0)
                time.sleep(rng.random() / 500)
                kind = rng.randrange(2)
                if kind:
                    ids = [
                        word[3:]
                        for line in conn.call("CLIENT", "LIST").decode().splitlines()
                        if "cmd=blpop" in line
                        for word in line.split()
                        if word.startswith("id=")
                    ]
                    for client in ids[:2]:
                        conn.call("CLIENT", "UNBLOCK", client)
                lost = other
                lost.send("CLIENT", "GETNAME")
                lost.close()
    except Exception as err:  # pylint: disable=broad-except
        errors.append(f"killer: {err!r}")


def stress(node, with_killer):
    got = [[] for _ in range(POPPERS)]
    stop, errors = threading.Event(), []
    pushers = [threading.Thread(target=push_all, args=(node, i, errors)) for i in range(PUSHERS)]
    others = [
        threading.Thread(target=pop_all, args=(node, i, got[i], stop, errors))
        for i in range(POPPERS)
    ]
    if with_killer:
        others.append(threading.Thread(target=kill_some, args=(node, stop, errors)))
    for thread in others + pushers:
        thread.start()
    for thread in pushers:
        thread.join(60)
    until(
        "all are taken",
        lambda: not any(node.call("EXISTS", key) for key in KEYS),
    )
    time.sleep(0.2)
    stop.set()
    for thread in others:
        thread.join(20)
        check(not thread.is_alive(), "a client does not come to an end")
    equal(errors, [], "errors")
    return got


def test_stress(lab, node):
    replica = lab.stock("replica", port=7396)
    replica.options += ["--replicaof", "127.0.0.1", str(node.port)]
    replica.start()
    until("replica", lambda: replica.info("replication")["master_link_status"] == "up")
    everything = sorted(f"{who}:{nr}".encode() for who in range(PUSHERS) for nr in range(ELEMENTS))
    got = stress(node, False)
    equal(sorted(item for items in got for item in items), everything, "each taken once")
    got = stress(node, True)
    found = [item for items in got for item in items]
    equal(len(set(found)), len(found), "none taken twice")
    nobody_waits(node)
    until("digests", lambda: replica.call("DEBUG", "DIGEST") == node.call("DEBUG", "DIGEST"))
    check(node.alive, "the node lives")


def test_role(lab, node):
    """Who waits on a master that becomes a replica is told, and leaves."""
    master = lab.stock("master", port=7397).start()
    waiter = Waiter(node, "BLPOP", "k", 0)
    node.call("REPLICAOF", "127.0.0.1", master.port)
    equal(
        waiter.reply(),
        "UNBLOCKED force unblock from blocking operation, instance state changed "
        "(master -> replica?)",
        "a change of role",
    )
    try:
        waiter.conn.read()
        check(False, "the connection stays")
    except (OSError, EOFError):
        pass
    node.call("REPLICAOF", "NO", "ONE")


def test(lab):
    node = lab.node("node", port=7395, options=["--poll-cores", "0-1"]).start()
    test_lists(node)
    test_zsets(node)
    test_streams(node)
    test_atomic(node)
    test_ways(node)
    test_end(node)
    test_stress(lab, node)
    test_role(lab, node)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
