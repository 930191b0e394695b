# SPDX-License-Identifier: BSD-3-Clause
"""What was measured on: the machine and the commit."""
import datetime
import json
import os
import platform
import re
import subprocess

from lab import BUILD, ROOT


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


def build():
    """How the node was built: {option: value}; {} when Meson tells nothing."""
    try:
        with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), "rb") as data:
            found = {option["name"]: option["value"] for option in json.load(data)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {name: found.get(name) for name in ("optimization", "checks", "b_sanitize")}


def build_warnings(found):
    """What makes the node of such a build slower than it is."""
    if not found:
        yield "how millrace was built is not known"
    if found.get("checks"):
        yield "millrace was built with -Dchecks=true, which costs time (MILLRACE_BUILD names a build)"
    if found.get("b_sanitize") not in (None, "none"):
        yield f"millrace was built with the sanitizer {found['b_sanitize']}, which costs time"
    if found.get("optimization") not in (None, "2", "3"):
        yield f"millrace was built with optimization {found['optimization']}"


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
        "build": build(),
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
