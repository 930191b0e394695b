#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A pool that cannot be trusted is refused with its own clear message, and not one byte of it is changed."""
import hashlib
import os
import re
import shutil
import subprocess
import sys

from lab import check, equal, run_test


def digest(path):
    with open(path, "rb") as data:
        return hashlib.sha256(data.read()).hexdigest()


def refused(lab, path, pattern, what, size="32mb"):
    """Starts a node on the pool; it has to end with a message that the pattern finds."""
    before = digest(path) if os.path.isfile(path) else None
    node = lab.node()
    done = subprocess.run(
        [node.exe, "--port", "7005", "--pmem-file", path, "--pmem-size", size],
        cwd=lab.dir,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    check(done.returncode > 0, f"{what}: exit status {done.returncode}: {done.stdout[-400:]}")
    check(re.search(pattern, done.stdout, re.I), f"{what}: no {pattern!r} in: {done.stdout[-400:]}")
    if before:
        equal(digest(path), before, f"{what}: the file's content")


def changed(lab, good, name, change):
    path = os.path.join(lab.dir, name)
    shutil.copyfile(good, path)
    with open(path, "r+b") as data:
        change(data)
    return path


def test(lab):
    node = lab.node("good", pool_size="32mb").start()
    node.call("SET", "key", "value")
    refused(lab, node.pool, r"in use|already open|locked", "already open")
    equal(node.call("GET", "key"), b"value", "the running node's data after another tried its pool")
    equal(node.stop(), 0, "exit status of the good node")

    refused(
        lab,
        changed(lab, node.pool, "truncated", lambda f: f.truncate(16 << 20)),
        r"truncated|smaller|short",
        "truncated",
    )

    def scribble(data):
        data.write(os.urandom(64 << 10))

    refused(
        lab,
        changed(lab, node.pool, "corrupt", scribble),
        r"not a|corrupt|checksum|damaged",
        "overwritten head",
    )

    def other(data):
        data.write(b"#!/bin/sh\n" * 1000)

    path = os.path.join(lab.dir, "other")
    with open(path, "wb") as data:
        other(data)
        data.truncate(32 << 20)
    refused(lab, path, r"not a", "a file of another kind")
    refused(lab, lab.dir, r"directory|not a regular|not a", "a directory")
    path = os.path.join(lab.dir, "small")
    refused(lab, path, r"not between|at least", "too small", size="64kb")
    check(not os.path.exists(path), "a pool that is too small was made all the same")

    node.start()
    equal(node.call("GET", "key"), b"value", "the good pool afterwards")
    equal(node.stop(), 0, "exit status of the good node")


if __name__ == "__main__":
    sys.exit(run_test(test))
