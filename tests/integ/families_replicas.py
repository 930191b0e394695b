#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Random commands of every family on a master: a replica of millrace and one of redis-server have the
same data afterwards, and so has the first when it has replayed its log."""
import argparse
import random
import sys

from diff_commands import FAMILIES, Words
from lab import check, equal, run_test, until

PORT = 21755
COMMANDS = 1500
WINDOW = 50


def send(master, name, rnd):
    made = FAMILIES[name].commands(Words(rnd))
    with master.connect() as conn:
        for _ in range(0, COMMANDS, WINDOW):
            conn.pipeline([rnd.choice(made)() for _ in range(WINDOW)])


def same(master, replicas, what):
    def in_step():
        wanted = master.info("replication")["master_repl_offset"]
        return all(r.info("replication")["master_repl_offset"] == wanted for r in replicas)

    until(f"every byte of {what}", in_step, 30)
    for replica in replicas:  # a key may expire in between
        until(
            f"equal digests of {replica.name} and its master after {what}",
            lambda replica=replica: replica.call("DEBUG", "DIGEST") == master.call("DEBUG", "DIGEST"),
            10,
        )


def test(lab):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"   seed {args.seed}", flush=True)
    rnd = random.Random(args.seed)
    master = lab.node("master", port=PORT).start()
    follow = ["--replicaof", "127.0.0.1", str(master.port)]  # it stays one when it starts again
    replica = lab.node("replica", port=PORT + 1, options=follow).start()
    stock = lab.stock("stock", port=PORT + 2, options=["--replicaof", " ".join(follow[1:])]).start()
    for one in (replica, stock):
        until("the link", lambda one=one: one.info("replication")["master_link_status"] == "up")
    for name in FAMILIES:
        send(master, name, rnd)
        same(master, (replica, stock), name)
    master.kill()
    digest = replica.call("DEBUG", "DIGEST")
    replica.kill()
    replica.start()
    equal(replica.call("DEBUG", "DIGEST"), digest, "digest after replaying the log")
    check("CRITICAL" not in stock.log_text() + replica.log_text(), "a command of the stream failed")


if __name__ == "__main__":
    sys.exit(run_test(test))
