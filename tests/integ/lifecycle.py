#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Starts and ends: SIGTERM and SHUTDOWN stop cleanly, kill -9 leaves nothing in the way, --check reports."""
import os
import subprocess
import sys

import writer
from lab import Failed, check, equal, run_test


def ends_by(node, how):
    if how == "SIGTERM":
        return node.stop()
    with node.connect() as conn:
        try:
            reply = conn.call("SHUTDOWN")
            raise Failed(f"SHUTDOWN was answered {reply!r}")
        except ConnectionError:
            pass
    return node.process.wait(15)


def test_clean_ends(node):
    for how in ("SIGTERM", "SHUTDOWN"):
        node.start()
        with node.connect() as conn:
            for number in range(1000):
                conn.send("SET", f"{how}:{number}", number)
            for number in range(1000):
                equal(conn.read(), b"OK", "reply to SET")
            before = conn.info("replication")
        equal(ends_by(node, how), 0, f"exit status after {how}")
        node.start()
        after = node.info("replication")
        equal(after["master_replid"], before["master_replid"], f"replication ID after {how}")
        check(
            int(after["master_repl_offset"]) >= int(before["master_repl_offset"]),
            "offset went back",
        )
        equal(node.call("GET", f"{how}:999"), b"999", f"a key after {how}")
        equal(ends_by(node, how), 0, f"exit status after {how}")


def test_killed_restarts_at_once(node):
    node.start()
    for number in range(5):
        check_writer = writer.Writer(node.connect, prefix=f"r{number}").start()
        check_writer.join(0.7)
        node.kill()
        check_writer.join(10)
        node.start(timeout=10)
        with node.connect() as conn:
            verdict = writer.verify(conn, check_writer.state())
        check(verdict.acked > 0, "nothing was acknowledged")
        equal(verdict.found, verdict.acked, "acknowledged writes found")
        equal(verdict.faults, [], "faults")
    equal(node.stop(), 0, "exit status")


def test_check(node):
    """--check starts nothing and says what would be used."""
    done = subprocess.run(
        [node.exe, "--check", "--port", "7009", "--pmem-file", node.pool],
        cwd=node.dir,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
        check=False,
    )
    equal(done.returncode, 0, f"exit status of --check: {done.stdout[-500:]}")
    for word in ("huge", "pool", "core", "nic"):
        check(
            word in done.stdout.lower(), f"--check says nothing about {word}: {done.stdout[-800:]}"
        )


def test_unix_socket(lab):
    path = os.path.join(lab.dir, "socket")
    node = lab.node("unix", port=7011, options=["--unixsocket", path]).start()
    node.unixsocket = path
    equal(node.call("PING"), b"PONG", "PING over the unix socket")
    node.kill()
    node.start()
    equal(node.call("PING"), b"PONG", "PING over the unix socket after kill -9")
    equal(node.stop(), 0, "exit status")
    check(not os.path.exists(path), "the unix socket is left behind")


def test(lab):
    node = lab.node(pool_size="256mb")
    test_clean_ends(node)
    test_killed_restarts_at_once(node)
    test_check(node)
    test_unix_socket(lab)


if __name__ == "__main__":
    sys.exit(run_test(test))
