"""aria2: `aria2c` with the torrent on its command line, state by JSON-RPC."""
import json, os, subprocess
from lab import API, CLIENT, PORT
from . import Client, State, call


class Aria2(Client):
    name = "aria2"

    def version(self): return subprocess.run([self.options.aria2, "--version"], capture_output=True, text=True).stdout.split("\n")[0]

    def command(self):
        flags = [f"--listen-port={PORT}", "--enable-rpc", "--rpc-listen-all", f"--rpc-listen-port={API}", "--enable-dht6=false",
                 "--bt-enable-lpd=false", "--file-allocation=none", "--seed-ratio=0", "--quiet", "-c", "--disable-ipv6", "-d", self.out]
        flags += ["--enable-dht=true", f"--dht-listen-port={PORT}"] if self.dht else ["--enable-dht=false"]
        if self.seeding or self.adopt: flags += ["--check-integrity=true", "--allow-overwrite=true"]
        return [self.options.aria2] + flags + [self.sample.magnet if self.magnet else self.sample.torrent]

    def resume(self):
        """Again, with what there is checked. (After a full disk that is in vain: its control file is empty and it insists on it.)"""
        self.stop()
        self.adopt = True
        self.begin()

    def state(self):
        if not self.running(): return State(False, f"exit {self.process.returncode}")
        try:
            keys = ["status", "completedLength", "totalLength", "errorMessage", "followedBy", "seeder"]
            parts = []
            for method, rest in (("tellActive", []), ("tellWaiting", [0, 10]), ("tellStopped", [0, 10])):
                body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "aria2." + method, "params": rest + [keys]}).encode()
                parts += json.loads(call(f"http://{CLIENT}:{API}/jsonrpc", body))["result"]
        except (OSError, ValueError): return State()
        parts = [part for part in parts if "followedBy" not in part]
        if not parts: return State()
        part = parts[0]
        whole = part["totalLength"] not in ("0", None) and int(part["totalLength"]) == self.sample.size
        text = part["status"] + (f" ({part['errorMessage'][:80]})" if part.get("errorMessage") else "")
        return State(whole and part["completedLength"] == part["totalLength"] and part["status"] != "error", text)
