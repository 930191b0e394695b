#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A master that holds a type which this version lacks: the sync stops with a clear message, the old data stays."""
import sys
import time

from lab import check, equal, grep, run_test, until


def test(lab):
    stock = lab.stock("stock", port=7201).start()
    node = lab.node("node", port=7202).start()
    with node.connect() as conn:
        conn.pipeline([("SET", f"old:{i}", i) for i in range(100)])
        before = conn.call("DEBUG", "DIGEST")
    with stock.connect() as conn:
        conn.pipeline([("SET", f"new:{i}", i) for i in range(100)])
        conn.call("RPUSH", "a-list", "x")
    node.call("REPLICAOF", "127.0.0.1", stock.port)
    said = until(
        "a message about the type",
        lambda: grep(
            r"^.*(?:type|list).*not supported.*$|^.*not supported.*(?:type|list).*$",
            node.log_text(),
        ),
        30,
    )
    check("list" in said[0], f"the type is not named: {said[0]}")
    time.sleep(0.3)
    equal(node.info("replication")["master_link_status"], "down", "link")
    equal(node.call("DEBUG", "DIGEST"), before, "digest of the old data")
    equal(node.call("GET", "old:99"), b"99", "an old key")

    stock.call("DEL", "a-list")
    until(
        "the sync, once the list is gone",
        lambda: node.info("replication")["master_link_status"] == "up",
        60,
    )
    equal(node.call("DEBUG", "DIGEST"), stock.call("DEBUG", "DIGEST"), "digest after the sync")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
