#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends the same commands to a node and to redis-server and compares the replies byte by byte, then
the data sets (DEBUG DIGEST), then the replication streams.

usage: diff_commands.py [--seed N] [--count N] [<node> <redis>]

<node>, <redis>: host:port or the path of a unix socket; both are emptied. Without them both servers
are started here. First a table of cases in RESP2 and RESP3, then random commands over a few keys, a
part of them spoilt. Times of expiry may differ by TIME_SLACK_MS; what has no order is sorted.
"""
import argparse
import collections
import itertools
import os
import random
import re
import shlex
import sys
import time

from lab import Failed, run_test
from resp import Resp, encode

TIME_SLACK_MS = 3000
BIG = "9223372036854775807"
GROUP = 100  # commands between two looks at the streams and data sets


class Raw(Resp):
    """Replies as (type byte, rest of the line, content), nothing interpreted."""

    def raw(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind in b"$=!" and rest != b"-1":
            return kind, rest, self.exactly(int(rest) + 2)[:-2]
        if kind in b"*~>" and rest != b"-1":
            return kind, rest, [self.raw() for _ in range(int(rest))]
        if kind == b"%":
            return kind, rest, [self.raw() for _ in range(2 * int(rest))]
        return kind, rest, None

    def ask(self, command):
        self.sock.sendall(encode(*command))
        return self.raw()


def address(text):
    if "/" in text:
        return text
    host, port = text.rsplit(":", 1)
    return host, int(port)


# --- the table ------------------------------------------------------------------------------------


def table():
    with open(os.path.splitext(os.path.abspath(__file__))[0] + ".txt", encoding="ascii") as cases:
        for line in cases:
            if line[0] != "#":
                yield [w.encode() for w in shlex.split(line.replace("\\", "\\\\"))]


# --- random commands ---

KEYS = [f"key:{i}" for i in range(12)] + ["a", "b"]
SPOILT = ["", "abc", "-1", "0", " 1", "1.5", "nan", BIG, "-9223372036854775808", "get", "ex", "1"]
# A spoilt time of 1 would be over on one server before the other has looked: not for these.
TIMED = ("set", "getex", "setex", "psetex", "expire", "pexpire")


class Commands:
    """Random commands, most of them good."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)

    def key(self):
        return self.rnd.choice(KEYS)

    def value(self):
        kind = self.rnd.randrange(10)
        if kind < 3:
            return str(self.rnd.randrange(-5, 1000))
        if kind == 3:
            return str(self.rnd.randrange(-(1 << 63), 1 << 63))
        if kind == 4:
            return repr(self.rnd.uniform(-1000, 1000))
        if kind == 5:
            return self.rnd.randbytes(self.rnd.randrange(80))
        if kind == 6:
            return "x" * self.rnd.randrange(200)
        if kind == 7 and self.rnd.random() < 0.1:
            return self.rnd.randbytes(self.rnd.randrange(40000))
        return "".join(self.rnd.choice("abcd") for _ in range(self.rnd.randrange(12)))

    def number(self):
        return str(self.rnd.choice([0, 1, -1, 2, 7, -7, 100, self.rnd.randrange(-20, 60)]))

    def time(self):
        """An option of time, never so near that it could be over in one place only."""
        now = int(time.time())
        return self.rnd.choice(
            [
                ["ex", str(self.rnd.randrange(1000, 5000))],
                ["px", str(self.rnd.randrange(1000000, 5000000))],
                ["exat", str(now + self.rnd.randrange(1000, 5000))],
                ["pxat", str(now * 1000 + self.rnd.randrange(1000000, 5000000))],
                ["exat", str(now - 1000)],
                ["pxat", "1"],
            ]
        )

    def bit_range(self):
        args = []
        for _ in range(self.rnd.randrange(3)):
            args.append(self.number())
        if len(args) == 2 and self.rnd.random() < 0.5:
            args.append(self.rnd.choice(["bit", "byte", "BIT"]))
        return args

    def field(self):
        kind = self.rnd.choice(["i", "u"]) + str(self.rnd.randrange(1, 64))
        offset = self.rnd.choice(["", "#"]) + str(self.rnd.randrange(40))
        pick = self.rnd.randrange(4)
        if pick == 0:
            return ["get", kind, offset]
        if pick == 1:
            return ["set", kind, offset, str(self.rnd.randrange(-(1 << 40), 1 << 40))]
        if pick == 2:
            return ["incrby", kind, offset, str(self.rnd.randrange(-(1 << 62), 1 << 62))]
        return ["overflow", self.rnd.choice(["wrap", "sat", "fail"])]

    def fields(self):
        return [w for _ in range(self.rnd.randrange(1, 5)) for w in self.field()]

    def some(self, make, low=1, high=4):
        return [make() for _ in range(self.rnd.randrange(low, high))]

    def expire(self):
        name, number = self.rnd.choice(
            [
                ("expire", self.rnd.randrange(1000, 5000)),
                ("pexpire", self.rnd.randrange(1000000, 5000000)),
                ("expireat", int(time.time()) + self.rnd.randrange(1000, 5000)),
                ("pexpireat", int(time.time()) * 1000 + self.rnd.randrange(1000000, 5000000)),
                ("expire", -1),
                ("pexpireat", 1),
            ]
        )
        # far apart from what is there, or GT and LT could be decided by the milliseconds
        return [name, self.key(), str(number)] + self.some(
            lambda: self.rnd.choice(["nx", "xx"]), 0, 2
        )

    def good(self):
        key, value, number = self.key, self.value, self.number
        pick = self.rnd.choice
        return pick(
            [
                lambda: ["set", key(), value()],
                lambda: ["set", key(), value()] + self.time(),
                lambda: ["set", key(), value()]
                + self.some(lambda: pick(["nx", "xx", "get", "keepttl"]), 1, 3),
                lambda: ["set", key(), value(), pick(["nx", "xx", "get"])] + self.time(),
                lambda: ["get", key()],
                lambda: ["mget"] + self.some(key),
                lambda: ["mset"] + [w for _ in range(3) for w in (key(), value())],
                lambda: ["msetnx"] + [w for _ in range(2) for w in (key(), value())],
                lambda: ["append", key(), value()],
                lambda: ["strlen", key()],
                lambda: ["setrange", key(), str(self.rnd.randrange(40)), value()],
                lambda: [pick(["getrange", "substr"]), key(), number(), number()],
                lambda: [pick(["incr", "decr"]), key()],
                lambda: [pick(["incrby", "decrby"]), key(), number()],
                lambda: ["incrbyfloat", key(), repr(self.rnd.uniform(-100, 100))],
                lambda: ["getset", key(), value()],
                lambda: ["getdel", key()],
                lambda: ["getex", key()] + pick([[], ["persist"], self.time()]),
                lambda: ["setnx", key(), value()],
                lambda: ["setex", key(), str(self.rnd.randrange(1000, 5000)), value()],
                lambda: ["psetex", key(), str(self.rnd.randrange(1000000, 5000000)), value()],
                lambda: ["lcs", key(), key()]
                + pick([[], ["len"], ["idx"], ["idx", "withmatchlen", "minmatchlen", number()]]),
                lambda: ["setbit", key(), str(self.rnd.randrange(300)), pick("01")],
                lambda: ["getbit", key(), str(self.rnd.randrange(300))],
                lambda: ["bitcount", key()] + self.bit_range(),
                lambda: ["bitpos", key(), pick("01")] + self.bit_range(),
                lambda: ["bitop", pick(["and", "or", "xor"]), key()] + self.some(key),
                lambda: ["bitop", "not", key(), key()],
                lambda: ["bitfield", key()] + self.fields(),
                lambda: ["bitfield_ro", key()] + self.fields(),
                lambda: [pick(["del", "unlink"])] + self.some(key),
                lambda: [pick(["exists", "touch"])] + self.some(key),
                lambda: ["type", key()],
                lambda: [pick(["rename", "renamenx"]), key(), key()],
                lambda: ["copy", key(), key()]
                + pick([[], ["replace"], ["db", "1"], ["db", "1", "replace"]]),
                lambda: ["move", key(), pick("01")],
                lambda: ["select", pick("0001")],
                self.expire,
                self.expire,
                lambda: ["persist", key()],
                lambda: [pick(["ttl", "pttl", "expiretime", "pexpiretime"]), key()],
                lambda: ["object", "encoding", key()],
                lambda: ["keys", pick(["*", "key:*", "key:[1-5]", "?", "*1*", "[^k]*"])],
                lambda: ["dump", key()],
            ]
        )()

    def next(self):
        command = self.good()
        while len(command) > 1 and self.rnd.random() < 0.08:
            at = self.rnd.randrange(1, len(command))
            change = self.rnd.randrange(3)
            if change == 0:
                del command[at]
            elif change == 1:
                command.insert(at, command[at])
            else:
                command[at] = self.rnd.choice(SPOILT[:-1] if command[0] in TIMED else SPOILT)
        return [w if isinstance(w, bytes) else w.encode() for w in command]


