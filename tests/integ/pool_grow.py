#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A pool that is too small becomes larger while the node serves: CONFIG SET pmem-size, at a start, and
with millrace-pool resize; kill -9 in the middle of it; no space for it."""
import os
import random
import resource
import sys
import threading
import time

from lab import check, equal, run_test, until
from pool_tool import info, tool
from resp import RespError

MB = 1 << 20


def refused(node, *args):
    try:
        node.call(*args)
    except RespError as error:
        return str(error)
    raise AssertionError(f"{args} was accepted")


def link_up(server):
    return server.info("replication").get("master_link_status") == "up"


def settled(servers):
    until(
        "equal offsets",
        lambda: len({s.info("replication")["master_repl_offset"] for s in servers}) == 1,
    )
    equal(len({s.call("DEBUG", "DIGEST") for s in servers}), 1, "digests")


class Writer(threading.Thread):
    """Writes until stopped; every reply has to be OK."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.stopped, self.fault, self.count, self.slowest = node, False, None, 0, 0.0

    def run(self):
        try:
            with self.node.connect() as conn:
                while not self.stopped:
                    start = time.monotonic()
                    equal(conn.call("SET", f"w{self.count % 50}", b"v" * 2000), b"OK", "SET")
                    self.slowest = max(self.slowest, time.monotonic() - start)
                    self.count += 1
        except Exception as error:  # told by who joins
            self.fault = error


def under_load(node, stock):
    """Grows in steps while others write and a snapshot is built."""
    with node.connect() as conn:
        conn.pipeline([("SET", f"p{i}", b"p" * 500) for i in range(3000)])
    writer = Writer(node)
    writer.start()
    for size in (17, 20, 24, 32):
        node.call("BGSAVE")
        equal(node.call("CONFIG", "SET", "pmem-size", f"{size}mb"), b"OK", "CONFIG SET pmem-size")
        found = node.info("millrace")
        equal(int(found["pmem_size"]), size * MB, "pmem_size")
        equal(os.path.getsize(node.pool), size * MB, "length of the pool's file")
        until("the snapshot", lambda: node.info("persistence")["rdb_bgsave_in_progress"] == "0")
    writer.stopped = True
    writer.join()
    equal(writer.fault, None, "the writer")
    check(writer.count > 20, f"only {writer.count} writes")
    check(writer.slowest < 3.0, f"a write took {writer.slowest:.2f} s")
    equal(node.call("CONFIG", "GET", "pmem-size"), [b"pmem-size", b"%d" % (32 * MB)], "CONFIG GET")
    check("cannot be made smaller" in refused(node, "CONFIG", "SET", "pmem-size", "16mb"), "smaller")
    check("cannot grow beyond" in refused(node, "CONFIG", "SET", "pmem-size", "200gb"), "too large")
    check("the log in the pool" in refused(node, "CONFIG", "SET", "repl-backlog-size", "1gb"), "backlog")
    with node.connect() as conn:  # where nobody may wait
        conn.pipeline([("MULTI",), ("CONFIG", "SET", "pmem-size", "33mb"), ("EXEC",)])
    until("the larger pool", lambda: int(node.info("millrace")["pmem_size"]) == 33 * MB)


def full(node, choose):
    """The data set outgrows the pool; with a larger one writes are taken again."""
    count = 0
    with node.connect(timeout=30) as conn:
        while True:
            batch = [("SET", f"f{count + i}", choose.randbytes(10000)) for i in range(16)]
            bad = [r for r in conn.pipeline(batch) if isinstance(r, RespError)]
            if bad:
                break
            count += 16
            check(count < 20000, "the pool does not get full")
    check("MISCONF" in str(bad[0]) and "pmem-size" in str(bad[0]), str(bad[0]))
    check("pool: room gets short" in node.log_text(), "no early warning in the log")
    found = node.info("millrace")
    short = int(found["pmem_free_bytes"])
    check(int(found["snapshot_needed_bytes"]) > 0.8 * short, f"needed, of {short} free: {found}")
    equal(int(found["pmem_used_bytes"]) + short, 33 * MB, "used and free")
    equal(node.call("CONFIG", "SET", "pmem-size", "128mb"), b"OK", "CONFIG SET pmem-size")
    free = int(node.info("millrace")["pmem_free_bytes"])
    check(0 < int(node.info("millrace")["log_flush_usec"]) < 5000000, "log_flush_usec")
    check(free > short + 60 * MB, f"{free} bytes are free, {short} were")

    def written():
        return node.call("SET", "again", "1") == b"OK"

    until("writes after the pool has grown", written, 20, 0.1)
    equal(node.call("EXISTS", *[f"f{i}" for i in range(count)]), count, "acknowledged keys")


