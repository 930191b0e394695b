#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The house rules that a program can check.

usage: check.py <what> [<root of the tree>]

  includes  imports point one way: {dataplane, persist} <- repl <- app; own header first, full paths
  spdx      a licence line in the first three lines of every source file
  length    no file over 800 lines, no function over 100, no line over 100 columns but for strings
  globals   no mutable variables at file scope below app/
  words     nothing of words.txt in any file
  names     *.c has no CamelCase or typedef'd structs
  tests     every test in a folder is one of its meson.build
  format    clang-format 14 would change nothing
  teeth     each check above finds the fault in a made-up file that has it

Exit status 0: the tree follows the rule; otherwise one line a fault, "file:line: what".
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 100
MAX_COLUMNS = 100
SKIP_DIRS = {".git", "subprojects", "corpus", "__pycache__"}
C_NAMES = (".c", ".h", ".cc")

# Folder -> the folders whose headers it may include. "" is the root (checks.h).
LAYERS = {
    "dataplane": {"dataplane", ""},
    "persist": {"persist", ""},
    "repl": {"repl", "dataplane", "persist", ""},
    "app": {"app", "repl", "dataplane", "persist", ""},
    "tests": {"tests", "perf", "app", "repl", "dataplane", "persist", ""},
    "perf": {"perf", "tests", "app", "repl", "dataplane", "persist", ""},
    "": {""},
}


class Source:
    """One file: its path below the root and its text."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()

    @property
    def top(self):
        return self.path.split("/")[0] if "/" in self.path else ""

    @property
    def is_c(self):
        return self.path.endswith(C_NAMES)


def tree(root):
    """All text files, sorted by path; build directories are left out."""
    found = []
    for folder, dirs, files in os.walk(root):
        dirs[:] = sorted(
            d for d in dirs if d not in SKIP_DIRS and not (folder == root and d.startswith("build"))
        )
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name in SKIP_DIRS or os.path.islink(path) or name.endswith((".log", ".rdb")):
                continue
            with open(path, "rb") as data:
                raw = data.read()
            if b"\0" not in raw:
                found.append(Source(os.path.relpath(path, root), raw.decode("utf-8", "replace")))
    return found


def blanked(text):
    """C text with comments and the insides of literals blanked; the lines stay what they are."""

    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]
        return re.sub(r"[^\n]", " ", token)

    return re.sub(
        r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S
    )


def known(root, name):
    """A header in the tree, or one that the meson.build of its folder makes."""
    if os.path.exists(os.path.join(root, name)):
        return True
    build = os.path.join(root, os.path.dirname(name), "meson.build")
    if not os.path.exists(build):
        return False
    with open(build, encoding="utf-8") as lines:
        return f"'{os.path.basename(name)}'" in lines.read()


def check_includes(sources, root):
    for src in sources:
        if not src.is_c:
            continue
        allowed = LAYERS.get(src.top)
        if allowed is None:
            yield f"{src.path}:1: folder {src.top} is not one of the layers"
            continue
        own = None
        stem = os.path.splitext(src.path)[0]
        if src.path.endswith(".c") and os.path.exists(os.path.join(root, stem + ".h")):
            own = stem + ".h"
        quoted_seen = 0
        for nr, line in enumerate(src.lines, 1):
            match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not match:
                continue
            name = match.group(2)
            if match.group(1) == "<":
                if own and not quoted_seen:
                    yield f'{src.path}:{nr}: the file\'s own header "{own}" comes first'
                    own = None
                if os.path.exists(os.path.join(root, name)):
                    yield f"{src.path}:{nr}: a header of the project is included with quotes"
                continue
            if own and not quoted_seen and name != own:
                yield f'{src.path}:{nr}: the file\'s own header "{own}" comes first'
            quoted_seen += 1
            if name.startswith(".") or not known(root, name):
                yield f'{src.path}:{nr}: "{name}" is not a path from the root of the tree'
                continue
            top = name.split("/")[0] if "/" in name else ""
            if top not in allowed:
                yield f"{src.path}:{nr}: {src.top or 'the root'} must not include {name}"


def check_spdx(sources, root):
    for src in sources:
        named = src.path.endswith(C_NAMES + (".py", ".sh", "meson.build", "meson_options.txt"))
        script = src.lines and src.lines[0].startswith("#!")
        if not (named or script):
            continue
        if not any("SPDX-License-Identifier: BSD-3-Clause" in line for line in src.lines[:3]):
            yield f"{src.path}:1: no SPDX line in the first three lines"


def columns(line):
    return len(line.expandtabs(8))


def functions(src):
    """(first line, name, number of lines) of each function: its body's braces stand in column 0."""
    start = None
    for nr, line in enumerate(src.lines, 1):
        if line == "{":
            start = nr
        elif start is not None and line.startswith("}"):
            head = start - 1
            while head > 1 and src.lines[head - 1][:1] in ("\t", " "):
                head -= 1
            name = re.search(r"(\w+)\s*\(", src.lines[head - 1])
            yield head, name.group(1) if name else "?", nr - head + 1
            start = None


