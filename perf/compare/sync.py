# SPDX-License-Identifier: BSD-3-Clause
"""Full synchronisation, from the replica's side: a sink that only counts bytes, and redis-server.

The sink shows how fast a master sends; the replica, which also loads what it gets, how long it
takes until a set is there twice.
"""
import os
import time

from lab import check, until

CHUNK_BYTES = 1 << 20
VALUE_BYTES = 1024
BATCH = 1000
MARK_BYTES = 40  # of the diskless form


def fill(contestant, megabytes):
    """Random values of 1 KiB, megabytes in all."""
    count = megabytes * 1024
    with contestant.connect() as conn:
        for start in range(0, count, BATCH):
            data = os.urandom(BATCH * VALUE_BYTES)
            replies = conn.pipeline(
                [
                    (
                        "SET",
                        f"sync:{start + i}",
                        data[i * VALUE_BYTES : (i + 1) * VALUE_BYTES],
                    )
                    for i in range(min(BATCH, count - start))
                ]
            )
            for reply in replies:
                check(reply == b"OK", f"{contestant.name}: SET: {reply}")
    return count


def drain_counted(conn, left):
    """Reads that many bytes at least; (the time of the first, bytes beyond)."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    first = None
    have = len(conn.buf) - conn.pos
    if have:
        first = time.monotonic()
        left -= have
    while left > 0:
        got = conn.sock.recv_into(buffer, min(left, CHUNK_BYTES))
        check(got, "the master closed the connection in the middle")
        first = first or time.monotonic()
        left -= got
    return first, -left


def drain_marked(conn, mark):
    """Reads up to the mark; (bytes before it, the time of the first, bytes beyond)."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    data = bytes(conn.buf[conn.pos :])
    first = time.monotonic() if data else None
    size = 0  # of what was given away
    while True:
        at = data.find(mark)
        if at >= 0:
            return size + at, first, len(data) - at - len(mark)
        keep = min(len(data), MARK_BYTES - 1)
        size += len(data) - keep
        got = conn.sock.recv_into(buffer)
        check(got, "the master closed the connection in the middle")
        first = first or time.monotonic()
        data = data[len(data) - keep :] + bytes(buffer[:got])


def drain_stream(conn, left):
    """Reads that many bytes of the stream of commands."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    while left > 0:
        got = conn.sock.recv_into(buffer)
        check(got, "the master closed the connection in the middle")
        left -= got


def line_read(conn):
    """The next line behind the newlines by which a master says that it is still there."""
    line = b""
    while not line:
        line = conn.line().lstrip(b"\n")
    return line


def to_sink(contestant):
    """A full synchronisation into nothing, up to what the master had when it was asked: what it sends
    of an older snapshot lacks the commands since. Seconds in all and until the first byte; bytes."""
    wanted = int(contestant.server.info("replication")["master_repl_offset"])
    with contestant.connect() as conn:
        check(conn.call("REPLCONF", "capa", "eof", "capa", "psync2") == b"OK", "REPLCONF capa")
        start = time.monotonic()
        conn.send("PSYNC", "?", "-1")
        line = line_read(conn)
        check(line.startswith(b"+FULLRESYNC "), f"PSYNC: {line[:80]!r}")
        behind = max(0, wanted - int(line.split()[2]))
        line = line_read(conn)
        if line.startswith(b"$EOF:"):
            size, first, beyond = drain_marked(conn, line[5:])
        else:
            check(line[:1] == b"$", f"PSYNC: {line[:80]!r}")
            size = int(line[1:])
            first, beyond = drain_counted(conn, size)
        drain_stream(conn, behind - beyond)
        end = time.monotonic()
    return {"seconds": end - start, "first_byte_s": first - start, "bytes": size, "log": behind}


def replica_empty(replica):
    replica.call("REPLICAOF", "NO", "ONE")
    replica.call("DEBUG", "CHANGE-REPL-ID")
    replica.call("FLUSHALL")


def to_replica(contestant, replica, count):
    """Seconds from REPLICAOF until the replica has all keys and the link is up."""
    replica_empty(replica)
    start = time.monotonic()
    with replica.connect() as conn:
        conn.call("REPLICAOF", contestant.host, contestant.server.port)
        until(
            f"all {count} keys of {contestant.name} in a replica whose link is up",
            lambda: conn.info("replication")["master_link_status"] == "up"
            and conn.call("DBSIZE") == count,
            300,
            0.002,
        )
        seconds = time.monotonic() - start
    replica_empty(replica)
    return {"seconds": seconds}
