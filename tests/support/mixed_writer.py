# SPDX-License-Identifier: BSD-3-Clause
"""A checking writer of all types, like writer.py: knows what was acknowledged, and finds out later
whether all of it is there, in the order in which it was done, and nothing else.

Each connection does the same steps again and again, with a number that rises: step s of number n
adds n to its key of one type. One connection's requests are executed in order, so after a crash the
keys hold 0 to some number each, and the numbers of the steps differ by one at the most, at one
place in the order of the steps.
"""
import socket
import threading
import time

from resp import RespError, encode

# The steps: a request for number n, and how to read back how many numbers the key holds.
LIST, HASH, SET, ZSET, STREAM, PAIR, SCRIPT, HLL, BITS, MOVED = range(10)
NR_STEPS = 10
SCRIPT_TEXT = "redis.call('INCR', KEYS[1]) redis.call('RPUSH', KEYS[2], ARGV[1])"


def requests_of(prefix, n):
    """The requests of number n, step by step; a step may be several requests."""
    key = [f"{prefix}:{step}" for step in range(NR_STEPS)]
    value = f"value{n}" * (1 + n % 7)
    return [
        [("RPUSH", key[LIST], n)],
        [("HSET", key[HASH], n, value)],
        [("SADD", key[SET], n)],
        [("ZADD", key[ZSET], n, n)],
        [("XADD", key[STREAM], f"{n + 1}-1", "n", n, "v", value)],
        [
            ("MULTI",),
            ("SET", key[PAIR] + "a", n),
            ("SET", key[PAIR] + "b", n, "PX", 100000000),
            ("EXEC",),
        ],
        [("EVAL", SCRIPT_TEXT, 2, key[SCRIPT] + "n", key[SCRIPT], n)],
        [("PFADD", key[HLL], n)],
        [("SETBIT", key[BITS], n, 1)],
        [
            ("MULTI",),
            ("RPUSH", key[MOVED] + "a", n),
            ("LMOVE", key[MOVED] + "a", key[MOVED] + "b", "LEFT", "RIGHT"),
            ("EXEC",),
        ],
    ]


class Stream(threading.Thread):
    """One connection."""

    def __init__(self, connect, prefix, pipeline, stop):
        super().__init__(daemon=True)
        self.connect, self.prefix, self.pipeline, self.stop = connect, prefix, pipeline, stop
        self.sent = self.acked = 0  # steps
        self.end = "stopped"
        self.conn = None

    def run(self):
        try:
            with self.connect() as conn:
                self.conn = conn
                while not self.stop.is_set():
                    self.round(conn)
        except (OSError, ConnectionError) as error:
            self.end = f"connection lost: {error}"
        except RespError as error:
            self.end = f"refused: {error}"

    def round(self, conn):
        first = self.sent // NR_STEPS
        steps = []
        for n in range(first, first + self.pipeline):
            steps += requests_of(self.prefix, n)
        self.sent += len(steps)
        conn.sock.sendall(b"".join(encode(*request) for step in steps for request in step))
        for step in steps:
            for _ in step:
                reply = conn.read()
                if isinstance(reply, RespError):
                    raise reply
            self.acked += 1


class MixedWriter:
    """Some connections at once. connect: makes a Resp."""

    def __init__(self, connect, prefix="m", connections=2, pipeline=8):
        self.stop_event = threading.Event()
        self.streams = [
            Stream(connect, f"{prefix}:{n}", pipeline, self.stop_event) for n in range(connections)
        ]

    def start(self):
        for stream in self.streams:
            stream.start()
        return self

    def abandon(self):
        """Ends it at once; see Writer.abandon() in writer.py."""
        self.stop_event.set()
        for stream in self.streams:
            try:
                if stream.conn:
                    stream.conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself
        end = time.monotonic() + 30
        for stream in self.streams:
            stream.join(max(0.0, end - time.monotonic()))

    @property
    def acked(self):
        return sum(stream.acked for stream in self.streams)

    def verify(self, conn):
        """What is wrong, in words."""
        return [fault for stream in self.streams for fault in faults_of(conn, stream)]

    def clear(self, conn):
        for stream in self.streams:
            keys = [f"{stream.prefix}:{step}" for step in range(NR_STEPS)]
            conn.call("UNLINK", *[key + end for key in keys for end in ("", "a", "b", "n")])


def numbers(values):
    """How many numbers there are, when they are 0, 1, 2 and so on; else None."""
    return len(values) if [int(v) for v in values] == list(range(len(values))) else None


def held(conn, prefix):
    """How many numbers each step's key holds; None where it is not a row of numbers."""
    key = [f"{prefix}:{step}" for step in range(NR_STEPS)]
    pairs = conn.call("HGETALL", key[HASH])
    fields = sorted(pairs[::2], key=int)
    good = all(
        value == (b"value" + field) * (1 + int(field) % 7)
        for field, value in zip(pairs[::2], pairs[1::2])
    )
    entries = conn.call("XRANGE", key[STREAM], "-", "+")
    a, b = conn.call("GET", key[PAIR] + "a"), conn.call("GET", key[PAIR] + "b")
    script = numbers(conn.call("LRANGE", key[SCRIPT], 0, -1))
    count = int(conn.call("GET", key[SCRIPT] + "n") or 0)
    bits = conn.call("BITCOUNT", key[BITS])
    first_zero = conn.call("BITPOS", key[BITS], 0)
    left = conn.call("LLEN", key[MOVED] + "a")
    return [
        numbers(conn.call("LRANGE", key[LIST], 0, -1)),
        numbers(fields) if good else None,
        numbers(sorted(conn.call("SMEMBERS", key[SET]), key=int)),
        numbers(conn.call("ZRANGE", key[ZSET], 0, -1)),
        numbers([fields[1] for _, fields in entries]),
        (int(a) + 1 if a else 0) if a == b else None,
        script if script == count else None,
        conn.call("PFCOUNT", key[HLL]),  # estimated: looked at for being about right
        bits if first_zero in (bits, -1) or bits == 0 else None,
        numbers(conn.call("LRANGE", key[MOVED] + "b", 0, -1)) if left == 0 else None,
    ]


def faults_of(conn, stream):
    if stream.end.startswith("refused"):
        return [f"{stream.prefix}: {stream.end}"]
    found = held(conn, stream.prefix)
    if None in found:
        return [f"{stream.prefix}: step {found.index(None)} has something else than it was given"]
    done = found[LIST]
    estimate = found[HLL]
    steps = [n for step, n in enumerate(found) if step != HLL]
    faults = []
    if abs(estimate - done) > 2 + done / 20:
        faults.append(f"{stream.prefix}: PFCOUNT says {estimate}, and there were {done}")
    if sorted(steps, reverse=True) != steps or steps[0] - steps[-1] > 1:
        faults.append(f"{stream.prefix}: the steps were done {steps} times")
    # steps done in all, the estimated one not counted apart
    total = done * NR_STEPS if steps[0] == steps[-1] else (done - 1) * NR_STEPS + steps.count(done)
    if total > stream.sent:
        faults.append(f"{stream.prefix}: {total} steps were done, and {stream.sent} sent")
    if total + 1 < stream.acked:
        faults.append(f"{stream.prefix}: {stream.acked} steps acknowledged, {total} found")
    return faults