def check_length(sources, root):
    for src in sources:
        prose = src.path.endswith((".md", ".txt", ".conf")) or src.path == "LICENSE"
        generated = src.path.endswith((".json", ".svg"))
        if not generated and len(src.lines) > MAX_FILE_LINES:
            yield f"{src.path}:{MAX_FILE_LINES + 1}: {len(src.lines)} lines, {MAX_FILE_LINES} at most"
        if src.is_c:
            for nr, name, count in functions(src):
                if count > MAX_FUNCTION_LINES:
                    yield f"{src.path}:{nr}: {name}() has {count} lines, {MAX_FUNCTION_LINES} at most"
        if not prose and not generated:
            for nr, line in enumerate(src.lines, 1):
                if columns(line) > MAX_COLUMNS and '"' not in line:
                    yield f"{src.path}:{nr}: {columns(line)} columns, {MAX_COLUMNS} at most"


def statements(text):
    """(line, statement) for each statement outside of braces; a braced part reads as {}."""
    text = re.sub(
        r"^[ \t]*#(?:\\\n|[^\n])*",
        lambda m: "\n" * m.group(0).count("\n"),
        blanked(text),
        flags=re.M,
    )
    depth, line, begin, words = 0, 1, None, []
    for char in text:
        if char == "\n":
            line += 1
        if depth == 0 and begin is None and not char.isspace() and char not in ";}":
            begin = line
        if char == "{":
            depth += 1
            if depth == 1:
                words.append("{}")
            continue
        if char == "}":
            depth -= 1
            if depth == 0 and re.search(
                r"\)\s*(?:__attribute__.*)?\{\}$", "".join(words).strip(), re.S
            ):
                words, begin = [], None  # the end of a function
            continue
        if depth:
            continue
        if char == ";":
            if begin is not None:
                yield begin, " ".join("".join(words).split())
            words, begin = [], None
        elif begin is not None:
            words.append(char)


def mutable_variable(statement):
    """The name of the variable that the statement defines, if it can change; else None."""
    statement = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", statement)
    if re.match(r"(typedef|extern|_Static_assert|static_assert|asm|__asm__)\b", statement):
        return None
    head = statement.split("=")[0].strip()
    if "(" in re.sub(r"\[[^\]]*\]", "", head):
        pointer = re.match(r"(?:[\w\s*]*)\(\s*\*\s*(const\s+)?(\w+)[^)]*\)\s*\(", head)
        return pointer.group(2) if pointer and not pointer.group(1) else None
    if re.fullmatch(r"(static\s+)?(struct|union|enum)\s+\w*\s*(\{\}(\s*[A-Z_0-9]+)?)?", head):
        return None
    if re.fullmatch(r"(?:[A-Z_0-9]+)", head):
        return None  # a macro used as a statement
    name = re.search(r"(\w+)\s*(?:\[.*\])*$", head)
    declarator = head[head.rfind("*") + 1 :] if "*" in head else head
    if re.search(r"\bconst\b", declarator):
        return None
    return name.group(1) if name and len(head.split()) > 1 else None


