"""Memory: idle, with idle connections, and under announced lengths of 4 GiB (row P10; G12)."""
import os, socket, struct, time
from lab import CLIENT, PORT, Sample, until
from peers import greeting
from .silent import held

TITLE = "Memory"
WHAT = ("The client seeds 4 MiB. Idle: after 8 s. Then 2,000 peers, each with an address of its own, shake hands and say nothing more (measured after 20 s; some clients take only so many). "
        "In a new process 1,000 peers shake hands, announce a message of 4 GiB and send up to 1 MiB of it; the most during that, beyond idle.")
GOAL = "idle at most 20 MiB, 2,000 idle connections at most 60 MiB, 1,000 length bombs at most 64 MiB more"
COLUMNS = ["idle, MiB", "with idle connections, MiB", "held", "bombs, MiB more", "bombs that were read to their end"]


def connect(sample, at):
    source = f"45.19.{at // 200}.{1 + at % 200}"
    sock = socket.create_connection((CLIENT, PORT), 2, source_address=(source, 0))
    sock.sendall(greeting(sample, at))
    return sock


def started(bench, sample, folder):
    client = bench.client(folder)
    with open(os.path.join(client.out, sample.name), "wb") as file: file.write(sample.read(0, 0, sample.size))
    client.start(sample, seeding=True)
    if until(lambda: client.state().done, 60) is None: raise RuntimeError(f"does not seed: {client.state().text}")
    time.sleep(8)
    return client


def many(sample, count):
    socks = []
    for at in range(count):
        try: socks.append(connect(sample, at))
        except OSError: pass
    return socks


def alive(socks):
    """Those on which the client has neither sent an end nor a reset; what it said before is read first."""
    count = 0
    for sock in socks:
        sock.setblocking(False)
        try:
            while sock.recv(65536): pass
        except BlockingIOError: count += 1
        except OSError: pass
    return count


def bombs(client, sample):
    """The most MiB during the attack and how many bombs were taken whole."""
    most, whole, filler = client.rss(), 0, bytes(65536)
    socks = many(sample, 1000)
    open_ones = {sock: 0 for sock in socks}
    for sock in socks:
        sock.setblocking(False)
        try: sock.send(struct.pack(">IB", 0xFFFFFFFF, 7))
        except OSError: open_ones.pop(sock)
    limit = time.monotonic() + 30
    while open_ones and time.monotonic() < limit:
        for sock in list(open_ones):
            try: open_ones[sock] += sock.send(filler)
            except BlockingIOError: continue
            except OSError:
                open_ones.pop(sock)
                continue
            if open_ones[sock] >= 1 << 20:
                open_ones.pop(sock)
                whole += 1
        most = max(most, client.rss())
    time.sleep(1)
    most = max(most, client.rss())
    for sock in socks: sock.close()
    return most, whole


def measure(bench):
    sample = Sample(bench.lab.folder, "memory.bin", 4 << 20, 64 << 10, seed=500)
    client = started(bench, sample, "many")
    idle = client.rss()
    socks = many(sample, 2000)
    time.sleep(20)
    loaded, left = client.rss(), alive(socks)
    for sock in socks: sock.close()
    client.kill()
    client = started(bench, sample, "bombs")
    base = client.rss()
    most, whole = bombs(client, sample)
    row = (f"{idle:.1f}", f"{loaded:.1f}", f"{left} of 2000", f"{most - base:.1f}", f"{whole} of 1000")
    if not client.running(): row = row[:3] + (f"died: {client.process.returncode}", row[4])
    return dict(zip(COLUMNS, row))
