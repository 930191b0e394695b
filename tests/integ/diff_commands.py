#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends the same commands to a node and to redis-server and compares the replies byte by byte, then
the data sets (DEBUG DIGEST), then the replication streams.

usage: diff_commands.py [--family NAME]... [--seed N] [--count N] [<node> <redis>]

<node>, <redis>: host:port or the path of a unix socket; both are emptied. Without them both servers
are started here. For each family of commands (all, unless some are named) first a table of cases in
RESP2 and RESP3, then random commands over a few keys, a part of them spoilt; --count is their
number in all families together.

A family is a table diff/NAME.txt (a command a line, words quoted as in a shell; a backslash is a
backslash) and a module diff/NAME.py with

    commands(w)      functions that make a random command each, out of w (class Words)

and, where it needs them,

    SHARE            the part of the random commands that are its own; most others are of `key`
    TIMED            names of commands in which no word is replaced by "1": as a time it would be
                     over on one server before the other has looked
    UNORDERED        {name: n}: the elements of the reply, n together, have no order (1: SMEMBERS,
                     2: HGETALL)
    SCANS            {name: n}: the same for the second part of the reply
    REPLACED         {NAME: f}: f(arguments) are the keys whose value the command replaces, whatever
                     it was: redis-server logs a DEL before it when such a key was over
    keep(command)                whether a random command must not be spoilt
    same(command, node, redis)   whether replies that are not equal are as good as equal
    logged(command)              whether a command is looked at in the stream
    effect(command)              a command of the stream in a form that is the same on both
    checks(pair, w)              own checks between random commands, such as of random picks; data
                                 sets and streams must come out equal
