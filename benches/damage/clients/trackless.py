"""trackless: `get --seed` or `seed`, state from its `--json` events."""
import subprocess
from lab import CLIENT, PORT
from . import Client, State


class Trackless(Client):
    name = "trackless"
    unfinished = ".part"

    def version(self): return subprocess.run([self.options.trackless, "--version"], capture_output=True, text=True).stdout.strip()

    def command(self):
        network = ["--json", "--bind", CLIENT, "--port", str(PORT), "--no-lsd", "--state-dir", self.home]
        network += ["--bootstrap", "45.18.0.1:9"] if self.dht else ["--no-dht"]
        if self.adopt: network.append("--force")
        if self.seeding: return [self.options.trackless, "seed", "--data", self.out] + network + [self.sample.torrent]
        return [self.options.trackless, "get", "--seed", "-o", self.out] + network + [self.sample.magnet if self.magnet else self.sample.torrent]

    def state(self):
        text = self.last_line(b'"type":"progress"').get("state", "?")
        if self.process.poll() is not None: text = f"exit {self.process.returncode}: {self.last_line().get('message', text)}"
        return State(text == "seeding", text)
