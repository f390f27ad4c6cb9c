"""Floods a worker's HTTP side while it drains a stream: web_flood.py SLUICE PIPELINE [REQUESTS] [ENTRIES].

Look-ups by wrk, requests that make no sense, clients that drip their headers, followers that never read. What it holds
against: the worker lives, its memory is bounded, and it drains as fast as without, by what its server has sent. While it
drains, the load tools have only the time that nobody else wants (SCHED_IDLE): on a machine with few cores they would take
the cores that the worker and its server need, and the figures would tell of the machine. What the worker does for them is
its own affair.
"""
import os, random, re, signal, socket, statistics, subprocess, sys, tempfile, threading, time

sluice, pipeline = sys.argv[1], sys.argv[2]
wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
entries = int(sys.argv[4]) if len(sys.argv) > 4 else 3_000_000
ROUNDS = 11
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

class Server:
    """Asks the server how many bytes it has sent: that does not wait for the worker to answer."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def ask(self, *words):
        self.socket.sendall(command(*words))
        return self.socket.recv(1 << 16)

    def forget(self):
        self.ask(b"CONFIG", b"RESETSTAT")

    def sent(self):
        return int(re.search(rb"total_net_output_bytes:(\d+)", self.ask(b"INFO", b"stats")).group(1))

def wait(worker, nap, is_over):
    while not is_over():
        if worker.process.poll() is not None:
            sys.exit("the worker has died: " + open(folder + "/worker.log").read()[-2000:])
        time.sleep(nap)

def stand_back():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

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
        stand_back()
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
        stand_back()
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

def drain(server, size, is_flooded):
    """Events a second from a quarter of the stream on, and the most memory in MiB."""
    server.forget()
    worker = Worker(redis_path)
    wait(worker, 0.02, lambda: server.sent() > size * 0.05)
    if is_flooded:
        flood = Flood(worker.port)
        wrk = subprocess.Popen(
            ["wrk", "-t1", "-c16", "-d100s", "http://127.0.0.1:%d/v1/stores/sessions/ds-7" % worker.port],
            stdout=subprocess.PIPE, text=True, preexec_fn=stand_back)
    wait(worker, 0.02, lambda: server.sent() > size * 0.25)
    first, begun = server.sent(), time.monotonic()
    wait(worker, 0.02, lambda: server.sent() > size * 0.95)
    rate = (server.sent() - first) / size * entries / (time.monotonic() - begun)
    if is_flooded:
        wrk.send_signal(signal.SIGINT)
        answered = int(re.search(r"(\d+) requests in", wrk.communicate()[0]).group(1))
        print("  in the flood: %d look-ups answered, %d senseless requests" % (answered, flood.sent), flush=True)
        flood.over = True
    wait(worker, 0.1, lambda: worker.read() >= entries)
    memory = worker.memory()[1]
    assert worker.end() == 0
    return rate, memory

def tell(name, drains):
    rates = sorted(rate for rate, _ in drains)
    print("drained %-9s median %7d events/s (%s), at most %.0f MiB" % (
        name, statistics.median(rates), ", ".join("%d" % rate for rate in rates), max(memory for _, memory in drains)))
    return statistics.median(rates)

redis_path = folder + "/redis"
redis = subprocess.Popen(
    ["redis-server", "--port", "0", "--unixsocket", redis_path, "--save", ""], stdout=subprocess.DEVNULL)
try:
    while not os.path.exists(redis_path):
        time.sleep(0.05)
    load(redis_path)
    server = Server(redis_path)
    server.forget()
    worker = Worker(redis_path)
    wait(worker, 0.1, lambda: worker.read() >= entries)
    size = server.sent()
    assert worker.end() == 0
    drains = {True: [], False: []}
    for number in range(ROUNDS * 2):
        drains[number % 2 == 1].append(drain(server, size, number % 2 == 1))
    change = tell("in flood:", drains[True]) / tell("alone:", drains[False]) - 1
    print("change of the medians: %+.1f%%" % (change * 100))
    worker = Worker(redis_path)
    wait(worker, 0.1, lambda: worker.read() >= entries)
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
    print("alive: %s; memory %.0f MiB, at most %.0f MiB" % (alive, *worker.memory()))
    assert alive and worker.end() == 0
finally:
    redis.kill()