"""
import argparse
import collections
import glob
import importlib
import itertools
import os
import random
import re
import shlex
import sys
import time

from lab import Failed, run_test
from resp import Resp, encode

GROUP = 100  # commands between two looks at the streams and data sets
WINDOW = 20  # commands on their way at once


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


# --- the families ---------------------------------------------------------------------------------

HERE = os.path.dirname(os.path.abspath(__file__))
KEYS = [f"key:{i}" for i in range(12)] + ["a", "b"]
BIG = "9223372036854775807"
SPOILT = ["", "abc", "-1", "0", " 1", "1.5", "nan", BIG, "-9223372036854775808", "get", "ex", "1"]
SHARE = 0.8


def load_families():
    names = (os.path.basename(path)[:-4] for path in glob.glob(os.path.join(HERE, "diff", "*.txt")))
    return {name: importlib.import_module("diff." + name) for name in sorted(names)}


FAMILIES = load_families()


def merged(attribute):
    """A dictionary of all families as one."""
    return {k: v for module in FAMILIES.values() for k, v in getattr(module, attribute, {}).items()}


def functions(name):
    return [getattr(module, name) for module in FAMILIES.values() if hasattr(module, name)]


TIMED = {name for module in FAMILIES.values() for name in getattr(module, "TIMED", ())}
UNORDERED, SCANS, REPLACED = (merged(name) for name in ("UNORDERED", "SCANS", "REPLACED"))
SAME, LOGGED, EFFECT, CHECKS = (functions(n) for n in ("same", "logged", "effect", "checks"))


def table(family):
    with open(os.path.join(HERE, "diff", family + ".txt"), encoding="ascii") as cases:
        for line in cases:
            if line[0] not in "#\n":
                yield [w.encode() for w in shlex.split(line.replace("\\", "\\\\"))]


class Words:
    """What random commands are made of."""

    keys, big = KEYS, BIG

    def __init__(self, rnd):
        self.rnd = rnd
        self.pick = rnd.choice

    def key(self):
        return self.pick(KEYS)

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
        return "".join(self.pick("abcd") for _ in range(self.rnd.randrange(12)))

    def number(self):
        return str(self.pick([0, 1, -1, 2, 7, -7, 100, self.rnd.randrange(-20, 60)]))

    def time(self):
        """An option of time, never so near that it could be over in one place only."""
        now = int(time.time())
        return self.pick(
            [
                ["ex", str(self.rnd.randrange(1000, 5000))],
                ["px", str(self.rnd.randrange(1000000, 5000000))],
                ["exat", str(now + self.rnd.randrange(1000, 5000))],
                ["pxat", str(now * 1000 + self.rnd.randrange(1000000, 5000000))],
                ["exat", str(now - 1000)],
                ["pxat", "1"],
            ]
        )

    def some(self, make, low=1, high=4):
        return [make() for _ in range(self.rnd.randrange(low, high))]


class Commands:
    """Random commands of a family, most of them good, and some of others in between."""

    def __init__(self, family, rnd):
        self.rnd = rnd
        self.words = Words(rnd)
        self.share = getattr(FAMILIES[family], "SHARE", SHARE)
        self.own, *self.others = [
            FAMILIES[name].commands(self.words)
            for name in [family] + ["key"] * len(FAMILIES) + list(FAMILIES)
        ]

    def good(self):
        mine = self.rnd.random() < self.share
        return self.rnd.choice(self.own if mine else self.rnd.choice(self.others))()

    def next(self):
        command = self.good()
        spoilt = not any(keep(command) for keep in functions("keep"))
        while spoilt and len(command) > 1 and self.rnd.random() < 0.08:
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


def sorted_parts(elements, size):
    """Elements in groups of size, in one order."""
    return sorted((elements[i : i + size] for i in range(0, len(elements), size)), key=repr)


def same(command, node, redis):
    if node == redis:
        return True
    name = command[0].lower() if command else b""
    size = UNORDERED.get(name)
    if size and node[:2] == redis[:2] and node[0] in b"*~%":
        return sorted_parts(node[2], size) == sorted_parts(redis[2], size)
    size = SCANS.get(name)
    if size and node[:2] == redis[:2] == (b"*", b"2"):
        (cursor, items), (wanted, others) = node[2], redis[2]
        if not b"0" == command[2] == cursor[2] == wanted[2]:
            return True  # a part, as any would be: own checks go through all
        return sorted_parts(items[2], size) == sorted_parts(others[2], size)
    return any(judge(command, node, redis) for judge in SAME)


class Pair:
    """The two servers."""

    def __init__(self, node, redis, rnd):
        self.node, self.redis, self.rnd = node, redis, rnd
        self.nr = 0
        self.faults = []
        self.recent = collections.deque(maxlen=GROUP)
        for conn in (node, redis):
            conn.ask([b"config", b"set", b"proto-max-bulk-len", b"1mb"])
            # what is over goes when it is met, at the same command on both
            conn.ask([b"debug", b"set-active-expire", b"0"])
            conn.ask([b"flushall"])

    def ask(self, command):
        return self.ask_all([command])[0]

    def ask_all(self, commands):
        """The replies of both to each command."""
        # all to both at once, so that they see the same time
        data = b"".join(encode(*command) for command in commands)
        for conn in (self.node, self.redis):
            conn.sock.sendall(data)
        replies = []
        for command in commands:
            self.nr += 1
            self.recent.append(command)
            try:
                got, want = self.node.raw(), self.redis.raw()
            except (OSError, ValueError) as error:
                sent = b"\n   ".join(b" ".join(one)[:200] for one in commands)
                raise Failed(f"{sent!r}: {error!r}") from None
            if not same(command, got, want):
                self.fault(b" ".join(command), got, want)
            replies.append((got, want))
        return replies

    def fault(self, what, got, want):
        text = f"{what[:200]!r}\n      node  {got!r:.300}\n      redis {want!r:.300}"
        self.faults.append(text)

    def compare_data(self, where):
        if self.node.ask([b"debug", b"digest"]) != self.redis.ask([b"debug", b"digest"]):
            self.faults.append(f"{where}: the data sets differ (DEBUG DIGEST)")
        keys = set()
        for db in (b"1", b"0"):
            for conn in (self.node, self.redis):
                conn.ask([b"select", db])
            kind = self.rnd.choice([b"string", b"hash", b"list", b"set", b"zset", b"stream"])
            for options in ([], [b"match", b"key:[0-5]*"], [b"type", kind, b"match", b"*1"]):
                found = [scan(conn, options) for conn in (self.node, self.redis)]
                if found[0] != found[1]:
                    difference = sorted(found[0] ^ found[1])
                    self.faults.append(f"{where}: SCAN {options} in db {db}: {difference} differ")
                keys = found[1] if not options else keys
        key = self.node.ask([b"randomkey"])[2]
        if keys and key not in keys or not keys and key is not None:
            self.faults.append(f"{where}: RANDOMKEY {key!r} is none of {sorted(keys)}")


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

    def form(command):
        head = 4 if command[0].upper() == b"RESTORE" else len(command)
        words = [word(w) for w in command[:head]] + [w.upper() for w in command[head:]]
        command = [words[0].upper()] + words[1:]
        for one in EFFECT:
            command = one(command)
        return command

    runs = [[(db, form(command)) for db, command in run] for run in effects]
    runs = [[pair for pair in run if all(judge(pair[1]) for judge in LOGGED)] for run in runs]
    runs = [run for run in runs if run]
    return [run for _, group in itertools.groupby(runs, is_del) for run in ordered(group)]


def is_del(run):
    return len(run) == 1 and run[0][1][0] == b"DEL"


def ordered(group):
    """SCAN meets keys that are over in the order of a hash."""
    runs = list(group)
    return sorted(runs) if is_del(runs[0]) else map(without_needless_del, runs)


def without_needless_del(run):
    """redis-server logs the DEL of a key that is over also when another value replaces it."""
    name, *args = run[-1][1]
    replaced = REPLACED[name](args) if name in REPLACED else []
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


class Comparison:
    """Both servers, their streams, and what to send."""

    def __init__(self, options, node_at, redis_at, make_socket):
        self.rnd = random.Random(options.seed)
        node, redis = (Raw(where, 20.0, make_socket) for where in (node_at, redis_at))
        self.pair = Pair(node, redis, self.rnd)
        self.taps = options.stream and [Tap(where, make_socket) for where in (node_at, redis_at)]

    def look(self, where):
        self.pair.compare_data(where)
        if self.taps:
            compare_streams(self.pair, self.taps, where)

    def run(self, family, count):
        """The family's table in both protocols, and random commands."""
        commands = Commands(family, self.rnd)
        batches = [(f"table of {family}, RESP{resp}", table(family), resp) for resp in (2, 3)]
        batches.append((f"random {family}", (commands.next() for _ in range(count)), 3))
        for name, batch, resp in batches:
            for conn in (self.pair.node, self.pair.redis):
                for command in ([b"hello", b"%d" % resp], [b"select", b"0"], [b"flushall"]):
                    conn.ask(command)
            for at in itertools.count(1):
                group = list(itertools.islice(batch, GROUP))
                for first in range(0, len(group), WINDOW):
                    self.pair.ask_all(group[first : first + WINDOW])
                for check in CHECKS:
                    check(self.pair, commands.words)
                self.look(f"{name}, first {at * GROUP}")
                if len(group) < GROUP or name.startswith("random") and self.pair.faults:
                    break


def compare(options, node_at, redis_at, make_socket=None):
    print(f"seed {options.seed}", flush=True)
    families = options.family or list(FAMILIES)
    comparison = Comparison(options, node_at, redis_at, make_socket)
    for family in families:
        comparison.run(family, options.count // len(families))
    report(comparison.pair, options.seed)


def main():
    parser = argparse.ArgumentParser(description="compares a node with redis-server")
    parser.add_argument("--family", action="append", choices=FAMILIES)
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
