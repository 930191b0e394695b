#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""hiredis (Debian: libhiredis-dev), unchanged: what hiredis_work.c does, against a node with two poll
cores."""
import os
import subprocess
import sys

from lab import BUILD, Skipped, check, equal, run_test


def test(lab):
    program = os.path.join(BUILD, "tests", "integ", "hiredis_work")
    if not os.access(program, os.X_OK):
        raise Skipped("hiredis_work is not built: libhiredis-dev was not there")
    node = lab.node("node", lab.home, 7412, options=["--poll-cores", "0-1"], pool_size="256mb")
    node.start()
    done = subprocess.run(
        [program, "127.0.0.1", str(node.port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    check(done.returncode == 0, f"hiredis: {done.stdout[-3000:]}")
    equal(done.stdout, "ok\n", "its answer")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
