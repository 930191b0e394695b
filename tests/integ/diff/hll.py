# SPDX-License-Identifier: BSD-3-Clause
"""HyperLogLog."""


def elements(w):
    if w.rnd.random() < 0.1:
        first = w.rnd.randrange(10000)
        return [f"element:{i}" for i in range(first, first + 1500)]
    return [w.value() for _ in range(w.rnd.randrange(5))]


def commands(w):
    key, pick = w.key, w.pick
    return [
        lambda: ["pfadd", key()] + elements(w),
        lambda: ["pfadd", key()] + elements(w),
        lambda: ["pfcount", key()],
        lambda: ["pfcount"] + w.some(key),
        lambda: ["pfmerge"] + w.some(key),
        lambda: ["get", key()],
        lambda: ["pfdebug", pick(["encoding", "decode", "todense", "DECODE"]), key()],
        lambda: ["object", "encoding", key()],
        lambda: ["config", "set", "hll-sparse-max-bytes", pick(["3000", "100", "0", "20000"])],
    ]