def no_space(node):
    """The file cannot be longer: told, and all goes on."""
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (140 * MB, resource.RLIM_INFINITY))
    said = refused(node, "CONFIG", "SET", "pmem-size", "256mb")
    check("no space for a larger pool" in said, said)
    equal(node.call("CONFIG", "GET", "pmem-size"), [b"pmem-size", b"%d" % (128 * MB)], "CONFIG GET")
    equal(os.path.getsize(node.pool), 128 * MB, "length of the pool's file")
    equal(node.call("SET", "still", "here"), b"OK", "a write")
    inf = resource.RLIM_INFINITY
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (inf, inf))


def killed(node, choose):
    """kill -9 at about the time of the change: the pool has one size or the other."""
    size = 128
    for _ in range(4):
        digest = node.call("DEBUG", "DIGEST")
        with node.connect() as conn:
            conn.send("CONFIG", "SET", "pmem-size", f"{size + 8}mb")
            time.sleep(choose.random() * 0.02)
            node.kill()
        found = info(node.pool)
        check(found["size"] in (size * MB, (size + 8) * MB), f"size {found['size']}")
        check(": sound" in tool("check", node.pool), "check")
        size = found["size"] // MB
        node.start()
        equal(node.call("DEBUG", "DIGEST"), digest, "the data")
        equal(int(node.info("millrace")["pmem_size"]), size * MB, "pmem_size")


def offline(node):
    equal(node.stop(), 0, "exit status")
    before = info(node.pool)
    larger = before["size"] + 32 * MB
    tool("resize", node.pool, larger)
    found = info(node.pool)
    equal((found["size"], found["clean"]), (larger, True), "size, clean")
    equal((found["replid"], found["log_end"]), (before["replid"], before["log_end"]), "history")
    check(found["extents_free"] > before["extents_free"], "free extents")
    tool("resize", node.pool, before["size"])
    equal(os.path.getsize(node.pool), before["size"], "length of the file")
    said = tool("resize", node.pool, "17mb", status=2)
    check("cannot be smaller than" in said, said)
    for args in ((node.pool,), (node.pool, "0"), (node.pool, "x"), (node.pool, "1", "2")):
        tool("resize", *args, status=2)
    check(": sound" in tool("check", node.pool), "check")
    node.pool_size = f"{larger}"
    node.start()
    equal(int(node.info("millrace")["pmem_size"]), larger, "pmem_size, of a larger pmem-size at a start")
    check("in use" in tool("resize", node.pool, "1gb", status=2), "resize while it is open")
    equal(node.stop(), 0, "exit status")
    node.pool_size = "16mb"
    node.start()
    equal(int(node.info("millrace")["pmem_size"]), larger, "pmem_size, of a smaller pmem-size")
    check("keeps its size" in node.log_text(), "no word of it in the log")


def test(lab):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    choose = random.Random(seed)
    node = lab.node("node", port=7921, pool_size="16mb").start()
    stock = lab.stock("stock", port=7922, options=["--replicaof", "127.0.0.1", "7921"]).start()
    until("stock: link", lambda: link_up(stock), 30)
    under_load(node, stock)
    full(node, choose)
    settled([node, stock])
    no_space(node)
    killed(node, choose)
    offline(node)
    until("stock: link", lambda: link_up(stock), 30)
    settled([node, stock])
    equal(stock.info("stats")["sync_full"], "0", "sync_full")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
