#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""FAILOVER hands the master's role over under load without losing an acknowledged write, in every
pairing of millrace and redis-server; it times out, is forced, aborted and refused as in Redis."""
import signal
import sys
import threading

from lab import Failed, check, equal, run_test, until
from resp import RespError


def replication(server):
    return server.info("replication")


def follow(replica, master):
    replica.call("REPLICAOF", "127.0.0.1", master.port)
    until(f"{replica.name}: link", lambda: replication(replica).get("master_link_status") == "up", 60)


def settled(server):
    return replication(server)["master_failover_state"] == "no-failover"


class Writer(threading.Thread):
    """Appends to a list until the server is no master any more; count: what was acknowledged."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.count, self.end = server, 0, ""
        self.start()

    def run(self):
        try:
            with self.server.connect(60) as conn:
                while True:
                    conn.call("RPUSH", "history", self.count)
                    self.count += 1
        except (OSError, RespError) as error:
            self.end = str(error)


def same_data(servers):
    until(
        "equal offsets",
        lambda: len({replication(s)["master_repl_offset"] for s in servers}) == 1,
        30,
    )
    equal(len({s.call("DEBUG", "DIGEST") for s in servers}), 1, "different digests")


def hand_over(old, new, third):
    """Under load, from old to new; third follows by hand. No full sync."""
    old.call("DEL", "history")
    before = new.info("stats")
    writer = Writer(old)
    until("writes", lambda: writer.count > 50)
    old.call("FAILOVER", "TO", "127.0.0.1", new.port)
    until(f"failover from {old.name}", lambda: settled(old), 30)
    writer.join(30)
    check("READONLY" in writer.end, f"the writer ended with: {writer.end}")
    equal(replication(old)["role"], "slave", f"role of {old.name}")
    equal(replication(new)["role"], "master", f"role of {new.name}")
    follow(third, new)
    follow(old, new)
    equal(new.call("LLEN", "history"), writer.count, "acknowledged writes")
    after = new.info("stats")
    for name, more in (("sync_full", 0), ("sync_partial_ok", 2)):
        equal(int(after[name]) - int(before[name]), more, f"{name} of {new.name}")
    same_data([old, new, third])


def refused(server, wanted, *args):
    try:
        server.call(*args)
    except RespError as error:
        equal(str(error), wanted, f"reply to {args}")
        return
    raise Failed(f"{args} was accepted")


def errors(master, replica):
    failing = "ERR FAILOVER "
    refused(master, failing + "target HOST and PORT is not a replica.", "FAILOVER", "TO", "nohost", 1)
    refused(master, "ERR value is not an integer or out of range", "FAILOVER", "TO", "h", "x")
    refused(
        master,
        failing + "with force option requires both a timeout and target HOST and IP.",
        *("FAILOVER", "FORCE", "TIMEOUT", 100),
    )
    refused(master, failing + "timeout must be greater than 0", "FAILOVER", "TIMEOUT", 0)
    refused(master, "ERR syntax error", "FAILOVER", "ABORT", "NOW")
    refused(master, "ERR No failover in progress.", "FAILOVER", "ABORT")
    refused(replica, failing + "is not valid when server is a replica.", "FAILOVER")
    refused(
        master,
        "ERR PSYNC FAILOVER can't be sent to a master.",
        *("PSYNC", replication(master)["master_replid"], 1, "FAILOVER"),
    )
    refused(
        replica,
        "ERR PSYNC FAILOVER replid must match my replid.",
        *("PSYNC", "0" * 40, 1, "FAILOVER"),
    )


def given_up(master, target):
    """The target stands still: timeout and ABORT leave everything as it was."""
    before = master.info("stats")
    target.signal(signal.SIGSTOP)
    master.call("SET", "case", "1")
    with master.connect() as conn:
        conn.call("FAILOVER", "TO", "127.0.0.1", target.port, "TIMEOUT", 300)
        equal(replication(master)["master_failover_state"], "waiting-for-sync", "state")
        refused(master, "ERR FAILOVER already in progress.", "FAILOVER")
        refused(master, "ERR REPLICAOF not allowed while failing over.", "REPLICAOF", "NO", "ONE")
        refused(master, "NOMASTERLINK Can't SYNC while failing over", "PSYNC", "?", "-1")
        equal(conn.call("GET", "case"), b"1", "a read meanwhile")
        conn.call("CLIENT", "UNPAUSE")  # ends no pause but its own
        conn.send("SET", "case", "2")
        equal(conn.read(), b"OK", "a write, when the timeout is over")
        equal(replication(master)["master_failover_state"], "no-failover", "state")
        conn.call("FAILOVER", "TO", "127.0.0.1", target.port)
        conn.call("FAILOVER", "ABORT")
        equal(conn.call("SET", "case", "3"), b"OK", "a write after ABORT")
    target.signal(signal.SIGCONT)
    equal(replication(master)["role"], "master", "role")
    after = master.info("stats")
    for name in ("sync_full", "sync_partial_ok"):
        equal(after[name], before[name], name)


def forced(master, target, third):
    """A target that stands still is made master when it can hear; until then there is none."""
    target.signal(signal.SIGSTOP)
    master.call("FAILOVER", "TO", "127.0.0.1", target.port, "TIMEOUT", 100, "FORCE")
    until(
        "the timeout",
        lambda: replication(master)["master_failover_state"] == "failover-in-progress",
    )
    equal(replication(master)["role"], "slave", "role meanwhile")
    target.signal(signal.SIGCONT)
    until("failover", lambda: settled(master), 30)
    equal(replication(target)["role"], "master", "role of the target")
    follow(third, target)
    follow(master, target)
    same_data([master, target, third])


def target_refuses(master, target):
    """stock refuses PSYNC: the master stays, under a new id that its replicas continue from."""
    before = replication(master)
    target.call("ACL", "SETUSER", "default", "-psync")
    master.call("FAILOVER", "TO", "127.0.0.1", target.port)
    until("the end of the failover", lambda: settled(master), 30)
    target.call("ACL", "SETUSER", "default", "+psync")
    after = replication(master)
    equal(after["role"], "master", "role")
    equal(after["master_replid2"], before["master_replid"], "second replication ID")
    equal(master.call("SET", "after", "refusal"), b"OK", "a write")
    until("its replicas", lambda: replication(master)["connected_slaves"] == "2", 30)
    equal(master.info("stats")["sync_full"], "2", "full syncs")


def test(lab):
    first = lab.node("first", port=7361).start()
    second = lab.node("second", port=7362).start()
    stock = lab.stock("stock", port=7363).start()
    refused(first, "ERR FAILOVER requires connected replicas.", "FAILOVER")
    for replica in (second, stock):
        follow(replica, first)
    errors(first, second)
    given_up(first, second)
    target_refuses(first, stock)
    for replica in (second, stock):
        follow(replica, first)
    hand_over(first, second, stock)  # millrace to millrace
    hand_over(second, stock, first)  # millrace to redis-server
    hand_over(stock, second, first)  # redis-server to millrace
    forced(second, first, stock)
    for server in (first, second):
        equal(server.stop(), 0, f"exit status of {server.name}")


if __name__ == "__main__":
    sys.exit(run_test(test))
