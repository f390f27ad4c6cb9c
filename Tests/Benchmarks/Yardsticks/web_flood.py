"""Floods a worker's HTTP side while it reads a stream: web_flood.py SLUICE PIPELINE [REQUESTS] [ENTRIES].

Look-ups by wrk, requests that make no sense, clients that drip their headers, followers that never read. What it holds
against: the worker lives, its memory is bounded, and it reads as fast as without.

First a stream of 50,000 entries a second, and so many requests as the machine can send: every entry has to be read as it
comes. Then drains as fast as the machine can, by what the server has sent. A machine that others share changes its
speed from second to second, by more than the flood costs, so the flood comes and goes within each drain, and each slice
with it is held against its two neighbours without. While it drains, the load tools have only the time that nobody else
wants (SCHED_IDLE): on a machine with few cores they would take the cores that the worker and its server need, and the
figures would tell of the machine. What the worker does for them is its own affair.
"""
import atexit, json, os, random, re, signal, socket, statistics, subprocess, sys, tempfile, threading, time

sluice, pipeline = sys.argv[1], sys.argv[2]
wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
entries = int(sys.argv[4]) if len(sys.argv) > 4 else 6_000_000
DRAINS = 12
SLICES = 11
# Parts of the stream: before the first slice, of a slice, and at a slice's start, while the flood comes or goes.
START, SLICE, SETTLE = 0.05, 0.08, 0.01
RATE = 50_000
TARGETS = ["/v1/stores/sessions/ds-7", "/metrics", "/readyz", "/v1/pipeline", "/", "/v1/explain/sessions/ds-1"]
folder = tempfile.mkdtemp(prefix="sluice-flood-")
STREAM = b"gateway:session_events"
rows = []  # Of the table that `make figures` reads from the file in SLUICE_FIGURES.

def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

class Producer:
    """Adds entries, a thousand at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.added = 0
        self.blocks = [b"".join(self.entry(index) for index in range(at, at + 1000)) for at in range(0, 100_000, 1000)]

    @staticmethod
    def entry(index):
        return command(
            b"XADD", STREAM, b"*", b"device_session_id", b"ds-%d" % index, b"user_id", b"u", b"client_public_key",
            b"MFkwEwYHKoZIzj0CAQYI", b"status", b"revoked" if index % 10 == 0 else b"active")

    def add(self):
        self.socket.sendall(self.blocks[self.added // 1000 % len(self.blocks)])
        answers = 0
        while answers < 1000:
            answer = self.socket.recv(1 << 16)
            if not answer:
                raise ConnectionError("redis-server has gone")
            answers += answer.count(b"$")
        self.added += 1000

    def flow(self, over):
        """Adds at `RATE` until told that it is over."""
        begun, before = time.monotonic(), self.added
        while not over.is_set():
            self.add()
            time.sleep(max(0, begun + (self.added - before) / RATE - time.monotonic()))

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

def stand_back(thread=0):
    os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))

class Worker:
    def __init__(self, redis):
        self.port = free_port()
        environment = dict(os.environ, REDIS_ADDRESS="unix:" + redis, SLUICE_LISTEN="127.0.0.1:%d" % self.port)
        self.process = subprocess.Popen(
            [sluice, "run", pipeline, "--set", "source.redis_stream.start=beginning", "--log-level", "error"],
            env=environment, stderr=open(folder + "/worker.log", "a"))
        atexit.register(self.process.kill)

    def ask(self, target):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target)
            answer = b""
            while piece := client.recv(1 << 16):
                answer += piece
            return answer

    def is_well(self, target):
        try:
            return b" 200 OK" in self.ask(target)
        except OSError:
            return False

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

def requests(report):
    """How many of wrk's requests were answered."""
    return int(re.search(r"(\d+) requests in", report).group(1))

