"""Silent connections eat the file descriptors (rows S16, P1; G10)."""
import os, socket, time
from lab import CLIENT, PORT, Sample, until
from peers import Leecher, address

TITLE = "256 descriptors and 400 silent connections"
WHAT = ("The client seeds 4 MiB with a limit of 256 open files. 400 connections from 40 addresses open and say nothing; then an honest peer asks for a block, trying again each second. "
        "CPU, held: share of one core, and how many of the 400 are still open, once the honest peer was served, at least after 20 s. Last: seconds for a second honest peer once all have gone.")
GOAL = "honest peer served within 12 s, CPU at most 5 %"
COLUMNS = ["honest peer served after, s", "CPU, %", "held", "served after they left, s"]


def serve(sample, number, seconds):
    """Seconds until a new honest peer has a right block."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        try:
            leecher = Leecher(sample, number, 5)
            try:
                if leecher.block(1, seconds=20) == sample.read(1, 0, 16384): return time.monotonic() - start
            finally: leecher.close()
        except OSError: time.sleep(1.0)
    return None


def held(silent):
    """How many the client has not closed."""
    count = 0
    for sock in silent:
        try:
            if sock.recv(1, socket.MSG_DONTWAIT): count += 1
        except BlockingIOError: count += 1
        except OSError: pass
    return count


def measure(bench):
    lab = bench.lab
    sample = Sample(lab.folder, "silent.bin", 4 << 20, 64 << 10, seed=400)
    client = bench.client()
    with open(os.path.join(client.out, sample.name), "wb") as file: file.write(sample.read(0, 0, sample.size))
    client.start(sample, seeding=True, nofile=256)
    if until(lambda: client.state().done, 60) is None: raise RuntimeError(f"does not seed: {client.state().text}")
    if serve(sample, 9, 60) is None: raise RuntimeError("serves nothing")
    start, before, silent = time.monotonic(), client.cpu(), []
    for at in range(400):
        try: silent.append(socket.create_connection((CLIENT, PORT), 2, source_address=(address(100 + at % 40), 0)))
        except OSError: pass
    took = serve(sample, 10, 60)
    time.sleep(max(0.0, start + 20 - time.monotonic()))
    share = (client.cpu() - before) / (time.monotonic() - start) * 100
    left = held(silent)
    for sock in silent: sock.close()
    after = serve(sample, 11, 60)
    show = lambda seconds: "not in 60" if seconds is None else f"{seconds:.1f}"
    return {COLUMNS[0]: show(took), COLUMNS[1]: f"{share:.1f}", COLUMNS[2]: f"{left} of {len(silent)}", COLUMNS[3]: show(after)}
