#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A millrace replica is promoted; its fellow replicas and its old master resume from it by replid2."""
import sys

from lab import check, equal, run_test, until


def replication(server):
    return server.info("replication")


def link_up(server):
    return replication(server).get("master_link_status") == "up"


def test(lab):
    master = lab.node("master", port=7301).start()
    second = lab.node("second", port=7302, options=["--replicaof", "127.0.0.1", "7301"]).start()
    stock = lab.stock("stock", port=7303, options=["--replicaof", "127.0.0.1", "7301"]).start()
    for replica in (second, stock):
        until(f"{replica.name}: link", lambda r=replica: link_up(r), 60)
    with master.connect() as conn:
        conn.pipeline([("SET", f"k{i}", i) for i in range(5000)])
        equal(conn.call("WAIT", 2, 10000), 2, "replicas that have acknowledged")
    old = replication(master)

    second.call("REPLICAOF", "NO", "ONE")
    new = replication(second)
    equal(new["role"], "master", "role after REPLICAOF NO ONE")
    equal(new["master_replid2"], old["master_replid"], "second replication ID")
    check(new["master_replid"] != old["master_replid"], "the replication ID did not change")
    second.call("SET", "after", "promotion")
    full = second.info("stats")["sync_full"]
    for other in (stock, master):
        other.call("REPLICAOF", "127.0.0.1", "7302")
        until(f"{other.name}: link to the promoted node", lambda r=other: link_up(r), 60)
        until(
            f"{other.name}: the newest key",
            lambda r=other: r.call("GET", "after") == b"promotion",
            20,
        )
    stats = second.info("stats")
    equal(
        (stats["sync_full"], stats["sync_partial_ok"]),
        (full, "2"),
        "full and partial syncs of the promoted",
    )
    digest = second.call("DEBUG", "DIGEST")
    for other in (stock, master):
        equal(other.call("DEBUG", "DIGEST"), digest, f"digest of {other.name}")

    second.kill()
    second.options = []
    second.start()
    kept = replication(second)
    equal(
        kept["master_replid"], replication(master)["master_replid"], "replication ID after kill -9"
    )
    equal(kept["master_replid2"], old["master_replid"], "second replication ID after kill -9")
    until("both replicas", lambda: replication(second)["connected_slaves"] == "2", 60)
    equal(second.info("stats")["sync_full"], "0", "full syncs after kill -9")
    for server in (master, second):
        equal(server.stop(), 0, f"exit status of {server.name}")


if __name__ == "__main__":
    sys.exit(run_test(test))
