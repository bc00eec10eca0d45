"""A file changes while it is seeded (row S9; G7)."""
import os, random
from lab import Sample, until
from peers import Leecher

TITLE = "Damaged while seeding"
WHAT = ("A finished file of 32 MiB in pieces of 256 KiB is seeded. 50 times: 64 KiB of another piece are overwritten on disk, then a leecher asks for the "
        "first damaged block; half of the pieces had been uploaded before the damage. At the end an undamaged piece is asked for.")
GOAL = "0 wrong blocks sent, the rest still served"
COLUMNS = ["wrong blocks sent", "right blocks sent", "refused", "undamaged pieces still served", "state after"]
DAMAGES = 50


class Asker:
    """One leecher that comes again from the next address when the client has closed its connection."""

    def __init__(self, sample): self.sample, self.number, self.leecher = sample, 9, None

    def ask(self, piece):
        """`wrong`, `right`, or None when it was refused, closed or silent for 2 s."""
        try:
            if self.leecher is None:
                self.number += 1
                self.leecher = Leecher(self.sample, self.number, 5)
            return "right" if self.leecher.block(piece, seconds=2) == self.sample.read(piece, 0, 16384) else "wrong"
        except TimeoutError: return None
        except OSError:
            if self.leecher: self.leecher.close()
            self.leecher = None
            return None


def measure(bench):
    lab, noise = bench.lab, random.Random(5)
    sample = Sample(lab.folder, "damage.bin", 32 << 20, 256 << 10, seed=7)
    client = bench.client()
    path = os.path.join(client.out, sample.name)
    with open(path, "wb") as file, open(sample.content, "rb") as right: file.write(right.read())
    client.start(sample, seeding=True)
    if until(lambda: client.state().done, 60) is None: raise RuntimeError(f"does not seed: {client.state().text}")
    asker = Asker(sample)
    if until(lambda: asker.ask(sample.pieces - 1) == "right", 90, 0.5) is None: raise RuntimeError("serves nothing")
    pieces = noise.sample(range(sample.pieces - 2), DAMAGES)
    for piece in pieces[::2]: asker.ask(piece)
    found = {"wrong": 0, "right": 0, None: 0}
    for piece in pieces:
        with open(path, "r+b") as file:
            file.seek(piece * sample.piece)
            file.write(noise.randbytes(65536))
        found[asker.ask(piece)] += 1
        if client.state().text.startswith(("stopped", "error")): break  # it serves nothing any more
    others = [piece for piece in range(sample.pieces - 2) if piece not in pieces]
    rest = sum(asker.ask(piece) == "right" for piece in others[:8])
    return {COLUMNS[0]: found["wrong"], COLUMNS[1]: found["right"], COLUMNS[2]: found[None], COLUMNS[3]: f"{rest} of 8", COLUMNS[4]: client.state().text}
