#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The checking writer: records every acknowledged write, and finds out later whether each of them
is there.

usage: writer.py write  --port N --state FILE [--host A] [--connections N] [--pipeline N]
                        [--prefix P] [--seconds S]
       writer.py verify --port N --state FILE [--host A]

Each connection sets its own keys, prefix:connection:number, number rising from 0, each once, each
with a value that follows from its key; and counts its pipelines with INCR. One connection's
requests are executed in order, so after a crash there must be a number F, not below the
acknowledged and not above the sent, with: every key below F is there with its value, none from F on
is, and the counter agrees. "write" goes on until the time is over or the connection breaks, and
writes what it knows to the state file when it ends.
"""
import argparse
import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time

from resp import Resp, RespError, encode

BATCH = 512


def value_of(key, number):
    """Mostly 32 bytes; now and then some kilobytes, so that values span packets."""
    text = hashlib.blake2b(key, digest_size=16).hexdigest().encode()
    if number % 4099 == 4098:
        return text * 1500
    if number % 67 == 66:
        return text * (number % 61)
    return text


def key_of(prefix, conn, number):
    return b"%s:%d:%d" % (prefix.encode(), conn, number)


class Stream(threading.Thread):
    """One connection: a pipeline of SETs with an INCR at its end, again and again."""

    def __init__(self, connect, prefix, number, pipeline, stop):
        super().__init__(daemon=True)
        self.connect, self.prefix, self.number, self.pipeline = connect, prefix, number, pipeline
        self.stop = stop
        self.sent = self.acked = self.incr_sent = self.incr_acked = 0
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
        first = self.sent
        parts = []
        for number in range(first, first + self.pipeline):
            key = key_of(self.prefix, self.number, number)
            parts.append(encode(b"SET", key, value_of(key, number)))
        parts.append(encode(b"INCR", b"%s:%d:n" % (self.prefix.encode(), self.number)))
        self.sent += self.pipeline  # counted before: part of it may arrive even if sending fails
        self.incr_sent += 1
        conn.sock.sendall(b"".join(parts))
        for _ in range(self.pipeline):
            reply = conn.read()
            if isinstance(reply, RespError):
                raise reply
            if reply != b"OK":
                raise RespError(f"SET was answered {reply!r}")
            self.acked += 1
        reply = conn.read()
        if isinstance(reply, RespError):
            raise reply
        if reply != self.incr_sent:
            raise RespError(f"INCR number {self.incr_sent} was answered {reply!r}")
        self.incr_acked += 1

    def state(self):
        return {
            "sent": self.sent,
            "acked": self.acked,
            "incr_sent": self.incr_sent,
            "incr_acked": self.incr_acked,
            "pipeline": self.pipeline,
            "end": self.end,
        }


class Writer:
    """Some connections at once. connect: makes a Resp."""

    def __init__(self, connect, prefix="w", connections=2, pipeline=64):
        self.prefix = prefix
        self.stop_event = threading.Event()
        self.streams = [
            Stream(connect, prefix, n, pipeline, self.stop_event) for n in range(connections)
        ]

    def start(self):
        for stream in self.streams:
            stream.start()
        return self

    @property
    def acked(self):
        return sum(stream.acked for stream in self.streams)

    def join(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        for stream in self.streams:
            stream.join(None if end is None else max(0.0, end - time.monotonic()))

    def stop(self):
        """Ends it after the pipelines under way."""
        self.stop_event.set()
        self.join(30)

    def abandon(self):
        """Ends it at once: the server was killed, and a connection that has nothing to send would
        not hear of that before its timeout."""
        self.stop_event.set()
        for stream in self.streams:
            try:
                if stream.conn:
                    stream.conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself
        self.join(30)

    def state(self):
        return {"prefix": self.prefix, "streams": [stream.state() for stream in self.streams]}


class Verdict:
    """What verify found: lost and wrong acknowledged writes, and every other contradiction in words."""

    def __init__(self):
        self.acked = self.found = self.beyond = 0
        self.faults = []

    def fault(self, text):
        if len(self.faults) < 20:
            self.faults.append(text)


def read_range(conn, prefix, number, first, last):
    for start in range(first, last, BATCH):
        keys = [key_of(prefix, number, n) for n in range(start, min(last, start + BATCH))]
        yield from zip(range(start, last), keys, conn.pipeline([(b"GET", key) for key in keys]))


def verify_stream(conn, prefix, number, state, verdict):
    reached = None  # the first number that is not there
    gap = False
    for n, key, value in read_range(conn, prefix, number, 0, state["sent"]):
        if isinstance(value, RespError):
            raise value
        there = value is not None
        if there and value != value_of(key, n):
            verdict.fault(f"{key.decode()} has a value that was never written")
            there = False
        if n < state["acked"]:
            verdict.found += there
            if not there:
                verdict.fault(f"{key.decode()} was acknowledged and is lost")
        elif there:
            verdict.beyond += 1
        if there and reached is not None and not gap:
            gap = True
            verdict.fault(f"{key.decode()} is there, but number {reached}, written before, is not")
        if not there and reached is None:
            reached = n
    verdict.acked += state["acked"]
    count = int(conn.call("GET", f"{prefix}:{number}:n") or 0)
    if not state["incr_acked"] <= count <= state["incr_sent"]:
        verdict.fault(
            f"{prefix}:{number}:n is {count}; acknowledged {state['incr_acked']}, "
            f"sent {state['incr_sent']}"
        )
    done = state["sent"] if reached is None else reached
    if done // state["pipeline"] not in (count, count + 1) or (
        done % state["pipeline"] and done // state["pipeline"] != count
    ):
        verdict.fault(f"{prefix}:{number}:n is {count}, but {done} keys were written before it")


def verify(conn, state):
    """Reads everything back over conn; a Verdict."""
    verdict = Verdict()
    for number, stream in enumerate(state["streams"]):
        if stream["end"].startswith("refused"):
            verdict.fault(f"connection {number} was {stream['end']}")
        verify_stream(conn, state["prefix"], number, stream, verdict)
    return verdict


def clear(conn, state):
    """Removes the writer's keys."""
    for number, stream in enumerate(state["streams"]):
        conn.call("DEL", f"{state['prefix']}:{number}:n")
        for start in range(0, stream["sent"], BATCH):
            keys = [
                key_of(state["prefix"], number, n)
                for n in range(start, min(stream["sent"], start + BATCH))
            ]
            conn.call("UNLINK", *keys)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("write", "verify"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--pipeline", type=int, default=64)
    parser.add_argument("--prefix", default="w")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--state", required=True)
    args = parser.parse_args()

    def connect():
        return Resp((args.host, args.port))

    if args.what == "verify":
        with open(args.state, encoding="ascii") as state, connect() as conn:
            verdict = verify(conn, json.load(state))
        print(f"acknowledged {verdict.acked}, found {verdict.found}, beyond {verdict.beyond}")
        print("".join(f"{fault}\n" for fault in verdict.faults), end="")
        return 1 if verdict.faults or verdict.acked != verdict.found else 0

    writer = Writer(connect, args.prefix, args.connections, args.pipeline)
    signal.signal(signal.SIGTERM, lambda *unused: writer.stop_event.set())
    signal.signal(signal.SIGINT, lambda *unused: writer.stop_event.set())
    writer.start()
    if args.seconds:
        writer.join(args.seconds)
        writer.stop()
    writer.join()
    with open(args.state + ".new", "w", encoding="ascii") as out:
        json.dump(writer.state(), out)
    os.replace(args.state + ".new", args.state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
