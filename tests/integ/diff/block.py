# SPDX-License-Identifier: BSD-3-Clause
"""Commands that wait for keys: with a short time as any other command; and clients that wait together
while others fill, move and remove the keys."""
import select
import time

from lab import Failed

KEYS = ["block:1", "block:2", "block:3"]
SHARE = 0.1  # redis-server looks at times ten times a second
WAITING = {"blpop", "brpop", "blmove", "brpoplpush", "blmpop", "bzpopmin", "bzpopmax", "bzmpop"}


def side(w):
    return w.pick(["left", "right"])


def end(w):
    return w.pick(["min", "max"])


def waiting(w, key, timeout):
    """A random command that waits for so long; timeout "0": for ever."""
    ms = str(int(float(timeout) * 1000))
    return w.pick(
        [
            lambda: [w.pick(["blpop", "brpop"])] + w.some(key) + [timeout],
            lambda: ["blmove", key(), key(), side(w), side(w), timeout],
            lambda: ["brpoplpush", key(), key(), timeout],
            lambda: ["blmpop", timeout, "2", key(), key(), side(w)]
            + w.pick([[], ["count", str(w.rnd.randrange(1, 4))]]),
            lambda: [w.pick(["bzpopmin", "bzpopmax"])] + w.some(key) + [timeout],
            lambda: ["bzmpop", timeout, "1", key(), end(w)]
            + w.pick([[], ["count", str(w.rnd.randrange(1, 4))]]),
            lambda: ["xread", "count", "2", "block", ms, "streams", key(), w.pick(["$", "0", "5"])],
            lambda: ["xreadgroup", "group", "g", w.pick("ab")]
            + w.pick([[], ["noack"], ["count", "1"]])
            + ["block", ms, "streams", key(), ">"],
        ]
    )()


def commands(w):
    return [lambda: waiting(w, w.key, "0.002")]


def keep(command):
    """Spoilt, it might wait for ever."""
    return command[0] in WAITING or "block" in command


# --- clients that wait together -------------------------------------------------------------------


def one_filling(w):
    def key():
        return w.pick(KEYS)

    values = w.some(lambda: str(w.rnd.randrange(100)), 1, 5)
    return w.pick(
        [
            lambda: [w.pick(["rpush", "lpush"]), key()] + values,
            lambda: [w.pick(["rpush", "lpush"]), key()] + values,
            lambda: ["zadd", key()] + [word for v in values for word in (v, "m" + v)],
            lambda: ["xadd", key(), f"{w.rnd.randrange(10**9)}-1", "f", values[0]],
            lambda: ["xgroup", "create", key(), "g", "0", "mkstream"],
            lambda: ["xgroup", "destroy", key(), "g"],
            lambda: ["set", key(), "x"],
            lambda: ["del", key()],
            lambda: ["rename", key(), key()],
            lambda: ["copy", key(), key(), "replace"],
            lambda: ["lmove", key(), key(), side(w), side(w)],
            lambda: ["sort", key(), "by", "nosort", "store", key()],
            lambda: ["zunionstore", key(), "1", key()],
            lambda: ["geoadd", key(), "1", "1", "here"],
            lambda: ["swapdb", "0", "3"],
            lambda: ["move", key(), "3"],
        ]
    )()


def filling(w):
    """One command, a transaction or a script that fills keys, or takes them away."""
    many = w.some(lambda: one_filling(w), 2, 5)
    kind = w.rnd.randrange(4)
    if kind == 0:
        return [["multi"], *many, ["exec"]]
    if kind == 1:
        calls = [command for command in many if command[0] not in ("sort", "swapdb")]
        text = " ".join(
            "redis.pcall(" + ",".join(f"'{word}'" for word in command) + ")" for command in calls
        )
        return [["eval", text + " return 1", "0"]]
    return [many[0]]


class Waiter:
    """The same client at both servers."""

    def __init__(self, pair, command):
        self.pair, self.command = pair, command
        self.conns, self.ids = [], []
        for conn in (pair.node, pair.redis):
            mine = type(conn)(conn.sock.getpeername())
            self.conns.append(mine)
            self.ids.append(mine.ask([b"client", b"id"])[1])

    def ask(self, command):
        for conn in self.conns:
            conn.ask(command)

    def start(self):
        for at, conn in enumerate(self.conns):
            conn.send(*self.command)
            self.settle(at)

    def is_blocked(self, at):
        conn = (self.pair.node, self.pair.redis)[at]
        line = conn.ask([b"client", b"list", b"id", self.ids[at]])[2].decode()
        return any("b" in word[6:] for word in line.split() if word.startswith("flags="))

    def has_reply(self, at):
        conn = self.conns[at]
        return conn.pos < len(conn.buf) or select.select([conn.sock], [], [], 0)[0]

    def settle(self, at):
        until = time.monotonic() + 5
        while not self.has_reply(at) and not self.is_blocked(at):
            if time.monotonic() > until:
                raise Failed(f"{self.command}: neither waits nor replies")

    def end(self):
        """Compares what the two were told; who still waits is ended."""
        still = self.is_blocked(1)
        if still and self.has_reply(0):
            self.pair.fault(b" ".join(self.command), self.conns[0].raw(), "waits")
            return
        if still:
            for conn, client in zip((self.pair.node, self.pair.redis), self.ids):
                conn.ask([b"client", b"unblock", client])
        got, want = self.conns[0].raw(), self.conns[1].raw()
        if got != want:
            self.pair.fault(b"waiting " + b" ".join(self.command), got, want)

    def close(self):
        for conn in self.conns:
            conn.close()


def in_bytes(command):
    return [w if isinstance(w, bytes) else w.encode() for w in command]


def checks(pair, w):
    for conn in (pair.node, pair.redis):
        conn.ask([b"select", b"0"])
    pair.ask([b"del"] + in_bytes(KEYS))
    for _ in range(w.rnd.randrange(2)):
        pair.ask_all([in_bytes(command) for command in filling(w)])
    waiters = []
    for _ in range(w.rnd.randrange(1, 6)):
        command = in_bytes(waiting(w, lambda: w.pick(KEYS), "0"))
        waiters.append(Waiter(pair, command))
        if w.rnd.randrange(2):
            waiters[-1].ask([b"hello", b"3"])
        waiters[-1].start()
    for _ in range(w.rnd.randrange(1, 5)):
        pair.ask_all([in_bytes(command) for command in filling(w)])
    for waiter in waiters:
        waiter.end()
        waiter.close()