def check_globals(sources, root):
    for src in sources:
        if src.top not in ("dataplane", "persist", "repl") or not src.is_c:
            continue
        for nr, statement in statements(src.text):
            name = mutable_variable(statement)
            if name:
                yield f"{src.path}:{nr}: {name} can change: no mutable variables at file scope below app/"


def check_words(sources, root):
    lists = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "words.txt")]
    if os.environ.get("MILLRACE_STYLE_WORDS"):
        lists.append(os.environ["MILLRACE_STYLE_WORDS"])
    words = []
    for path in lists:
        with open(path, encoding="utf-8") as lines:
            words += [w.rstrip("\n") for w in lines if w.strip() and not w.startswith("#")]
    unwanted = re.compile("|".join(f"(?:{w})" for w in words), re.I)
    for src in sources:
        if src.path.startswith("tests/style/"):
            continue
        for nr, line in enumerate(src.lines, 1):
            match = unwanted.search(line)
            if match:
                yield f'{src.path}:{nr}: "{match.group(0)}" is not wanted'


def check_names(sources, root):
    for src in sources:
        if not src.is_c or src.top in ("tests", "perf"):
            continue
        for nr, line in enumerate(blanked(src.text).splitlines(), 1):
            if re.match(r"\s*typedef\s+(struct|union|enum)\b", line):
                yield f"{src.path}:{nr}: a struct has no typedef"
            if re.match(r"(static\s+)?(struct|enum|union)\s+[a-z_]*[A-Z]\w*", line):
                yield f"{src.path}:{nr}: names are lower case with underscores"


