#!/usr/bin/env python3
"""Records mosquitto-2.0.db with the mosquitto found on the path: record-mosquitto-2.0.py DIRECTORY

It starts the broker on a free loopback port, leaves sessions in every state a database has, and
stops it with SIGTERM, which saves.
"""

import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def packet(first, body):
    assert len(body) < 16384
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])
    return bytes([first]) + length + body


def properties(data):
    assert len(data) < 128
    return bytes([len(data)]) + data


class Client:
    def __init__(self, port, client_id, version=5, expiry=0xFFFFFFFF, username=None):
        self.version = version
        flags = 0x80 if username else 0
        body = text("MQTT") + bytes([version, flags]) + struct.pack(">H", 60)
        if version == 5:
            body += properties(b"\x11" + struct.pack(">I", expiry))
        body += text(client_id) + (text(username) if username else b"")
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(10)
        self.send(0x10, body)
        assert self.receive()[0] == 0x20

    def send(self, first, body):
        self.socket.sendall(packet(first, body))

    def exactly(self, count):
        data = b""
        while len(data) < count:
            data += self.socket.recv(count - len(data)) or sys.exit("closed")
        return data

    def receive(self):
        first, length, shift = self.exactly(1)[0], 0, 0
        while True:
            byte = self.exactly(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return first, self.exactly(length)

    def subscribe(self, packet_id, topic_filter, options, identifier=None):
        body = struct.pack(">H", packet_id)
        if self.version == 5:
            body += properties(b"\x0b" + bytes([identifier]) if identifier else b"")
        self.send(0x82, body + text(topic_filter) + bytes([options]))
        assert self.receive()[0] == 0x90

    def publish(self, topic, payload, qos=0, retain=False, packet_id=1, own=b""):
        body = text(topic) + (struct.pack(">H", packet_id) if qos else b"")
        body += properties(own) if self.version == 5 else b""
        self.send(0x30 | qos << 1 | retain, body + payload)
        if qos:
            assert self.receive()[0] == (0x40 if qos == 1 else 0x50)
        if qos == 2:
            self.release = struct.pack(">H", packet_id)

    def complete(self):
        self.send(0x62, self.release)
        assert self.receive()[0] == 0x70

    def leave(self):
        self.send(0xE0, b"")
        self.socket.close()


def scene(port):
    # Everything waits for it: nothing was delivered.
    offline = Client(port, "gateway", expiry=86_400, username="gw")
    offline.subscribe(1, "plant/+/temp", 1 | 4 | 8, identifier=7)
    offline.subscribe(2, "plant/#", 2)
    offline.leave()

    # Two messages delivered and not acknowledged, one released, the rest waits.
    legacy = Client(port, "légacy", version=4)
    legacy.subscribe(9, "jobs/+", 2)
    publisher = Client(port, "publisher", expiry=0)
    publisher.publish("jobs/1", b"first", qos=2, packet_id=11)
    publisher.complete()
    packet_id = legacy.receive()[1][8:10]
    legacy.send(0x50, packet_id)
    assert legacy.receive()[0] == 0x62
    publisher.publish("jobs/2", b"second", qos=1, packet_id=12)
    legacy.receive()
    publisher.publish("jobs/3", b"third", qos=2, packet_id=13)
    publisher.complete()
    legacy.receive()
    publisher.publish("jobs/4", b"fourth", qos=1, packet_id=14)
    publisher.publish("jobs/5", b"", qos=2, packet_id=15)
    publisher.complete()
    # Not a byte of DISCONNECT: the session stays as it is.
    legacy.socket.close()

    # A QoS 2 publish that was never released.
    uploader = Client(port, "uploader", expiry=0xFFFFFFFF)
    uploader.publish("upload", b"\x00\xff", qos=2, packet_id=513)
    uploader.socket.close()

    own = b"\x01\x01" + b"\x03" + text("text/plain") + b"\x08" + text("answer/here")
    own += b"\x09" + text(b"\x00\x01") + b"\x26" + text("a") + text("1") + b"\x26" + text("a") + text("2")
    own += b"\x02" + struct.pack(">I", 3_600)
    publisher.publish("plant/a/temp", b"21.5", qos=1, packet_id=21, own=own)
    publisher.publish("plant/b/state", b"x" * 300, qos=2, packet_id=22)
    publisher.complete()
    publisher.publish("state/on", b"yes", qos=1, retain=True, packet_id=23)
    publisher.publish("state/off", bytes(range(8)), retain=True)
    # The answer shows that all before it was taken.
    publisher.publish("nobody", b"", qos=1, packet_id=24)
    publisher.leave()
    time.sleep(0.5)


def main():
    target = pathlib.Path(sys.argv[1]) / "mosquitto-2.0.db"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        conf = pathlib.Path(directory) / "mosquitto.conf"
        conf.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {directory}/\nmax_inflight_messages 3\nuser root\n"
        )
        broker = subprocess.Popen(["mosquitto", "-c", conf], stderr=subprocess.DEVNULL)
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            scene(port)
        finally:
            broker.terminate()
            broker.wait()
        target.write_bytes((pathlib.Path(directory) / "mosquitto.db").read_bytes())


main()
