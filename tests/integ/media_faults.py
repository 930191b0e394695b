#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A medium that fails: a file cut short under a running node ends in a clear report; flipped bits
in any structure but the log's own bytes are refused in words or do no harm; no room for a pool is
said. Nothing crashes, and nothing silently becomes wrong.

usage: media_faults.py [--flips N] [--seed N]
"""
import argparse
import os
import random
import re
import shutil
import struct
import subprocess
import sys

from lab import check, equal, run_test, until

REFUSAL = r"damaged|cannot be loaded|checksum|not a pool|version|truncated|the log (ends|is not)"
KEYS = 3000


def shape(path):
    """commit_off, ring_off, ring_size, ext_off of the superblock (persist/pool_format.h)."""
    with open(path, "rb") as pool:
        return struct.unpack_from("<4Q", pool.read(128), 48)


def ended(node):
    """Waits for its end, which is as it should be; the exit status."""
    status = node.process.wait(30)
    node.process = None
    return status


def cut_short(lab):
    """The pages behind the end are gone: SIGBUS at the next touch."""
    node = lab.node("cut", port=7361, pool_size="32mb").start()
    node.call("DEBUG", "POPULATE", 20000, "key", 100)
    os.truncate(node.pool, 64 << 10)
    try:
        with node.connect() as conn:
            for number in range(200000):
                conn.call("SET", f"k{number}", "x" * 1000)
    except (OSError, ConnectionError):
        pass
    equal(ended(node), 1, "exit status after the pool was cut short")
    said = node.log_text()
    check("the medium cannot be read or written at byte" in said, f"no report: {said[-400:]}")
    check(said.count("the medium cannot be read") == 1, "it is told more than once")


def no_room(lab):
    """A file system that is too small for the pool."""
    small = os.path.join(lab.dir, "small")
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", small], check=True)
    try:
        node = lab.node("room", port=7363, pool=os.path.join(small, "pool"), pool_size="64mb")
        node.start(wait=False)
        equal(ended(node), 1, "exit status without room for the pool")
        check(re.search("No space left|no room", node.log_text()), node.log_text()[-400:])
        equal(os.listdir(small), [], "what is left of the pool")
    finally:
        subprocess.run(["umount", small], check=True)


def fill(node, choose):
    with node.connect() as conn:
        conn.pipeline([("SET", f"key{n}", choose.randbytes(200)) for n in range(KEYS)])
        conn.pipeline([("RPUSH", f"list{n % 5}", n) for n in range(500)])
        node.call("BGSAVE")
        until("the snapshot", lambda: node.info("millrace")["snapshot_active"] == "0", 30)
        conn.pipeline([("INCR", f"n{n % 9}") for n in range(500)])
    return node.call("DEBUG", "DIGEST")


def where(choose, path):
    """A byte of some structure: both superblocks, hints, commit records, extents in use."""
    commit_off, ring_off, ring_size, ext_off = shape(path)
    kind = choose.randrange(4)
    if kind == 0:
        return "superblock", choose.randrange(512) + choose.randrange(2) * 4096
    if kind == 1:
        return "hint", 8192 + choose.randrange(2) * 4096 + choose.randrange(40)
    if kind == 2:
        return "commit record", choose.randrange(commit_off, ring_off)
    with open(path, "rb") as pool:
        pool.seek(ext_off)
        used = [at for at in range(0, 4 << 20, 64) if any(pool.read(64))]
    return "extent", ext_off + choose.choice(used) + choose.randrange(64)


def flips(lab, choose, count):
    node = lab.node("flips", port=7362, pool_size="32mb").start()
    digest = fill(node, choose)
    node.kill()
    good = node.pool + ".good"
    shutil.copyfile(node.pool, good)
    refused = 0
    for _ in range(count):
        shutil.copyfile(good, node.pool)
        what, at = where(choose, good)
        with open(node.pool, "r+b") as pool:
            pool.seek(at)
            byte = pool.read(1)[0] ^ 1 << choose.randrange(8)
            pool.seek(at)
            pool.write(bytes([byte]))
        seen = len(node.log_text())
        node.start(wait=False)
        until("its end or its start", lambda: not node.alive or answers(node), 30)
        if not node.alive:
            equal(ended(node), 1, f"exit status after a flip in a {what} at {at}")
            said = node.log_text()[seen:]
            check(re.search(REFUSAL, said), f"a flip in a {what} at {at}: {said[-300:]}")
            refused += 1
            continue
        equal(node.call("DEBUG", "DIGEST"), digest, f"digest after a flip in a {what} at {at}")
        node.kill()
    print(f"{count} flips, {refused} refused")
    check(0 < refused < count, "flips are all refused, or none is")


def answers(node):
    return node.call("PING") == b"PONG"


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--flips", type=int, default=24)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    cut_short(lab)
    no_room(lab)
    flips(lab, random.Random(args.seed), args.flips)


if __name__ == "__main__":
    sys.exit(run_test(test))
