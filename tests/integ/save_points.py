#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`save` directives: the RDB file is written when a point is reached, and not before; redis-server
loads it; a snapshot that the log wanted is no save."""
import os
import shutil
import sys
import time

from lab import check, equal, run_test, until


def test(lab):
    node = lab.node("node", port=7931, pool_size="16mb", options=["--save", "1", "5"]).start()
    rdb = os.path.join(node.dir, "dump.rdb")
    began = int(node.call("LASTSAVE"))
    for i in range(4):
        node.call("SET", f"k{i}", "v")
    time.sleep(2.5)
    check(not os.path.exists(rdb), "saved with fewer changes than the point has")
    equal(node.info("persistence")["rdb_changes_since_last_save"], "4", "changes")
    node.call("SET", "k4", "v")
    until("the RDB file", lambda: os.path.exists(rdb), 10)
    until("no changes left", lambda: node.info("persistence")["rdb_changes_since_last_save"] == "0")
    check(int(node.call("LASTSAVE")) > began, "LASTSAVE")
    stock = lab.stock("stock", port=7932)
    shutil.copyfile(rdb, os.path.join(stock.dir, "dump.rdb"))
    stock.start()
    equal(stock.call("DEBUG", "DIGEST"), node.call("DEBUG", "DIGEST"), "what redis-server loads")
    # The log's own snapshots, with no points: the file stays, and so does the count of changes.
    node.call("CONFIG", "SET", "save", "")
    written = os.stat(rdb).st_mtime_ns
    published = int(node.info("millrace")["snapshots_published"])
    with node.connect() as conn:
        for _ in range(10):
            conn.pipeline([("SET", f"k{i}", b"x" * 10000) for i in range(50)])
    until(
        "a snapshot of the log's",
        lambda: int(node.info("millrace")["snapshots_published"]) > published,
    )
    equal(os.stat(rdb).st_mtime_ns, written, "time of the RDB file")
    equal(node.info("persistence")["rdb_changes_since_last_save"], "500", "changes")
    node.call("CONFIG", "SET", "save", "1 1")
    until("the RDB file, anew", lambda: os.stat(rdb).st_mtime_ns != written, 10)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
