"""A flood of DHT queries from one address, and what single packets get back (A3; G11)."""
import os, select, socket, threading, time
from lab import CLIENT, PORT, Sample, bdecode, bencode, until
from peers import address

TITLE = "DHT flood and reflection"
WHAT = ("The client seeds with the DHT on. 3,000 `ping`s a second for 5 s from one address; meanwhile five other addresses ask 2 a second each. Single: bytes back over bytes sent for one "
        "`find_node` of a newcomer. uTP: the same for one SYN of 20 bytes that is never acknowledged, within 20 s.")
GOAL = "bytes out at most 5 % of bytes in, others answered at least 95 %, single at most 4, uTP at most 1"
COLUMNS = ["flood: out / in, %", "others answered, %", "single, ratio", "uTP SYN, ratio"]


def query(name, number, **more):
    return bencode({"t": number.to_bytes(2, "big"), "y": "q", "q": name, "a": dict({"id": b"%020d" % number}, **more)})


def ends(ip):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((ip, 0))
    return sock


def received(sock, seconds):
    """Bytes that arrive in this time."""
    total, limit = 0, time.monotonic() + seconds
    while (left := limit - time.monotonic()) > 0:
        sock.settimeout(left)
        try: total += len(sock.recv(4096))
        except OSError: break
    return total


def flood(ip, port, rate, seconds):
    sock, sent, back, packet = ends(ip), 0, 0, query("ping", 7)
    sock.setblocking(False)
    start, count = time.monotonic(), 0
    while (now := time.monotonic() - start) < seconds + 2:
        while now < seconds and count < now * rate:
            try: sent += sock.sendto(packet, (CLIENT, port))
            except BlockingIOError: break
            count += 1
        try:
            while True: back += len(sock.recv(4096))
        except BlockingIOError: time.sleep(0.002)
    return sent, back


def others(port, seconds):
    """Five addresses ask twice a second each: how many queries, and how many were answered."""
    socks, number, found, start = [ends(address(83 + at)) for at in range(5)], 0, set(), time.monotonic()
    while True:
        late = time.monotonic() - start > seconds
        for sock in socks if not late else ():
            number += 1
            sock.sendto(query("ping", number), (CLIENT, port))
        limit = time.monotonic() + 0.5
        while (left := limit - time.monotonic()) > 0:
            for sock in select.select(socks, [], [], left)[0]:
                answer = bdecode(sock.recv(4096))[0]
                if answer.get(b"y") == b"r": found.add(answer[b"t"])
        if late: return number, len(found)


def measure(bench):
    sample = Sample(bench.lab.folder, "flood.bin", 1 << 20, 64 << 10, seed=700)
    client = bench.client()
    with open(os.path.join(client.out, sample.name), "wb") as file: file.write(sample.read(0, 0, sample.size))
    client.start(sample, seeding=True, dht=True)
    until(lambda: client.state().done, 60)
    probe, found = ends(address(80)), []

    def answers():
        """The port that answers a ping: not every client has its DHT on the port of its peers."""
        for port in client.udp_ports():
            probe.sendto(query("ping", 3), (CLIENT, port))
            probe.settimeout(0.3)
            try:
                while True:
                    answer, (_, port) = probe.recvfrom(4096)
                    if b"1:y1:r" in answer: return found.append(port) or True
            except OSError: pass
        return False
    if until(answers, 40, 0.5) is None: return {COLUMNS[0]: "its DHT does not answer"}
    port = found[0]
    packet = query("find_node", 9, target=b"x" * 20)
    single = ends(address(81))
    single.sendto(packet, (CLIENT, port))
    ratio = received(single, 3) / len(packet)
    utp = ends(address(82))
    utp.sendto(bytes.fromhex("4100 1234 00000001 00000000 00100000 0001 0000".replace(" ", "")), (CLIENT, PORT))
    reflected = received(utp, 20) / 20
    answered = []
    honest = threading.Thread(target=lambda: answered.extend(others(port, 5)))
    honest.start()
    sent, back = flood(address(90), port, 3000, 5)
    honest.join()
    return {COLUMNS[0]: f"{100 * back / sent:.1f}", COLUMNS[1]: f"{100 * answered[1] / answered[0]:.0f}", COLUMNS[2]: f"{ratio:.1f}", COLUMNS[3]: f"{reflected:.1f}"}
