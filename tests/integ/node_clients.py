#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ioredis and node-redis, unchanged: what node_clients/work.mjs does, against a node with two poll
cores.

Both are fetched with npm, in the versions that node_clients/package.json names, into a folder of
the test. Where there is no npm, or it fetches nothing, the test is skipped.
"""
import os
import shutil
import subprocess
import sys
import tempfile

from lab import Skipped, check, equal, run_test


def fetch(folder):
    """The clients' packages, beside the script."""
    shutil.copytree(os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_clients"), folder)
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise Skipped(f"{program} is not installed")
    try:
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Skipped("npm fetched nothing within a minute") from None
    if done.returncode:
        raise Skipped(f"npm fetched nothing: {done.stdout[-400:]}")


def use(lab, folder):
    node = lab.node("node", lab.home, 7411, options=["--poll-cores", "0-1"], pool_size="256mb")
    node.start()
    done = subprocess.run(
        ["node", "work.mjs", "127.0.0.1", str(node.port)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    check(done.returncode == 0, f"clients: {done.stdout[-3000:]}")
    equal(done.stdout.split(), ["withIoredis:", "ok", "withNodeRedis:", "ok"], "what they did")
    equal(node.stop(), 0, "exit status")


def main():
    """The packages come first: the lab's own network namespace leads nowhere."""
    with tempfile.TemporaryDirectory(prefix="millrace-clients-") as parent:
        folder = os.path.join(parent, "clients")
        missing = None
        try:
            fetch(folder)
        except Skipped as why:
            missing = why

        def test(lab):
            if missing:
                raise missing
            use(lab, folder)

        return run_test(test)


if __name__ == "__main__":
    sys.exit(main())
