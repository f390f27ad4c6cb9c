"""Floods a worker's HTTP side while it drains a stream: web_flood.py SLUICE PIPELINE [REQUESTS] [ENTRIES].

Look-ups by wrk, requests that make no sense, clients that drip their headers, followers that never read. What it holds
against: the worker lives, its memory is bounded, and it drains as fast as without. While it drains, the load tools have
the lowest priority: on a machine with few cores they would take the cores that the worker and its server need, and the
figures would tell of the machine. What the worker does for them has its own priority.
"""
import os, random, re, socket, subprocess, sys, tempfile, threading, time

sluice, pipeline = sys.argv[1], sys.argv[2]
wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
entries = int(sys.argv[4]) if len(sys.argv) > 4 else 1_000_000
folder = tempfile.mkdtemp(prefix="sluice-flood-")
STREAM = b"gateway:session_events"

def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

def load(path):
    with socket.socket(socket.AF_UNIX) as redis:
        redis.connect(path)
        for start in range(0, entries, 1000):
            block = []
            for index in range(start, min(start + 1000, entries)):
                status = b"revoked" if index % 10 == 0 else b"active"
                block.append(command(
                    b"XADD", STREAM, b"*", b"device_session_id", b"ds-%d" % (index % 100_000), b"user_id", b"u",
                    b"client_public_key", b"MFkwEwYHKoZIzj0CAQYI", b"status", status))
            redis.sendall(b"".join(block))
            answers = 0
            while answers < len(block):
                answers += redis.recv(1 << 16).count(b"$")

class Worker:
    def __init__(self, redis):
        self.port = free_port()
        environment = dict(os.environ, REDIS_ADDRESS="unix:" + redis, SLUICE_LISTEN="127.0.0.1:%d" % self.port)
        self.process = subprocess.Popen(
            [sluice, "run", pipeline, "--set", "source.redis_stream.start=beginning", "--log-level", "error"],
            env=environment, stderr=open(folder + "/worker.log", "a"))

    def ask(self, target):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target)
            answer = b""
            while piece := client.recv(1 << 16):
                answer += piece
            return answer

    def read(self):
        try:
            found = re.search(rb"sluice_events_read_total (\d+)", self.ask(b"/metrics"))
            return int(found.group(1)) if found else 0
        except OSError:
            return 0

    def memory(self):
        status = open("/proc/%d/status" % self.process.pid).read()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024, int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024

    def drain(self):
        """Seconds from the first entry seen to the last."""
        while self.read() == 0:
            time.sleep(0.005)
        first, begun = self.read(), time.monotonic()
        while (count := self.read()) < entries:
            if self.process.poll() is not None:
                sys.exit("the worker has died: " + open(folder + "/worker.log").read()[-2000:])
            time.sleep(0.02)
        return (entries - first) / max(1e-3, time.monotonic() - begun)

    def end(self):
        self.process.terminate()
        return self.process.wait(30)

class Flood:
    NONSENSE = [
        b"\0\1\2garbage\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"FOO /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n", b"GET /livez HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /v1/stores/sessions/%zz HTTP/1.1\r\n\r\n",
        b"GET /v1/tap?colour=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"GET /livez HTTP/1.1\r\nHos",
        b"GET /v1/revocations HTTP/1.1\r\nLast-Event-ID: \xff\r\n\r\n",
    ]

    def __init__(self, port):
        self.port, self.sent, self.over, self.slow = port, 0, False, []
        self.threads = [threading.Thread(target=each, daemon=True) for each in (self.nonsense, self.drips, self.deaf)]
        for thread in self.threads:
            thread.start()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def nonsense(self):
        os.nice(19)
        while not self.over:
            try:
                with self.connect() as client:
                    client.sendall(random.choice(self.NONSENSE))
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1 << 16)
            except OSError:
                pass
            self.sent += 1

    def drips(self):
        """Clients that send a header a byte at a time."""
        os.nice(19)
        clients = []
        while not self.over:
            while len(clients) < 20:
                try:
                    clients.append(self.connect())
                except OSError:
                    break
            for client in list(clients):
                try:
                    client.send(b"G")
                except OSError:
                    clients.remove(client)
            time.sleep(1)

    def deaf(self):
        """Followers and exports whose answers are never read."""
        for target in [b"/v1/live", b"/v1/tap", b"/v1/revocations", b"/v1/stores/sessions"] * 3:
            try:
                client = self.connect()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target)
                self.slow.append(client)
            except OSError:
                pass

redis_path = folder + "/redis"
redis = subprocess.Popen(
    ["redis-server", "--port", "0", "--unixsocket", redis_path, "--save", ""], stdout=subprocess.DEVNULL)
try:
    while not os.path.exists(redis_path):
        time.sleep(0.05)
    load(redis_path)
    alone, flooded = [], []
    for _ in range(5):
        worker = Worker(redis_path)
        alone.append(worker.drain())
        quiet_memory = worker.memory()[1]
        assert worker.end() == 0
        worker = Worker(redis_path)
        while worker.read() == 0:
            time.sleep(0.005)
        flood = Flood(worker.port)
        wrk = subprocess.Popen(
            ["nice", "-n", "19", "wrk", "-t1", "-c16", "-d5s", "http://127.0.0.1:%d/v1/stores/sessions/ds-7" % worker.port],
            stdout=subprocess.DEVNULL)
        flooded.append(worker.drain())
        wrk.wait()
        flood.over = True
        assert worker.end() == 0
    print("drained alone:    %s events/s" % ", ".join("%d" % rate for rate in sorted(alone)))
    print("drained in flood: %s events/s" % ", ".join("%d" % rate for rate in sorted(flooded)))
    worker = Worker(redis_path)
    worker.drain()
    flood, answered, begun = Flood(worker.port), 0, time.monotonic()
    while answered + flood.sent < wanted:
        target = random.choice(["/v1/stores/sessions/ds-7", "/metrics", "/readyz", "/v1/pipeline", "/", "/v1/explain/sessions/ds-1"])
        told = subprocess.run(
            ["wrk", "-t1", "-c32", "-d10s", "http://127.0.0.1:%d%s" % (worker.port, target)], capture_output=True, text=True).stdout
        answered += int(re.search(r"(\d+) requests in", told).group(1))
        print("%5.0f s  %9d answered  %7d senseless  RSS %.0f MiB" % (
            time.monotonic() - begun, answered, flood.sent, worker.memory()[0]), flush=True)
    flood.over = True
    alive = b" 200 OK" in worker.ask(b"/livez")
    print("alive: %s; memory %.0f MiB, at most %.0f MiB, without a flood %.0f MiB" % (alive, *worker.memory(), quiet_memory))
    assert alive and worker.end() == 0
finally:
    redis.kill()