class Flood:
    NONSENSE = [
        b"\0\1\2garbage\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"FOO /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n", b"GET /livez HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /v1/stores/sessions/%zz HTTP/1.1\r\n\r\n",
        b"GET /v1/tap?colour=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"GET /livez HTTP/1.1\r\nHos",
        b"GET /v1/revocations HTTP/1.1\r\nLast-Event-ID: \xff\r\n\r\n",
    ]

    def __init__(self, port, with_wrk):
        self.port, self.sent, self.slow, self.answered = port, 0, [], 0
        self.on, self.over = threading.Event(), False
        for each in (self.nonsense, self.drips):
            threading.Thread(target=each, daemon=True).start()
        self.wrk = self.idle_wrk() if with_wrk else None

    def idle_wrk(self):
        """Stands back only when it is connected: it would not get to that while the machine has its hands full."""
        wrk = subprocess.Popen(
            ["wrk", "-t1", "-c16", "-d100s", "http://127.0.0.1:%d/v1/stores/sessions/ds-7" % self.port],
            stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 10
        # Until it listens to SIGINT, behind which it tells its figures.
        while not int(re.search(r"SigCgt:\s+(\w+)", open("/proc/%d/status" % wrk.pid).read()).group(1), 16) & 2:
            assert time.monotonic() < deadline, "wrk does not begin"
            time.sleep(0.01)
        for thread in os.listdir("/proc/%d/task" % wrk.pid):
            stand_back(int(thread))
        return wrk

    def come(self):
        self.on.set()
        self.deaf()
        if self.wrk:
            self.wrk.send_signal(signal.SIGCONT)

    def go(self):
        self.on.clear()
        for client in self.slow:
            client.close()
        self.slow.clear()
        if self.wrk:
            self.wrk.send_signal(signal.SIGSTOP)

    def end(self):
        self.go()
        self.over = True
        self.on.set()
        if self.wrk:
            self.wrk.send_signal(signal.SIGINT)
            self.wrk.send_signal(signal.SIGCONT)
            self.answered += requests(self.wrk.communicate()[0])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def nonsense(self):
        stand_back()
        while not self.over:
            self.on.wait()
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
            if not self.on.wait(1):
                for client in clients:
                    client.close()
                clients.clear()
                continue
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
            time.sleep(0.2)

    def deaf(self):
        """Followers and exports whose answers are never read."""
        for target in [b"/v1/live", b"/v1/tap", b"/v1/revocations", b"/v1/export/sessions"] * 3:
            try:
                client = self.connect()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target)
                self.slow.append(client)
            except OSError:
                pass

def drain(server, size, begins_flooded):
    """Whether it was flooded and the events a second of each slice, in order."""
    server.forget()
    worker = Worker(redis_path)
    wait(worker, 0.002, lambda: worker.is_well(b"/livez"))
    flood, slices = Flood(worker.port, with_wrk=True), []
    wait(worker, 0.005, lambda: server.sent() > size * START)
    for number in range(SLICES):
        is_flooded = (number % 2 == 1) != begins_flooded
        (flood.come if is_flooded else flood.go)()
        begin = START + number * SLICE
        wait(worker, 0.005, lambda: server.sent() > size * (begin + SETTLE))
        first, begun = server.sent(), time.monotonic()
        wait(worker, 0.005, lambda: server.sent() > size * (begin + SLICE))
        slices.append((is_flooded, (server.sent() - first) / size * entries / (time.monotonic() - begun)))
    flood.end()
    wait(worker, 0.1, lambda: worker.read() >= entries)
    print("  look-ups answered %d, senseless requests %d, at most %.0f MiB; thousands of events/s, * in the flood: %s" % (
        flood.answered, flood.sent, worker.memory()[1],
        " ".join("%d%s" % (rate / 1000, "*" if it else "") for it, rate in slices)), flush=True)
    assert worker.end() == 0
    return slices

def changes(slices):
    """Each flooded slice that has two neighbours, held against their mean."""
    return [
        slices[at][1] / statistics.mean((slices[at - 1][1], slices[at + 1][1])) - 1
        for at in range(1, len(slices) - 1) if slices[at][0]]

