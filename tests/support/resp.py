# SPDX-License-Identifier: BSD-3-Clause
"""A small RESP2/RESP3 client over a blocking socket, for tests: exact about types, no retries.

Replies: simple and bulk strings are bytes, integers int, arrays list, maps dict, sets list, null
None, booleans bool, doubles float; an error reply is returned as a RespError by read() and raised
by call().
"""
import socket


class RespError(Exception):
    """An error reply; str() is its text without the leading '-'."""


def encode(*args):
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        if not isinstance(arg, bytes):
            arg = str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(parts)


class Resp:
    """One connection. address: (host, port), or the path of a unix socket."""

    def __init__(self, address, timeout=20.0, make_socket=None):
        make = make_socket or socket.socket
        family = socket.AF_UNIX
        if not isinstance(address, str):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = make(family, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(timeout)
            self.sock.connect(address)
            if family != socket.AF_UNIX:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.sock.close()
            raise
        self.buf = b""
        self.pos = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.sock.close()

    def fill(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("connection closed by the server")
        self.buf = self.buf[self.pos :] + data
        self.pos = 0

    def line(self):
        while True:
            end = self.buf.find(b"\r\n", self.pos)
            if end >= 0:
                line = self.buf[self.pos : end]
                self.pos = end + 2
                return line
            self.fill()

    def exactly(self, count):
        if len(self.buf) - self.pos < count:
            parts = [self.buf[self.pos :]]
            have = len(parts[0])
            while have < count:
                data = self.sock.recv(1 << 20)
                if not data:
                    raise ConnectionError("connection closed by the server")
                parts.append(data)
                have += len(data)
            self.buf = b"".join(parts)
            self.pos = 0
        data = self.buf[self.pos : self.pos + count]
        self.pos += count
        return data

    def read(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RespError(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind in b"$=!":
            if rest == b"-1":
                return None
            data = self.exactly(int(rest) + 2)[:-2]
            if kind == b"!":
                return RespError(data.decode("utf-8", "replace"))
            return data[4:] if kind == b"=" else data
        if kind in b"*~>":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {self.key(self.read()): self.read() for _ in range(int(rest))}
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        if kind == b"(":
            return int(rest)
        raise ValueError(f"not RESP: {line[:80]!r}")

    @staticmethod
    def key(value):
        return tuple(value) if isinstance(value, list) else value

    def send(self, *args):
        self.sock.sendall(encode(*args))

    def call(self, *args):
        self.send(*args)
        reply = self.read()
        if isinstance(reply, RespError):
            raise reply
        return reply

    def pipeline(self, commands):
        """Sends all of them at once; the replies, errors among them."""
        self.sock.sendall(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]

    def info(self, section="all"):
        """INFO as a dict of strings."""
        text = self.call("INFO", section).decode()
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line and line[0] != "#")
        return dict(pairs)
