#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""replica-refuse-empty-master: a master that comes back without its data does not take its replica's
along; one that was emptied is followed; without the directive it is as with redis-server."""
import os
import sys

from lab import equal, grep, run_test, until

PORT = 21750


def up(replica):
    return replica.info("replication")["master_link_status"] == "up"


def lose_data(master, write=False):
    """It is killed, and starts with a pool that is new."""
    master.kill()
    os.unlink(master.pool)
    master.start()
    if write:
        master.call("SET", "new", "1")


def test(lab):
    master = lab.node("master", port=PORT).start()
    master.call("SET", "k", "v")
    replica = lab.node(
        "replica",
        port=PORT + 1,
        options=["--replicaof", "127.0.0.1", str(PORT), "--replica-refuse-empty-master", "yes"],
    ).start()
    until("the key", lambda: replica.call("GET", "k") == b"v")

    lose_data(master)
    until("the refusal", lambda: grep("refused.*the master is empty", replica.log_text()))
    equal((replica.call("GET", "k"), up(replica)), (b"v", False), "the replica's data and link")
    replica.kill()  # they are in its pool, too
    replica.start()
    equal(replica.call("GET", "k"), b"v", "the replica's data after its own restart")
    equal(master.call("DBSIZE"), 0, "the master's keys")

    replica.call("CONFIG", "SET", "replica-refuse-empty-master", "no")
    until("the link", lambda: up(replica))
    equal(replica.call("DBSIZE"), 0, "keys of a replica that refuses nothing")

    replica.call("CONFIG", "SET", "replica-refuse-empty-master", "yes")
    lose_data(master, write=True)  # not empty: it is somebody's data
    until("the new data", lambda: replica.call("GET", "new") == b"1")
    master.call("FLUSHALL")
    until("the master's FLUSHALL", lambda: replica.call("DBSIZE") == 0)


if __name__ == "__main__":
    sys.exit(run_test(test))