def check_format(sources, root):
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not tool:
        yield "clang-format 14 is not installed (Debian: clang-format-14)"
        return
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    if "version 14." not in version:
        yield f"clang-format 14 is wanted, {version.strip()} was found"
        return
    files = [src.path for src in sources if src.is_c]
    if not files:
        return
    done = subprocess.run(
        [tool, "--dry-run", "--Werror", "--style=file", *files],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        places = re.findall(r"^(\S+?:\d+):\d+: error: code should be", done.stderr, re.M)
        for place in sorted(set(places)):
            yield f"{place}: clang-format would change this"
        if not places:
            yield "clang-format: " + done.stderr.strip()[:400]


def check_tests(sources, root):
    for src in sources:
        folder, name = os.path.split(src.path)
        stem, kind = os.path.splitext(name)
        if folder == "tests/integ" and kind == ".py":
            wanted = f"'{stem}"
        elif folder.startswith("tests/") and name.startswith("test_") and kind == ".c":
            wanted = f"{stem[len('test_'):]}'"
        else:
            continue
        build = [s for s in sources if s.path == f"{folder}/meson.build"]
        if not build or wanted not in build[0].text:
            yield f"{src.path}:1: it is never run: {folder}/meson.build does not know it"


CHECKS = {
    "includes": check_includes,
    "spdx": check_spdx,
    "length": check_length,
    "globals": check_globals,
    "words": check_words,
    "names": check_names,
    "tests": check_tests,
    "format": check_format,
}

SPDX = "/* SPDX-License-Identifier: BSD-3-Clause */\n"
# Check -> files that break it, each with one fault, and files that do not.
FAULTS = {
    "includes": (
        {
            "persist/x.c": '#include "dataplane/y.h"\n',
            "repl/x.c": '#include "app/z.h"\n',
            "app/x.c": '#include "z.h"\n',
            "app/z.c": '#include <stdio.h>\n#include "app/z.h"\n',
            "dataplane/x.c": '#include "../persist/p.h"\n',
        },
        {
            "repl/ok.c": '#include "persist/p.h"\n#include "dataplane/y.h"\n',
            "app/ok.c": '#include "app/z.h"\n#include <stdio.h>\n',
        },
    ),
    "spdx": ({"app/x.c": "int x;\n"}, {"app/ok.c": SPDX}),
    "length": (
        {
            "app/x.c": "int x;\n" * (MAX_FILE_LINES + 1),
            "app/y.c": "int f(void)\n{\n" + "\tg();\n" * MAX_FUNCTION_LINES + "}\n",
        },
        {"app/ok.c": "int f(void)\n{\n" + "\tg();\n" * (MAX_FUNCTION_LINES - 3) + "}\n"},
    ),
    "globals": (
        {
            "repl/a.c": "static int counter;\n",
            "repl/b.c": 'const char *name = "x";\n',
            "persist/c.c": "struct log *the_log;\n",
            "dataplane/d.c": "static _Thread_local int slot;\n",
            "dataplane/e.c": "static int table[4] = {1, 2};\n",
            "dataplane/f.c": "void (*hook)(int);\n",
        },
        {
            "repl/ok.c": 'static const int a[] = {1};\nconst char *const n = "x";\nint f(int x);\n'
            "struct s {\n\tint x;\n};\nenum e { A, B };\nextern int y;\n"
            "static int g(void)\n{\n\tstatic const int z = 1;\n\tint w = z;\n\treturn w;\n}\n"
            "static const struct ops ops = {\n\t.f = g,\n};\nstruct later;\n",
            "app/ok.c": "static int counter;\n",
        },
    ),
    "words": ({"app/x.c": "/* FIX" + "ME later */\n"}, {"app/ok.c": "/* prefix me */\n"}),
    "names": (
        {"app/x.h": "typedef struct x x_t;\n", "app/y.h": "struct MyThing;\n"},
        {"app/ok.h": "struct x;\ntypedef void (*call_fn)(void *ctx);\n"},
    ),
    "tests": (
        {"tests/unit/test_x.c": SPDX, "tests/integ/x.py": ""},
        {
            "tests/unit/test_ok.c": SPDX,
            "tests/unit/meson.build": "unit_tests = {'ok': []}\n",
            "tests/integ/ok.py": "",
            "tests/integ/meson.build": "find_program('ok.py')\n",
        },
    ),
    "format": ({"app/x.c": "int f( void ){return 1 ;}\n"}, {"app/ok.c": "int f(void);\n"}),
}


def check_teeth(sources, root):
    for what, (bad, good) in FAULTS.items():
        with tempfile.TemporaryDirectory() as made:
            headers = {"dataplane/y.h": SPDX, "persist/p.h": SPDX, "app/z.h": SPDX}
            shutil.copy(os.path.join(root, ".clang-format"), made)
            for path, text in {**headers, **bad, **good}.items():
                os.makedirs(os.path.dirname(os.path.join(made, path)), exist_ok=True)
                with open(os.path.join(made, path), "w", encoding="utf-8") as out:
                    out.write(text)
            faults = list(CHECKS[what](tree(made), made))
            found = {fault.split(":")[0] for fault in faults}
            for path in sorted(set(bad) - found):
                yield f"tests/style/check.py:1: {what} does not see the fault in {path}"
            for path in sorted(found & set(good)):
                yield f"tests/style/check.py:1: {what} sees a fault in {path}, which has none"


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    root = sys.argv[2] if len(sys.argv) > 2 else "."
    checks = {**CHECKS, "teeth": check_teeth}
    if what not in checks:
        print(__doc__)
        return 2
    faults = list(checks[what](tree(root), root))
    for fault in faults[:60]:
        print(fault)
    if len(faults) > 60:
        print(f"... and {len(faults) - 60} more")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