# --- comparing ---


def near(one, other, slack):
    return abs(int(one) - int(other)) <= slack and (int(one) < 0) == (int(other) < 0)


def same(command, node, redis):
    if node == redis:
        return True
    name = command[0].lower()
    if name in (b"ttl", b"expiretime") and node[0] == redis[0] == b":":
        return near(node[1], redis[1], TIME_SLACK_MS // 1000)
    if name in (b"pttl", b"pexpiretime") and node[0] == redis[0] == b":":
        return near(node[1], redis[1], TIME_SLACK_MS)
    if name == b"keys" and node[0] == redis[0] == b"*":
        return sorted(node[2]) == sorted(redis[2])
    return False


# An INCRBYFLOAT result is a text for redis-server until it is stored again; here it is a number
# at once.
def tolerated(command, node, redis):
    return command[:2] == [b"object", b"encoding"] and {node[2], redis[2]} == {b"int", b"embstr"}


class Pair:
    """The two servers."""

    def __init__(self, node, redis):
        self.node, self.redis = node, redis
        self.nr = 0
        self.faults = []
        self.recent = collections.deque(maxlen=GROUP)
        for conn in (node, redis):
            conn.ask([b"config", b"set", b"proto-max-bulk-len", b"1mb"])
            # what is over goes when it is met, at the same command on both
            conn.ask([b"debug", b"set-active-expire", b"0"])
            conn.ask([b"flushall"])

    def ask(self, command):
        self.nr += 1
        self.recent.append(command)
        # both at once, so that they see the same time
        for conn in (self.node, self.redis):
            conn.sock.sendall(encode(*command))
        try:
            got, want = self.node.raw(), self.redis.raw()
        except (OSError, ValueError) as error:
            raise Failed(f"{b' '.join(command)[:200]!r}: {error!r}") from None
        if not same(command, got, want) and not tolerated(command, got, want):
            text = b" ".join(command)[:200]
            self.faults.append(f"{text!r}\n      node  {got!r:.300}\n      redis {want!r:.300}")
        return got, want

    def compare_data(self, where):
        if self.node.ask([b"debug", b"digest"]) != self.redis.ask([b"debug", b"digest"]):
            self.faults.append(f"{where}: the data sets differ (DEBUG DIGEST)")
        keys = set()
        for db in (b"1", b"0"):
            for conn in (self.node, self.redis):
                conn.ask([b"select", db])
            for options in ([], [b"match", b"key:[0-5]*"], [b"type", b"string", b"match", b"*1"]):
                found = [scan(conn, options) for conn in (self.node, self.redis)]
                if found[0] != found[1]:
                    difference = sorted(found[0] ^ found[1])
                    self.faults.append(f"{where}: SCAN {options} in db {db}: {difference} differ")
                keys = found[1] if not options else keys
        if scan(self.node, [b"type", b"list"]):
            self.faults.append(f"{where}: SCAN TYPE finds lists")
        key = self.node.ask([b"randomkey"])[2]
        if keys and key not in keys or not keys and key is not None:
            self.faults.append(f"{where}: RANDOMKEY {key!r} is none of {sorted(keys)}")

    def restore_some(self, rnd):
        """Values move by DUMP and RESTORE, from either to both, some of them damaged."""
        for _ in range(8):
            payload = rnd.choice(self.ask([b"dump", rnd.choice(KEYS).encode()]))[2]
            if payload is None:
                continue
            at = rnd.randrange(len(payload))
            if rnd.random() < 0.3:
                payload = (
                    payload[:at]
                    + bytes([payload[at] ^ (1 << rnd.randrange(8))])
                    + payload[at + 1 :]
                )
            ttl, *options = rnd.choice(
                [
                    ["0"],
                    ["0", "replace"],
                    ["0", "replace", "idletime", "100"],
                    ["0", "replace", "freq", "7"],
                    [str(rnd.randrange(1000000, 5000000)), "replace"],
                    ["0", "absttl", "replace"],
                    [str(int(time.time() * 1000) + 1000000), "absttl", "replace"],
                    [str(int(time.time() * 1000) - 1000000), "replace", "absttl"],
                    ["1", "absttl"],
                    [BIG, "replace", "absttl"],
                ]
            )
            key = rnd.choice(KEYS).encode()
            self.ask([b"restore", key, ttl.encode(), payload] + [w.encode() for w in options])


def scan(conn, options):
    """All keys by SCAN, in small steps."""
    keys, cursor = set(), b"0"
    while True:
        reply = conn.ask([b"scan", cursor, b"count", b"3"] + options)
        if reply[0] != b"*" or len(reply[2]) != 2:
            raise Failed(f"SCAN: {reply!r:.200}")
        cursor = reply[2][0][2]
        keys |= {key[2] for key in reply[2][1][2]}
        if cursor == b"0":
            return keys


class Tap:
    """The replication stream of a server, as a replica of the oldest kind."""

    def __init__(self, where, make_socket):
        self.conn = Raw(where, 20.0, make_socket)
        self.conn.sock.sendall(b"SYNC\r\n")
        line = b""
        while not line:
            line = self.conn.line() if not self.newline() else b""
        if line[:1] != b"$":
            raise Failed(f"SYNC: {line!r:.200}")
        self.conn.exactly(int(line[1:]))
        self.db = 0

    def newline(self):
        """Keepalives before the file are bare line feeds."""
        conn = self.conn
        if conn.pos == len(conn.buf):
            conn.fill()
        if conn.buf[conn.pos : conn.pos + 1] == b"\n":
            conn.pos += 1
            return True
        return False

    def until(self, marker):
        """Effects up to the command that sets marker: (database, command), transactions as one."""
        effects, run = [], None
        while True:
            command = [part[2] for part in self.conn.raw()[2]]
            name = command[0].upper()
            if name == b"SELECT":
                self.db = int(command[1])
            elif name == b"MULTI":
                run = []
            elif name == b"EXEC":
                effects.append(run)
                run = None
            elif name in (b"PING", b"REPLCONF"):
                continue
            elif command[1:2] == [marker]:
                return effects
            elif run is not None:
                run.append((self.db, command))
            else:
                effects.append([(self.db, command)])


def plain(effects):
    """Names and options in upper case, and no times of about now."""
    now = int(time.time() * 1000)

    def word(text):
        # also of a time in seconds that a spoilt command adds to the time of now
        if re.fullmatch(rb"\d{13}", text) and abs(int(text) - now) < 2 * 10**9:
            return b"<time>"
        if re.fullmatch(rb"\d{16}", text) and abs(int(text) - 1001 * now) < 2 * 10**12:
            return b"<time>"
        return text

    def effect(command):
        head = 4 if command[0].upper() == b"RESTORE" else len(command)
        words = [word(w) for w in command[:head]] + [w.upper() for w in command[head:]]
        return [words[0].upper()] + words[1:]

    runs = [[(db, effect(command)) for db, command in run] for run in effects]
    runs = [[pair for pair in run if not may_grow_only(pair[1])] for run in runs]
    runs = [run for run in runs if run]
    return [run for _, group in itertools.groupby(runs, is_del) for run in ordered(group)]


def may_grow_only(command):
    """redis-server does not log a BITFIELD of which each write fails, though the string may grow."""
    return command[0] == b"BITFIELD" and b"fail" in command


def is_del(run):
    return len(run) == 1 and run[0][1][0] == b"DEL"


def ordered(group):
    """SCAN meets keys that are over in the order of a hash."""
    runs = list(group)
    return sorted(runs) if is_del(runs[0]) else map(without_needless_del, runs)


def without_needless_del(run):
    """redis-server logs the DEL of a key that is over also when another value takes its place at once."""
    name, *args = run[-1][1]
    replaced = {b"SET": args[:1], b"MSET": args[::2], b"BITOP": args[1:2]}.get(name, [])
    return [
        (db, command)
        for db, command in run
        if not (command[0] == b"DEL" and len(command) == 2 and command[1] in replaced)
    ]


def compare_streams(pair, taps, where):
    marker = b"end-of-stream"
    for conn in (pair.node, pair.redis):
        conn.ask([b"set", marker, b"1"])
    got, want = (plain(tap.until(marker)) for tap in taps)
    if got == want:
        return
    at = 0
    while at < min(len(got), len(want)) and got[at] == want[at]:
        at += 1
    pair.faults.append(
        f"{where}: streams differ from effect {at} on:\n      node  {got[at : at + 2]!r:.400}"
        f"\n      redis {want[at : at + 2]!r:.400}\n      before: {got[max(at - 1, 0) : at]!r:.200}"
        + "".join(f"\n      {command!r:.150}" for command in pair.recent)
    )


def report(pair, seed):
    if pair.faults:
        shown = "\n   ".join(pair.faults[:40])
        raise Failed(f"seed {seed}: {len(pair.faults)} of {pair.nr} differ\n   {shown}")
    print(f"{pair.nr} commands, no difference")


def compare(options, node_at, redis_at, make_socket=None):
    print(f"seed {options.seed}", flush=True)
    pair = Pair(Raw(node_at, 20.0, make_socket), Raw(redis_at, 20.0, make_socket))
    taps = [Tap(where, make_socket) for where in (node_at, redis_at)] if options.stream else None
    commands = Commands(options.seed)
    batches = [(f"table, RESP{resp}", table(), resp) for resp in (2, 3)]
    batches.append(("random commands", (commands.next() for _ in range(options.count)), 3))
    for name, batch, resp in batches:
        for conn in (pair.node, pair.redis):
            conn.ask([b"hello", b"%d" % resp])
        for at, command in enumerate(batch, 1):
            pair.ask(command)
            if at % GROUP:
                continue
            where = f"{name}, first {at}"
            pair.restore_some(commands.rnd)
            pair.compare_data(where)
            if taps:
                compare_streams(pair, taps, where)
            if name[0] == "r" and pair.faults:
                break
    report(pair, options.seed)


def main():
    parser = argparse.ArgumentParser(description="compares a node with redis-server")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--no-stream", dest="stream", action="store_false")
    parser.add_argument("servers", nargs="*")
    options = parser.parse_args()
    if options.servers:
        if len(options.servers) != 2:
            parser.error("two servers, or none")
        try:
            compare(options, *(address(text) for text in options.servers))
        except Failed as why:
            print(f"failed: {why}")
            return 1
        return 0

    def test(lab):
        node, redis = lab.node().start(), lab.stock().start()
        make_socket = lab.home.socket
        compare(options, ("127.0.0.1", node.port), ("127.0.0.1", redis.port), make_socket)

    return run_test(test)


if __name__ == "__main__":
    sys.exit(main())
