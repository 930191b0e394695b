# SPDX-License-Identifier: BSD-3-Clause
"""What was measured on: the machine and the commit."""
import datetime
import os
import platform
import re
import subprocess

from lab import ROOT


def first_value(path, name):
    """The value of "name: value" in a file of /proc."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return "unknown"


def git(*args):
    try:
        done = subprocess.run(
            ["git", "-C", ROOT, *args], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit():
    """The commit; with "-dirty" when the tree differs from it; "unknown" without git."""
    name = git("rev-parse", "--short=10", "HEAD") or "unknown"
    return name + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "")


def describe():
    return {
        "cpu": first_value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_gib": round(int(first_value("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "virtual": "hypervisor" in first_value("/proc/cpuinfo", "flags").split(),
        "load_average": os.getloadavg(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
    }


def folder_name(facts):
    """<processor>-<cores>c-<date>-<commit>, fit for a file system."""
    cpu = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.*?\)|@.*", "", facts["cpu"].lower())).strip("-")
    return f"{cpu[:32]}-{facts['cores']}c-{facts['date'][:10]}-{facts['commit']}"


def folder_make(facts):
    """A new folder in perf/results."""
    base = os.path.join(ROOT, "perf", "results", folder_name(facts))
    path, number = base, 1
    while True:
        try:
            os.makedirs(path)
            return path
        except FileExistsError:
            number += 1
            path = f"{base}-{number}"