def interval(values, draws=10_000):
    """The median with its 95% bootstrap interval."""
    drawn = sorted(statistics.median(random.choices(values, k=len(values))) for _ in range(draws))
    return statistics.median(values), drawn[draws // 40], drawn[-draws // 40]

def drains():
    """The drains, on a stream that is full."""
    server = Server(redis_path)
    server.forget()
    worker = Worker(redis_path)
    wait(worker, 0.1, lambda: worker.read() >= entries)
    size = server.sent()
    assert worker.end() == 0
    found = [drain(server, size, number % 2 == 1) for number in range(DRAINS)]
    for name, kind in (("alone", False), ("in the flood", True)):
        rates = [rate for slices in found for it, rate in slices if it == kind]
        print("%-12s median %d events/s of %d slices" % (name, statistics.median(rates), len(rates)))
    differences = [change for slices in found for change in changes(slices)]
    change = "%+.1f%%, 95%% interval [%+.1f%%, %+.1f%%]" % tuple(100 * part for part in interval(differences))
    print("a slice in the flood against its neighbours, median of %d: %s" % (len(differences), change), flush=True)
    rows.append(["change of the drain speed in the flood", change])

def flow(producer):
    """The requests, beside a stream that flows; returns when so many are done."""
    worker, over = Worker(redis_path), threading.Event()
    wait(worker, 0.1, lambda: worker.is_well(b"/readyz"))
    adding = threading.Thread(target=producer.flow, args=(over,), daemon=True)
    adding.start()
    flood, answered, begun = Flood(worker.port, with_wrk=False), 0, time.monotonic()
    flood.come()
    while answered + flood.sent < wanted:
        target = random.choice(TARGETS)
        added, read = producer.added, worker.read()
        answered += requests(subprocess.run(
            ["wrk", "-t1", "-c32", "-d10s", "http://127.0.0.1:%d%s" % (worker.port, target)],
            capture_output=True, text=True).stdout)
        print("%5.0f s  %9d answered  %7d senseless  RSS %.0f MiB  added %7d  read %7d  %s" % (
            time.monotonic() - begun, answered, flood.sent, worker.memory()[0], producer.added - added,
            worker.read() - read, target), flush=True)
    over.set()
    adding.join()
    flood.end()
    last = time.monotonic()
    wait(worker, 0.001, lambda: worker.read() >= producer.added or time.monotonic() > last + 30)
    assert worker.read() == producer.added, "%d of %d entries read" % (worker.read(), producer.added)
    behind = time.monotonic() - last
    print("the last of %d entries read within %.3f s" % (producer.added, behind))
    alive = worker.is_well(b"/livez")
    print("alive: %s; memory %.0f MiB, at most %.0f MiB" % (alive, *worker.memory()), flush=True)
    rows.extend([
        ["requests answered", "{:,}".format(answered)], ["malformed requests", "{:,}".format(flood.sent)],
        ["entries read next to them", "all of {:,}".format(producer.added)], ["last entry read after", "%.0f ms" % (1000 * behind)],
        ["peak MiB", "%.0f" % worker.memory()[1]]])
    assert alive and worker.end() == 0

redis_path = folder + "/redis"
redis = subprocess.Popen(
    ["redis-server", "--port", "0", "--unixsocket", redis_path, "--save", ""], stdout=subprocess.DEVNULL)
try:
    wait_for = time.monotonic() + 30
    while not os.path.exists(redis_path):
        assert time.monotonic() < wait_for, "redis-server does not start"
        time.sleep(0.05)
    producer = Producer(redis_path)
    flow(producer)
    Server(redis_path).ask(b"DEL", STREAM)
    producer.added = 0
    while producer.added < entries:
        producer.add()
    drains()
finally:
    redis.kill()
if "SLUICE_FIGURES" in os.environ:
    with open(os.environ["SLUICE_FIGURES"], "w", encoding="utf-8") as file:
        json.dump({"columns": ["", "result"], "rows": rows}, file)
