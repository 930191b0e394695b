#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What runtests needs to know of a Meson build directory's tests.

usage: testlog.py suites <build-dir> SUITE...    prints those of the suites that have tests
       testlog.py result <build-dir> <counts>    after a run: shows why tests failed or were skipped
                                                 and appends
                                                 "passed failed skipped" to the file <counts>

Exit status 1 of "result": no test was run.
"""
import json
import subprocess
import sys

GOOD = {"OK", "EXPECTEDFAIL"}
TAIL_LINES = 40
TAIL_CHARS = 8000


def suites(build, wanted):
    out = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True)
    known = {suite.split(":")[-1] for test in json.loads(out.stdout) for suite in test["suite"]}
    print("\n".join(suite for suite in wanted if suite in known))
    return 0


def tail(text):
    """The end of what a test printed, without what cmocka says of cases that passed."""
    lines = [x for x in text.splitlines() if not x.startswith(("[ RUN      ]", "[       OK ]"))]
    for line in "\n".join(lines)[-TAIL_CHARS:].splitlines()[-TAIL_LINES:]:
        print("   | " + line[:240])


def reason(test):
    for line in reversed((test.get("stdout", "") + "\n" + test.get("stderr", "")).splitlines()):
        if line.lower().startswith("skip"):
            return line[:160]
    return "gave no reason"


def result(build, counts):
    passed = failed = skipped = 0
    try:
        with open(build + "/meson-logs/testlog.json", encoding="utf-8", errors="replace") as log:
            tests = [json.loads(line) for line in log if line.strip()]
    except OSError:
        return 1
    for test in tests:
        if test["result"] in GOOD:
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
            print(f"   {test['name']}: {reason(test)}")
        else:
            failed += 1
            print(f"   FAILED: {test['name']} ({test['result']}, exit {test.get('returncode')})")
            tail(test.get("stdout", ""))
            tail(test.get("stderr", ""))
    if not tests:
        return 1
    with open(counts, "a", encoding="ascii") as out:
        print(passed, failed, skipped, file=out)
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "suites":
        sys.exit(suites(sys.argv[2], sys.argv[3:]))
    sys.exit(result(sys.argv[2], sys.argv[3]))
