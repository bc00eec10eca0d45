"""rqbit: `rqbit server start --fastresume`, its HTTP API."""
import json, subprocess, threading, time
from lab import API, CLIENT, PORT
from . import Client, State, call


class Rqbit(Client):
    name = "rqbit"

    def version(self): return subprocess.run([self.options.rqbit, "--version"], capture_output=True, text=True).stdout.strip()

    def command(self):
        flags = ["-v", "warn", "--http-api-listen-addr", f"{CLIENT}:{API}", "--disable-lsd", "--disable-upnp-port-forward",
                 "--listen-ip", CLIENT, "--listen-port", str(PORT)]
        if self.dht: flags += ["--dht-bootstrap-addrs", "45.18.0.1:9", "--disable-dht-persistence", "--experimental-enable-utp-listen"]
        else: flags.append("--disable-dht")
        return [self.options.rqbit] + flags + ["server", "start", "--fastresume", "--persistence-location", self.home, self.out]

    def api(self, path, body=None, seconds=5): return json.loads(call(f"http://{CLIENT}:{API}{path}", body, seconds=seconds))

    def begin(self):
        super().begin()
        for _ in range(200):
            try:
                known = self.api("/torrents")["torrents"]
                break
            except OSError: time.sleep(0.05)
        else: raise RuntimeError("its API does not answer")
        if known: return
        body = self.sample.magnet.encode() if self.magnet else open(self.sample.torrent, "rb").read()
        threading.Thread(target=self.add, args=(body,), daemon=True).start()

    def add(self, body):
        """For a magnet the answer comes when the metadata has come."""
        try: self.api("/torrents?overwrite=true", body, 300)
        except OSError as error: print("rqbit add:", error)

    def resume(self): call(f"http://{CLIENT}:{API}/torrents/0/start", b"")

    def state(self):
        if not self.running(): return State(False, f"exit {self.process.returncode}")
        try: stats = self.api("/torrents/0/stats/v1")
        except (OSError, ValueError): return State()
        return State(stats["finished"], stats["state"] + (f" ({str(stats['error'])[-100:]})" if stats.get("error") else ""))
