# SPDX-License-Identifier: BSD-3-Clause
"""Lists."""


def commands(w):
    key, value, number, pick = w.key, w.value, w.number, w.pick

    def side():
        return pick(["left", "right"])

    return [
        lambda: [pick(["lpush", "rpush"]), key()] + w.some(value, 1, 8),
        lambda: [pick(["lpush", "rpush"]), key()] + w.some(value, 1, 40),
        lambda: [pick(["lpushx", "rpushx"]), key()] + w.some(value),
        lambda: [pick(["lpop", "rpop"]), key()],
        lambda: [pick(["lpop", "rpop"]), key(), str(w.rnd.randrange(-1, 6))],
        lambda: ["llen", key()],
        lambda: ["lindex", key(), number()],
        lambda: ["linsert", key(), pick(["before", "after", "AFTER"]), value(), value()],
        lambda: ["lrange", key(), number(), number()],
        lambda: ["lrange", key(), "0", "-1"],
        lambda: ["lset", key(), number(), value()],
        lambda: ["lrem", key(), number(), value()],
        lambda: ["ltrim", key(), str(w.rnd.randrange(4)), str(-w.rnd.randrange(4))],
        lambda: ["ltrim", key(), number(), number()],
        lambda: ["lpos", key(), value()]
        + pick([[], ["rank", number()]])
        + pick([[], ["count", str(w.rnd.randrange(3))]])
        + pick([[], ["maxlen", str(w.rnd.randrange(20))]]),
        lambda: ["lmove", key(), key(), side(), side()],
        lambda: ["rpoplpush", key(), key()],
        lambda: ["lmpop", "2", key(), key(), side()] + pick([[], ["count", number()]]),
    ]
