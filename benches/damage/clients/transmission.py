"""Transmission: `transmission-daemon` in the foreground, its RPC."""
import json, os, subprocess, time, urllib.error
from lab import API, CLIENT, PORT
from . import Client, State, call


class Transmission(Client):
    name = "transmission"
    unfinished = ".part"
    session = "none"

    def version(self):
        return subprocess.run([self.options.transmission, "--version"], capture_output=True, text=True).stderr.strip()

    def command(self):
        settings = {"utp-enabled": self.dht, "dht-enabled": self.dht, "lpd-enabled": False, "pex-enabled": True, "encryption": 0,
                    "port-forwarding-enabled": False, "rpc-whitelist-enabled": False, "rpc-host-whitelist-enabled": False,
                    "rpc-bind-address": CLIENT, "bind-address-ipv4": CLIENT, "peer-port": PORT, "rpc-port": API,
                    "incomplete-dir-enabled": False, "download-dir": self.out}
        if not os.path.exists(f"{self.home}/settings.json"):
            with open(f"{self.home}/settings.json", "w") as file: json.dump(settings, file)
        return [self.options.transmission, "-f", "-g", self.home]

    def rpc(self, method, **arguments):
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        for _ in range(2):
            try:
                answer = call(f"http://{CLIENT}:{API}/transmission/rpc", body, {"X-Transmission-Session-Id": self.session})
                return json.loads(answer)["arguments"]
            except urllib.error.HTTPError as error:
                if error.code != 409: raise
                self.session = error.headers["X-Transmission-Session-Id"]
        raise OSError("no session")

    def torrents(self):
        fields = ["id", "status", "percentDone", "error", "errorString", "metadataPercentComplete", "recheckProgress"]
        return self.rpc("torrent-get", fields=fields)["torrents"]

    def begin(self):
        super().begin()
        for _ in range(200):
            try:
                known = self.torrents()
                break
            except OSError: time.sleep(0.05)
        else: raise RuntimeError("its RPC does not answer")
        if known: return
        self.rpc("torrent-add", filename=self.sample.magnet if self.magnet else self.sample.torrent, **{"download-dir": self.out})
        if self.seeding:
            self.rpc("torrent-verify", ids=[self.torrents()[0]["id"]])

    def resume(self): self.rpc("torrent-start", ids=[it["id"] for it in self.torrents()])

    def state(self):
        if not self.running(): return State(False, f"exit {self.process.returncode}")
        try: known = self.torrents()
        except (OSError, ValueError): return State()
        if not known: return State()
        status = ["stopped", "to check", "checking", "to download", "downloading", "to seed", "seeding"][known[0]["status"]]
        text = status + (f" ({known[0]['errorString'][:80]})" if known[0]["error"] else "")
        return State(known[0]["percentDone"] == 1 and known[0]["metadataPercentComplete"] == 1 and status in ("seeding", "stopped"), text)
