#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Pub/sub over two poll cores: every subscriber sees the same sequence, the publisher learns the true
number of receivers, keyspace notifications come in the order of the changes, and whoever does not
read is cut off."""
import sys
import threading

from lab import check, equal, run_test, until
from resp import RespError

PUBLISHERS = 4
SUBSCRIBERS = 6
MESSAGES = 3000


def subscribe(node, kind="SUBSCRIBE", *names):
    conn = node.connect()
    conn.send(kind, *names)
    for i, name in enumerate(names):
        equal(conn.read(), [kind.lower().encode(), name.encode(), i + 1], f"{kind} {name}")
    return conn


def publish(node, number, totals):
    with node.connect() as conn:
        for begin in range(0, MESSAGES, 100):
            batch = [("PUBLISH", "news", f"{number}:{i}") for i in range(begin, begin + 100)]
            totals.extend(conn.pipeline(batch))


def test_order(node):
    """Both cores publish, both have subscribers: one sequence for all, no message missing."""
    subscribers = [subscribe(node, "SUBSCRIBE", "news") for _ in range(SUBSCRIBERS - 2)]
    subscribers += [subscribe(node, "PSUBSCRIBE", "n*s") for _ in range(2)]
    seen = [[] for _ in subscribers]

    def read(i):
        for _ in range(PUBLISHERS * MESSAGES):
            seen[i].append(subscribers[i].read()[-1])

    totals = []
    readers = [threading.Thread(target=read, args=(i,)) for i in range(SUBSCRIBERS)]
    writers = [threading.Thread(target=publish, args=(node, i, totals)) for i in range(PUBLISHERS)]
    for thread in readers + writers:
        thread.start()
    for thread in readers + writers:
        thread.join(60)
        check(not thread.is_alive(), "messages are missing")
    equal(set(totals), {SUBSCRIBERS}, "receivers of each message")
    for other in seen[1:]:
        check(other == seen[0], "two subscribers saw different sequences")
    for number in range(PUBLISHERS):
        mine = [m for m in seen[0] if m.startswith(b"%d:" % number)]
        equal(mine, [b"%d:%d" % (number, i) for i in range(MESSAGES)], "one publisher's order")
    for conn in subscribers:
        conn.close()
    until("the subscribers' end", lambda: node.info("stats")["pubsub_channels"] == "0", 5)
    equal(node.info("stats")["pubsub_patterns"], "0", "pubsub_patterns")


def test_counts(node):
    """A message goes to exactly those who are subscribed when it is published."""
    stop = threading.Event()

    def flutter():
        with node.connect() as conn:
            while not stop.is_set():
                conn.send("SUBSCRIBE", "flutter")
                while conn.read()[0] != b"subscribe":
                    counts["heard"] += 1
                conn.send("UNSUBSCRIBE", "flutter")
                while conn.read()[0] != b"unsubscribe":
                    counts["heard"] += 1

    counts = {"heard": 0}
    thread = threading.Thread(target=flutter)
    thread.start()
    told = 0
    with node.connect() as conn:
        for _ in range(200):
            told += sum(conn.pipeline([("PUBLISH", "flutter", "x")] * 20))
    stop.set()
    thread.join(20)
    check(told > 0, "no message met its subscriber")
    equal(counts["heard"], told, "messages heard, and receivers that PUBLISH returned")


def test_resp3(node):
    with node.connect() as conn:
        conn.call("HELLO", 3)
        conn.send("SUBSCRIBE", "self")
        equal(conn.read(), [b"subscribe", b"self", 1], "SUBSCRIBE")
        conn.send("PUBLISH", "self", "me")
        equal(conn.read(), [b"message", b"self", b"me"], "own message")
        equal(conn.read(), 1, "its reply comes behind it")
        equal(conn.call("GET", "nothing"), None, "a command beside subscriptions")
        conn.send("CLIENT", "REPLY", "OFF")
        conn.send("PUBLISH", "self", "silent")
        equal(conn.read(), [b"message", b"self", b"silent"], "CLIENT REPLY OFF lets messages pass")
    with node.connect() as conn:
        conn.send("SUBSCRIBE", "ch")
        conn.read()
        try:
            conn.call("GET", "k")
            raise AssertionError("a subscriber with RESP2 could GET")
        except RespError as err:
            check(str(err).startswith("ERR Can't execute 'get': only (P|S)SUBSCRIBE"), err)
        equal(conn.call("PING", "x"), [b"pong", b"x"], "PING of a subscriber")
        equal(conn.call("RESET"), b"RESET", "RESET")
        equal(conn.call("PUBSUB", "NUMSUB", "ch"), [b"ch", 0], "RESET ends subscriptions")


def test_notifications(node):
    node.call("CONFIG", "SET", "notify-keyspace-events", "KEA")
    sub = subscribe(node, "PSUBSCRIBE", "__key*__:*")

    def events(*command):
        with node.connect() as conn:
            conn.call(*command)
            conn.call("PUBLISH", "__keyend__:", "end")
        out = []
        while True:
            message = sub.read()
            if message[-1] == b"end":
                return out
            out.append((message[2].decode(), message[3].decode()))

    def both(event, key, db=0):
        return [(f"__keyspace@{db}__:{key}", event), (f"__keyevent@{db}__:{event}", key)]

    equal(events("SET", "k", "v"), both("set", "k"), "SET")
    equal(events("SET", "k", "v", "EX", 100), both("set", "k") + both("expire", "k"), "SET EX")
    equal(events("PERSIST", "k"), both("persist", "k"), "PERSIST")
    equal(events("RENAME", "k", "l"), both("rename_from", "k") + both("rename_to", "l"), "RENAME")
    equal(events("DEL", "l", "absent"), both("del", "l"), "DEL")
    equal(events("GET", "absent"), [], "a miss without m")
    node.call("SET", "gone", "v", "PX", 1)
    said = [sub.read()[3] for _ in range(4)]
    equal(said, [b"set", b"gone", b"expire", b"gone"], "events of a SET that expires")
    equal([sub.read()[3], sub.read()[2]], [b"expired", b"__keyevent@0__:expired"], "expired")
    node.call("CONFIG", "SET", "notify-keyspace-events", "")
    equal(events("SET", "k", "v"), [], "none when switched off")
    sub.close()


def test_slow_reader(node):
    node.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
    sub = subscribe(node, "SUBSCRIBE", "flood")
    line = "x" * 100000
    with node.connect() as conn:
        until(
            "the end of who does not read",
            lambda: conn.call("PUBLISH", "flood", line) == 0,
            20,
            0,
        )
    sub.close()


def test_replica(lab, node):
    replica = lab.node("replica", port=7382, options=["--poll-cores", "0-1"]).start()
    replica.call("REPLICAOF", "127.0.0.1", node.port)
    until("the link", lambda: replica.info("replication").get("master_link_status") == "up")
    sub = subscribe(replica, "SUBSCRIBE", "over")
    equal(node.call("PUBLISH", "over", "there"), 0, "receivers here")
    equal(sub.read(), [b"message", b"over", b"there"], "a message by way of the stream")
    sub.close()
    equal(replica.stop(), 0, "exit status")


def test(lab):
    node = lab.node("node", port=7381, options=["--poll-cores", "0-1"]).start()
    test_order(node)
    test_counts(node)
    test_resp3(node)
    test_notifications(node)
    test_slow_reader(node)
    test_replica(lab, node)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
