"""Start with much data recorded, after kill -9 (G4)."""
import os, time
from lab import Sample, until
from peers import Conduct, Peer

TITLE = "Restart with much recorded"
WHAT = ("A file of `--gib` GiB, all of it on disk, in pieces of 4 MiB of which the last is wrong, under the name that the client gives to unfinished files: it checks it once and asks the seeder for that piece, which never comes. 70 s later, so that all that is "
        "saved each minute is saved, kill -9, and again. Seconds from the second start to the first request; CPU until then.")
GOAL = "at most 3 s with 10 GiB"
COLUMNS = ["GiB", "first check, s", "restart to first request, s", "CPU until then, s", "asked for"]


def content(folder, gib):
    """Random once, repeated with a number: not sparse, not compressible away, quick to make."""
    path, noise = os.path.join(folder, "much.right"), os.urandom(4 << 20)
    with open(path, "wb") as file:
        for at in range(gib << 8): file.write(at.to_bytes(8, "big") + noise[8:])
    return path


def measure(bench):
    lab, gib = bench.lab, bench.options.gib
    if not hasattr(lab, "much"): lab.much = Sample(lab.folder, "much.bin", gib << 30, 4 << 20, content=content(lab.folder, gib))
    sample, last = lab.much, lab.much.pieces - 1
    peer = bench.peer(Peer(lab, sample, 1, Conduct(withhold=frozenset(range(sample.pieces)))))
    client = bench.client()
    path = os.path.join(client.out, sample.name + client.unfinished)
    os.link(sample.content, path)
    with open(path, "r+b") as file:
        file.seek(last * sample.piece)
        file.write(b"wrong")
    try:
        start = time.monotonic()
        client.start(sample, adopt=True)
        first = until(lambda: peer.asked, 300)
        if first is None: return {COLUMNS[0]: gib, COLUMNS[1]: f"never asked: {client.state().text}"}
        time.sleep(70)
        client.kill()
        before = len(peer.asked)
        client.restart()
        second, cpu = until(lambda: len(peer.asked) > before, 300, 0.01), client.cpu()
        pieces = {piece for _, piece, _ in peer.asked[before:]}
        row = (gib, f"{first:.1f}", "never" if second is None else f"{second:.1f}", f"{cpu:.1f}", "the last piece" if pieces == {last} else f"{len(pieces)} pieces")
        return dict(zip(COLUMNS, row))
    finally:
        client.kill()
        with open(path, "r+b") as file:
            file.seek(last * sample.piece)
            file.write(last.to_bytes(8, "big"))
        os.unlink(path)
