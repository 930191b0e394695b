#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""quickstart's demonstration: on net_tap, ended by Ctrl-C in every phase, its output's reader gone,
its port taken. Whatever happens, nothing that it made stays.

usage: quickstart.py [--all] [--seed N]     --all: Ctrl-C in each phase, not in some chosen ones
"""
import argparse
import glob
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time

from lab import ROOT, Skipped, check, equal, need, run_test, until

DEMO = os.path.join(ROOT, "tests", "support", "demo.py")
QUICKSTART = os.path.join(ROOT, "quickstart")
LAST = "Ctrl-C. In another"
# What it says at the beginning of each phase.
PHASES = (
    "master: millrace",
    "up; device",
    "replica: stock",
    "replica: a second",
    "load: ",
    "kill -9 of",
    "restarted",
    LAST,
)


class Demo:
    """A demonstration under way; its pid, and what it has said."""

    def __init__(self, lab, *args):
        self.said = ""
        self.parent = lab.dir
        self.process = lab.spawn(
            sys.executable,
            "-B",
            DEMO,
            "--dir",
            lab.dir,
            "--port",
            "7777",
            *args,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.pid = self.process.pid

    def read_until(self, text):
        """Reads until a line has the text. False: it has ended before that."""
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return True
        return False

    def end(self, timeout=30):
        """Waits for its end; checks that nothing is left and returns the status."""
        self.said += self.process.stdout.read() if not self.process.stdout.closed else ""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            check(False, f"the demonstration does not end:\n{self.said}")
        equal(self.left(), [], f"left behind by the demonstration:\n{self.said}\n")
        return status

    def left(self):
        found = glob.glob(f"/run/netns/mr-{self.pid}*") + glob.glob(f"/var/run/dpdk/mr{self.pid}-*")
        found += [d for d in glob.glob(self.parent + "/millrace-*") if os.path.isdir(d)]
        links = subprocess.run(["ip", "-o", "link"], stdout=subprocess.PIPE, text=True, check=True)
        found += re.findall(r"mr[vp]\d+n\d+", links.stdout)
        found += processes_of(self.parent, self.pid)
        return found


def processes_of(directory, parent):
    """Command lines that name the directory, without that of this process and the given one."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) in (os.getpid(), parent):
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if directory in command:
            found.append(command)
    return found


def test_arguments():
    """Wrong ones are named before anything is installed or built."""
    for args, said in (
        (("--bogus",), "--bogus"),
        (("--port", "x"), "--port"),
        (("--port", "70000"), "--port"),
        (("--seconds", "0"), "--seconds"),
        (("--device", "net_foo"), "--device"),
        (("--dir", "/nonexistent"), "--dir"),
    ):
        done = subprocess.run(
            [QUICKSTART, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=10,
            check=False,
        )
        equal(done.returncode, 2, f"exit status of quickstart {args}")
        check(said in done.stderr, f"quickstart {args} said {done.stderr!r}")
        equal(done.stdout, "", f"output of quickstart {args}")
    done = subprocess.run(
        [QUICKSTART, "--help"], stdout=subprocess.PIPE, text=True, timeout=10, check=False
    )
    equal(done.returncode, 0, "exit status of --help")
    check("--device" in done.stdout, "--help says nothing of --device")


def test_net_tap(lab):
    """All of it on the other device, with its first port taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 7778))
        taken.listen()
        demo = Demo(lab, "--exit", "--seconds", "1", "--device", "net_tap")
        equal(demo.end(), 0, f"exit status:\n{demo.said}")
    check("device net_tap" in demo.said, f"not on net_tap:\n{demo.said}")
    check("port 7777" in demo.said and "7787" in demo.said, f"the taken port:\n{demo.said}")
    check("All of it is as it should be" in demo.said, demo.said)


def test_interrupted(lab, choose, phases):
    for phase in phases:
        demo = Demo(lab, "--seconds", "1")
        check(demo.read_until(phase), f"it never said {phase!r}:\n{demo.said}")
        time.sleep(choose.uniform(0, 0.15))
        os.kill(demo.pid, signal.SIGINT)
        if choose.random() < 0.5:  # impatience
            time.sleep(choose.uniform(0, 0.02))
            os.kill(demo.pid, signal.SIGINT)
        status = demo.end()
        equal(status, 0 if phase == LAST else 130, f"exit status after Ctrl-C at {phase!r}")


def test_reader_gone(lab):
    """As with quickstart | head, or a terminal that was closed."""
    demo = Demo(lab, "--seconds", "1")
    check(demo.read_until("up; device"), demo.said)
    demo.process.stdout.close()
    check(demo.end() != 0, "exit status 0, though nobody heard")


def test_only_node(lab):
    """--no-demo; and a kill -9 of the demonstration itself is made good by the next."""
    demo = Demo(lab, "--only-node")
    check(demo.read_until(LAST), f"it never got there:\n{demo.said}")
    demo.process.kill()
    demo.process.wait()
    until("the node's end", lambda: not processes_of(lab.dir, demo.pid), 10)
    check(demo.left(), "nothing was left: the test has lost its point")
    following = Demo(lab, "--only-node")
    check(following.read_until(LAST), f"it never got there:\n{following.said}")
    equal(
        [one for one in demo.left() if str(following.pid) not in one and lab.dir not in one],
        [],
        "left behind by a demonstration that was killed",
    )
    os.kill(following.pid, signal.SIGTERM)
    equal(following.end(), 0, "exit status")
    equal(demo.left(), [], "left behind by a demonstration that was killed")


def test(lab):
    need("ip", "ethtool", "redis-server", "redis-benchmark")
    if not os.path.exists("/dev/net/tun"):
        raise Skipped("/dev/net/tun is not there")
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    choose = random.Random(args.seed)
    test_arguments()
    test_net_tap(lab)
    some = choose.sample(PHASES[:5], 2) + choose.sample(PHASES[5:], 1)
    test_interrupted(lab, choose, PHASES if args.all else some)
    test_reader_gone(lab)
    test_only_node(lab)


if __name__ == "__main__":
    sys.exit(run_test(test))
