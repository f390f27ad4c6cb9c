"""A gateway that caches sessions: reads at the Redis door by redis-py, while the stream changes them.

Arguments: the port of the door, the Unix socket of the server with the stream. Prints "ok" at the end.
"""

import sys
import time

import redis
from redis.cache import CacheConfig

KEY = "sessions:ds-1"

door = redis.Redis(
    host="127.0.0.1", port=int(sys.argv[1]), protocol=3, decode_responses=True, cache_config=CacheConfig(max_size=1000)
)
# Without a cache.
plain = redis.Redis(host="127.0.0.1", port=int(sys.argv[1]), protocol=3, decode_responses=True)
server = redis.Redis(unix_socket_path=sys.argv[2])


def add(status, key="ds-1", user="alice"):
    server.xadd(
        "gateway:session_events",
        {"device_session_id": key, "user_id": user, "client_public_key": "k", "status": status},
    )


def eventually(what, condition):
    deadline = time.monotonic() + 180
    while True:
        try:
            if condition():
                return
        except redis.BusyLoadingError:
            pass
        except redis.ResponseError as error:
            if not str(error).startswith("STALE"):
                raise
        if time.monotonic() > deadline:
            sys.exit(f"in vain: {what}")
        time.sleep(0.005)


def fresh(read):
    """Returns what `read` does, once the store is not stale: on a busy machine it may be at any moment."""
    found = []
    eventually("a fresh answer", lambda: found.append(read()) or True)
    return found[-1]


def cached():
    """Reads three answers and returns how many the cache has: an invalidation may have dropped earlier ones."""
    assert door.hgetall(KEY)["status"] == "active"
    assert door.hmget(KEY, ["user_id", "nothing"]) == ["alice", None]
    assert door.sismember("sessions:active", "ds-1") == 1
    return door.get_cache().size


add("active")
eventually("the session appears", lambda: door.hgetall(KEY).get("status") == "active")
eventually("answers are cached", lambda: cached() >= 3)

# Nothing but an invalidation can change what is answered from the cache.
add("revoked")
eventually("the revocation arrives", lambda: door.hgetall(KEY)["status"] == "revoked")
eventually("the condition follows", lambda: door.sismember("sessions:active", "ds-1") == 0)
assert fresh(lambda: door.exists("sessions:none")) == 0
add("active", "none")
eventually("an absent session appears", lambda: door.hget("sessions:none", "status") == "active")

for number in range(200):
    add("active" if number % 2 else "revoked", user=f"user-{number}")
eventually("the last of many changes counts", lambda: door.hget(KEY, "user_id") == "user-199")
assert fresh(lambda: sorted(door.scan_iter(match="sessions:*", count=1))) == [KEY, "sessions:none"]

try:
    door.set(KEY, "x")
    sys.exit("a write was accepted")
except redis.exceptions.ReadOnlyError:
    pass

# The stream's server is gone: the worker cannot prove that its store is up to date.
assert fresh(lambda: door.hgetall(KEY))["status"] == "active"
try:
    server.shutdown(nosave=True)
except redis.ConnectionError:
    pass


def is_stale(client=door):
    try:
        client.hgetall(KEY)
    except redis.ResponseError as error:
        assert str(error).startswith("STALE"), error
        return True
    return False


eventually("the cache is dropped and reads are refused", is_stale)
# Not by the same client: redis-py 8.1 keeps a placeholder after an error, and waits for ever when it asks again.
for _ in range(100):
    assert is_stale(plain), "an old answer after the store was stale"
print("ok")
