# SPDX-License-Identifier: BSD-3-Clause
"""SORT and SORT_RO. The keys are the family's own, named by what they hold: redis-server turns a
small sorted set into a large one when it sorts it, and of a set in no order anything may be first.
"""

SHARE = 0.97
PATTERNS = ["w:*", "h:*->f", "h:*->g", "w:*x", "h:*->", "*", "#", "w:fixed", "l:*", "h:*"]


def element(w):
    return str(w.pick([w.rnd.randrange(12), w.rnd.randrange(12), w.pick(["1.5", "-3", "7e1", "ab"])]))


def number(w):
    return str(w.pick([w.rnd.randrange(12), w.rnd.randrange(-5, 5), "1.5", "-0", "1e300", ""]))


def source(w):
    return w.pick("lsz") + ":" + w.pick("012")


def gets(w):
    return [word for _ in range(w.pick([0, 0, 1, 2])) for word in ("get", w.pick(PATTERNS))]


def limit(w):
    return w.pick([[], [], ["limit", str(w.rnd.randrange(-1, 6)), str(w.rnd.randrange(-1, 6))]])


def direction(w):
    return w.pick([[], ["asc"], ["desc"]])


def shuffled(w, *parts):
    parts = list(parts)
    w.rnd.shuffle(parts)
    return [word for part in parts for word in part]


def by_number(w):
    by = w.pick([[], ["by", w.pick(["w:*", "h:*->f", "w:*x", "h:*->g"])]])
    return [w.pick(["sort", "sort_ro"]), source(w)] + shuffled(w, by, gets(w), limit(w), direction(w))


def by_letters(w):
    words = shuffled(w, ["alpha"], gets(w), limit(w), direction(w))
    return [w.pick(["sort", "sort_ro"]), source(w)] + words


def by_weights_as_letters(w):
    """In a list, what becomes of equal weights follows from the order before."""
    by = ["by", w.pick(["w:*", "h:*->f"])]
    words = shuffled(w, ["alpha"], by, gets(w), limit(w), direction(w))
    return ["sort", "l:" + w.pick("012")] + words


def in_no_order(w):
    kind = w.pick("lsz")
    parts = [["by", "nosort"], gets(w), direction(w)] + ([] if kind == "s" else [limit(w)])
    return ["sort", kind + ":" + w.pick("012")] + shuffled(w, *parts)


def stored(w):
    """Sorted by the elements themselves if it is a set, whatever the order asked for."""
    by = w.pick([[], ["alpha"], ["by", "nosort"], ["by", "w:*"], ["by", "h:*->f"]])
    target = ["store", "l:" + w.pick("012x")]
    return ["sort", source(w)] + shuffled(w, by, gets(w), limit(w), direction(w), target)


def commands(w):
    pick, rnd = w.pick, w.rnd
    return [
        lambda: by_number(w),
        lambda: by_number(w),
        lambda: by_letters(w),
        lambda: by_weights_as_letters(w),
        lambda: in_no_order(w),
        lambda: stored(w),
        lambda: ["rpush", "l:" + pick("012")] + w.some(lambda: element(w), 1, 9),
        lambda: ["rpush", "l:" + pick("12")] + w.some(lambda: element(w), 9, 60),
        lambda: ["sadd", "s:" + pick("012")] + w.some(lambda: element(w), 1, 9),
        lambda: ["zadd", "z:" + pick("012")]
        + [x for _ in range(3) for x in (str(rnd.randrange(5)), element(w))],
        lambda: ["zadd", "z:2"] + [x for i in range(130) for x in (str(rnd.randrange(50)), str(i))],
        lambda: ["set", "w:" + element(w), number(w)],
        lambda: ["set", "w:" + element(w) + "x", pick(["1", "2", "3"])],
        lambda: ["hset", "h:" + element(w), pick("fg"), number(w)],
        lambda: ["pexpireat", pick(["w:", "h:"]) + element(w), "1"],
        lambda: ["del", pick([source(w), "w:" + element(w), "h:" + element(w)])],
        lambda: ["lrange", "l:" + pick("012x"), "0", "-1"],
    ]


def keep(command):
    """A spoilt key might be a sorted set of another family; the table has the spoilt forms."""
    return command[0] in ("sort", "sort_ro")


def same(command, node, redis):
    """A set in no order."""
    if command[0].lower() != b"sort" or command[1][:2] != b"s:" or b"nosort" not in command:
        return False
    if node[:2] != redis[:2] or node[0] != b"*" or b"limit" in command:
        return False
    nr_gets = max(1, command.count(b"get"))
    return ordered(node[2], nr_gets) == ordered(redis[2], nr_gets)


def ordered(elements, size):
    return sorted((elements[i : i + size] for i in range(0, len(elements), size)), key=repr)
