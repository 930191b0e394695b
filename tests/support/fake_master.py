# SPDX-License-Identifier: BSD-3-Clause
"""A master that has one RDB to give, made by hand: for what no redis-server at hand would send."""
import socketserver
import threading

REPLID = b"f" * 40


def crc64(data, crc=0):
    """As RDB has it (Jones' polynomial, reflected)."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return crc


def rdb(body, version=10):
    data = b"REDIS%04d" % version + body + b"\xff"
    return data + crc64(data).to_bytes(8, "little")


def payload(body, version=10):
    """Type and value as RESTORE takes them."""
    data = body + version.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


class Session(socketserver.StreamRequestHandler):
    def command(self):
        line = self.rfile.readline()
        if not line.startswith(b"*"):
            return None
        words = []
        for _ in range(int(line[1:])):
            length = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(length + 2)[:-2])
        return words

    def handle(self):
        while words := self.command():
            name = words[0].upper()
            if name == b"PING":
                self.wfile.write(b"+PONG\r\n")
            elif name in (b"PSYNC", b"SYNC"):
                image = self.server.image
                self.wfile.write(b"+FULLRESYNC %s 100\r\n" % REPLID)
                self.wfile.write(b"$%d\r\n" % len(image) + image)
            elif words[:2] != [b"REPLCONF", b"ACK"]:
                self.wfile.write(b"+OK\r\n")


class FakeMaster:
    """Listens on 127.0.0.1 while it is entered; image may be exchanged at any time."""

    def __init__(self, port, image=b""):
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Session)
        self.server.daemon_threads = True
        self.server.image = image
        self.port = port

    def give(self, image):
        self.server.image = image

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()
