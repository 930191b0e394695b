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


def preflight(node, *args):
    done = subprocess.run(
        [node.exe, "--check", "--pmem-file", node.pool, *args],
        cwd=node.dir,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stdout


def test_check(node):
    """--check starts nothing and says what would be used, and what stands in the way."""
    status, said = preflight(node, "--port", "7009")
    equal(status, 0, f"exit status of --check: {said}")
    for word in ("hugepages", "pool", "cores", "nic", "iommu", "medium: ", "port 7009"):
        check(word in said, f"--check says nothing about {word}: {said}")
    node.start()
    for args, wanted in (
        (("--port", "7009"), "in use by another process"),
        (("--port", str(node.port)), f"port {node.port}"),
        (("--port", "7009", "--pmem-file", node.log_path), "not a millrace pool"),
        (("--port", "7009", "--pmem-file", "/nonexistent/p"), "/nonexistent"),
        (("--port", "7009", "--pmem-file", "new", "--pmem-size", "900000gb"), "MB free"),
        (
            ("--port", "7009", "--pmem-file", "new", "--nic-address", "10.0.0.2/24")
            + ("--nic", "net_af_xdp0,iface=mrnone"),
            "no interface mrnone",
        ),
    ):
        status, said = preflight(node, *args)
        check(status > 0, f"exit status 0 of --check {args}: {said}")
        check("PROBLEM: " in said and wanted in said, f"--check {args} says: {said}")
    check(not os.path.exists(os.path.join(node.dir, "new")), "--check has made a pool")
    equal(node.call("PING"), b"PONG", "the node that was checked")
    equal(node.stop(), 0, "exit status")
    check(not os.path.exists(f"/var/run/dpdk/{node.prefix}"), "DPDK's directory is left behind")


def test_size_not_given(lab, node):
    """A pool that is there is taken as it is when nobody asks for a size."""
    plain = lab.node("plain", port=7013, pool="")
    plain.options = ["--pmem-file", node.pool]
    plain.start()
    equal(plain.call("CONFIG", "GET", "pmem-size")[1], b"%d" % (256 << 20), "pmem-size")
    equal(plain.stop(), 0, "exit status")


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
    test_size_not_given(lab, node)
    test_unix_socket(lab)


if __name__ == "__main__":
    sys.exit(run_test(test))
