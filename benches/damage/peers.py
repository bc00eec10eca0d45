"""Scripted peers: a seeder that counts, liars of content and metadata, a silent one, and a leecher that asks.

Each has an address of its own in 45.19.0.0/16. A peer obeys the protocol except where its conduct says otherwise, so what a
client does is an answer to that one fault.
"""
import dataclasses, os, random, select, socket, struct, threading, time
from lab import CLIENT, PORT, bdecode, bencode

BLOCK = 16384
UNCHOKE = 15.0  # seconds: some clients decide on their slots each 10 s


@dataclasses.dataclass
class Conduct:
    pause: float = 0.0          # seconds before each block
    bad: float = 0.0            # share of blocks sent with wrong bytes
    metadata: str = "honest"    # honest | garbage | size | silent
    has: bool = True            # whether it claims all pieces
    withhold: frozenset = frozenset()   # pieces that it claims and never sends


def address(number): return f"45.19.{number}.10"


def exactly(sock, count):
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part: raise ConnectionError("closed")
        data += part
    return data


def message(kind, body=b""): return struct.pack(">IB", 1 + len(body), kind) + body


def greeting(sample, number):
    reserved = bytearray(8)
    reserved[5] |= 0x10
    return b"\x13BitTorrent protocol" + bytes(reserved) + sample.hash + (b"-DM0001-%012d" % number)


class Peer:
    """Listens on `address(number)`. `sent` holds (time, piece, begin, bad), `visits` [opened, closed or None]."""

    def __init__(self, lab, sample, number, conduct=Conduct(), port=6881):
        self.sample, self.number, self.conduct = sample, number, conduct
        self.ip, self.port = address(number), port
        self.sent, self.visits, self.asked, self.metadata_asked = [], [], [], 0
        self.lock, self.noise, self.open = threading.Lock(), random.Random(number), []
        self.server = socket.create_server((self.ip, port), backlog=512)
        self.alive = True
        threading.Thread(target=self.accept, daemon=True).start()
        lab.tracker.peers.append((self.ip, port))

    def close(self):
        self.alive = False
        try: self.server.shutdown(socket.SHUT_RDWR)
        except OSError: pass
        self.server.close()
        for sock in self.open:
            try: sock.shutdown(socket.SHUT_RDWR)
            except OSError: pass

    def accept(self):
        while self.alive:
            try: sock, _ = self.server.accept()
            except OSError: return
            self.open.append(sock)
            threading.Thread(target=self.visit, args=(sock,), daemon=True).start()

    def visit(self, sock):
        visit = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hello = exactly(sock, 68)
            if hello[28:48] != self.sample.hash: return
            visit = [time.monotonic(), None]
            self.visits.append(visit)
            sock.sendall(greeting(self.sample, self.number))
            size = len(self.sample.info) + (5000 if self.conduct.metadata == "size" else 0)
            if hello[25] & 0x10: sock.sendall(message(20, b"\0" + bencode({"m": {"ut_metadata": 3}, "metadata_size": size, "reqq": 500})))
            if self.conduct.has:
                bits = bytearray((self.sample.pieces + 7) // 8)
                for piece in range(self.sample.pieces): bits[piece // 8] |= 0x80 >> piece % 8
                sock.sendall(message(5, bytes(bits)) + message(1))
            self.talk(sock, 3)
        except (OSError, ConnectionError): pass
        finally:
            if visit: visit[1] = time.monotonic()
            sock.close()

    def talk(self, sock, theirs):
        while True:
            length = struct.unpack(">I", exactly(sock, 4))[0]
            if length == 0: continue
            body = exactly(sock, length)
            if body[0] == 6: self.serve(sock, *struct.unpack(">III", body[1:13]))
            if body[0] == 20 and body[1] == 0:
                theirs = bdecode(body[2:])[0].get(b"m", {}).get(b"ut_metadata", theirs)
            elif body[0] == 20: self.tell(sock, body[2:], theirs)

    def serve(self, sock, piece, begin, length):
        self.asked.append((time.monotonic(), piece, begin))
        if piece in self.conduct.withhold or not self.conduct.has: return
        data = self.sample.read(piece, begin, length)
        bad = self.noise.random() < self.conduct.bad
        if bad: data = bytes([data[0] ^ 0xFF]) + data[1:]
        if self.conduct.pause: time.sleep(self.conduct.pause)
        sock.sendall(message(7, struct.pack(">II", piece, begin) + data))
        with self.lock: self.sent.append((time.monotonic(), piece, begin, bad))

    def tell(self, sock, body, theirs):
        asked = bdecode(body)[0]
        if asked.get(b"msg_type") != 0: return
        self.metadata_asked += 1
        if self.conduct.metadata == "silent": return
        at, lie = asked[b"piece"] * BLOCK, self.conduct.metadata != "honest"
        total = len(self.sample.info) + (5000 if self.conduct.metadata == "size" else 0)
        data = os.urandom(min(BLOCK, total - at)) if lie else self.sample.info[at:at + BLOCK]
        head = bencode({"msg_type": 1, "piece": asked[b"piece"], "total_size": total})
        sock.sendall(message(20, bytes([theirs]) + head + data))


class Leecher:
    """Connects to the client under test and asks. Raises OSError when it is refused, closed or too late."""

    def __init__(self, sample, number, seconds=15.0):
        self.sample = sample
        self.sock = socket.create_connection((CLIENT, PORT), seconds, source_address=(address(number), 0))
        self.sock.sendall(greeting(sample, number))
        if exactly(self.sock, 68)[28:48] != sample.hash: raise ConnectionError("another torrent")
        self.sock.sendall(message(2))
        self.choked = True

    def receive(self, deadline):
        """The next message as (kind, body); keep-alives are passed over."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0: raise TimeoutError
            self.sock.settimeout(left)
            length = struct.unpack(">I", exactly(self.sock, 4))[0]
            if length: break
        body = exactly(self.sock, length)
        if body[0] in (0, 1): self.choked = body[0] == 0
        return body[0], body[1:]

    def block(self, piece, begin=0, length=BLOCK, seconds=15.0):
        deadline = time.monotonic() + max(seconds, UNCHOKE)
        while self.choked: self.receive(deadline)
        deadline = time.monotonic() + seconds
        self.sock.settimeout(seconds)
        self.sock.sendall(message(6, struct.pack(">III", piece, begin, length)))
        while True:
            kind, body = self.receive(deadline)
            if kind == 7 and struct.unpack(">II", body[:8]) == (piece, begin): return body[8:]
            if kind == 16: raise ConnectionError("rejected")

    def close(self): self.sock.close()
