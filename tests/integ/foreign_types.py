#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A master that holds what this version lacks, or that is damaged: the sync stops with a clear message, and the old
data stay."""
import re
import sys
import time

from fake_master import FakeMaster, rdb
from lab import check, equal, run_test, until

# An ordinary key goes before each.
FOREIGN = {
    "a module's type": (
        b"\x07\x03bad\x81\x30\x16\xe5\xa2\x89\xbe\xf8\x04\x02\x01\x00",
        r'type 7 \(module "MBbloom--" version 4\) is not supported, key "bad"',
    ),
    "fields that expire, of Redis 7.4": (
        b"\x18\x03bad\x00\x01\x00\x01f\x01v",
        r'type 24 \(hash with field expiry\) is not supported, key "bad"',
    ),
    "a library of a release candidate": (b"\xf6\x01x", r"release candidate \(opcode 246\)"),
    "a hash with a damaged listpack": (
        b"\x10\x03bad\x0b\x0b\x00\x00\x00\x04\x00\x01\x01\x02\x01\xff",
        r'a listpack is damaged, key "bad"',
    ),
    "a sorted set with a member twice": (
        b"\x05\x03bad\x02" + 2 * (b"\x01m" + 8 * b"\0"),
        r'a sorted set has a member twice, key "bad"',
    ),
    "a stream's block with a malformed entry": (
        b"\x13\x03bad\x01\x10" + 15 * b"\0" + b"\x01\x1d\x1d\0\0\0\x0a\0\x01\x01\0\x01\x01\x01\x81f\x02\0\x01"
        b"\x02\x01\0\x01\0\x01\x81v\x02\x05\x01\xff",
        r'a stream\'s block has a malformed entry, key "bad"',
    ),
    "an entry that is pending with nobody": (
        b"\x13\x03bad\0\0\0\0\0\0\0\0\0\x02\x01g\0\0\0\x01" + 16 * b"\x01" + 8 * b"\0" + b"\x01\0\x01h\0\0\0\0\0",
        r'a stream\'s group has a pending entry without a consumer, key "bad"',
    ),
    "more of a hash announced than comes": (b"\x04\x03bad\x81" + 8 * b"\xff" + b"\x01f", "unknown string encoding"),
}


def refusals(node):
    return re.findall(r"full sync refused, the old data stay: .*", node.log_text())


def refused(node, what, pattern, already):
    """Waits for a refusal that was not there before."""
    until(
        f"the refusal of {what}",
        lambda: [line for line in refusals(node)[already:] if re.search(pattern, line)],
        20,
    )


def test_refused(lab, node, master):
    with node.connect() as conn:
        conn.pipeline([("SET", f"old:{i}", i) for i in range(100)])
        before = conn.call("DEBUG", "DIGEST")
    for what, (record, pattern) in FOREIGN.items():
        master.give(rdb(b"\xfe\x00\x00\x03new\x01v" + record))
        already = len(refusals(node))
        node.call("REPLICAOF", "127.0.0.1", master.port)
        refused(node, what, pattern, already)
        time.sleep(0.1)
        equal(node.info("replication")["master_link_status"], "down", "link")
        equal(node.call("DEBUG", "DIGEST"), before, f"digest of the old data, after {what}")
        equal(node.call("GET", "old:99"), b"99", "an old key")
        node.call("REPLICAOF", "NO", "ONE")


def test_empty_key_is_skipped(lab, node, master):
    """As redis-server does it."""
    master.give(rdb(b"\xfe\x00\x00\x03new\x01v\x04\x05empty\x00\x00\x04more\x01w"))
    node.call("REPLICAOF", "127.0.0.1", master.port)
    until("the sync", lambda: node.info("replication")["master_link_status"] == "up", 20)
    equal(node.call("DBSIZE"), 2, "keys")
    check("empty keys skipped n=1" in node.log_text(), "nothing is said of the empty key")
    node.call("REPLICAOF", "NO", "ONE")


def test_next_master_is_taken(lab, node):
    stock = lab.stock("stock", port=7201).start()
    with stock.connect() as conn:
        conn.pipeline([("SET", f"new:{i}", i) for i in range(100)])
    node.call("REPLICAOF", "127.0.0.1", stock.port)
    until("the sync", lambda: node.info("replication")["master_link_status"] == "up", 60)
    equal(node.call("DEBUG", "DIGEST"), stock.call("DEBUG", "DIGEST"), "digest after the sync")


def test(lab):
    node = lab.node("node", port=7202).start()
    with FakeMaster(7203) as master:
        test_refused(lab, node, master)
        test_empty_key_is_skipped(lab, node, master)
    test_next_master_is_taken(lab, node)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
