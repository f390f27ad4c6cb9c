"""The same work in Python: redis-py with hiredis's parser, checks as in the shipped pipeline, a dict as store.

python_peer.py --address unix:/path --stream S --count N --events N
"""

import argparse
import json
import resource
import time

import redis

REQUIRED = (b"device_session_id", b"user_id", b"client_public_key", b"status")
KNOWN = frozenset(REQUIRED + (b"revoked_at_ms",))


def decode(fields):
    """The session of an entry's fields; raises ValueError for a malformed one."""
    for name in fields:
        if name not in KNOWN:
            raise ValueError("unsupported field")
    for name in REQUIRED:
        if not fields[name].strip():
            raise ValueError("must not be empty")
    if fields[b"status"] not in (b"active", b"revoked"):
        raise ValueError("status")
    revoked_at = fields.get(b"revoked_at_ms")
    return fields[b"user_id"], fields[b"client_public_key"], fields[b"status"], int(revoked_at) if revoked_at else None


def peak_kib():
    """The most memory that was resident: not ru_maxrss, which a new program inherits from whoever started it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1:6379")
    parser.add_argument("--stream", default="sluice:bench")
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.monotonic()
    if options.address.startswith("unix:"):
        client = redis.Redis(unix_socket_path=options.address[5:])
    else:
        host, port = options.address.rsplit(":", 1)
        client = redis.Redis(host=host, port=int(port))
    store, last, seen, batches, revoked = {}, b"0-0", 0, 0, 0
    while seen < options.events:
        for _, entries in client.xread({options.stream: last}, count=options.count, block=5000):
            for last, fields in entries:
                try:
                    session = decode(fields)
                    store[fields[b"device_session_id"]] = session
                    revoked += session[2] == b"revoked"
                except (ValueError, KeyError):
                    store.pop(fields.get(b"device_session_id"), None)
            seen += len(entries)
            batches += 1
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "entries": seen,
                "batches": batches,
                "wall_s": wall,
                "cpu_user_s": after.ru_utime - before.ru_utime,
                "cpu_sys_s": after.ru_stime - before.ru_stime,
                "peak_kib": peak_kib(),
                "store": len(store),
            }
        )
    )


main()
