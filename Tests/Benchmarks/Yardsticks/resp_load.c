// Loads a server that speaks the Redis protocol: each connection always has a batch of commands in flight.
//
//   resp_load --address unix:/path --keys FILE --prefix P --command HGETALL|HMGET --connections N --batch N --seconds N
//
// The file has one key per line. hiredis parses the replies without making objects of them. Writes one line of JSON; the
// bytes of the replies are in it, because two servers can be compared only if they send the same.
#include "common.h"
#include <hiredis/hiredis.h>

// A server that takes longer for a batch is not measured but reported.
enum { PATIENCE_SECONDS = 30 };
// More keys than that do not make the load more random.
enum { MAX_KEYS = 1 << 20 };

struct connection {
    int fd;
    redisReader *reader;
};

struct batch {
    char *bytes;
    size_t count;
};

static uint64_t received;

static struct connection open_connection(const char *address) {
    struct connection connection = {connect_to(address), redisReaderCreateWithFunctions(NULL)};
    if (!connection.reader) die("no memory");
    struct timeval patience = {PATIENCE_SECONDS, 0};
    setsockopt(connection.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return connection;
}

// Waits for the replies to a batch; every one must be a list.
static void receive(struct connection *connection, long count) {
    static char buffer[1 << 16];
    for (;;) {
        while (count > 0) {
            void *type = NULL;
            if (redisReaderGetReply(connection->reader, &type) != REDIS_OK) die("malformed reply");
            if (!type) break;
            // Without functions, hiredis returns the type of a reply in place of an object.
            if ((uintptr_t)type != REDIS_REPLY_ARRAY) die("a reply is not a list of values");
            count--;
        }
        if (count == 0) return;
        ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) die("recv");
        received += (uint64_t)got;
        if (redisReaderFeed(connection->reader, buffer, (size_t)got) != REDIS_OK) die("no memory");
    }
}

static char **read_keys(const char *path, size_t *count) {
    FILE *file = fopen(path, "r");
    char **keys = calloc(MAX_KEYS, sizeof *keys), line[4096];
    if (!file || !keys) die(path);
    for (*count = 0; *count < MAX_KEYS && fgets(line, sizeof line, file);) {
        line[strcspn(line, "\n")] = 0;
        if (!(keys[(*count)++] = strdup(line))) die("no memory");
    }
    fclose(file);
    return keys;
}

static struct batch encode(char **keys, long count, const char *prefix, int is_hmget) {
    size_t room = 0, prefix_length = strlen(prefix);
    for (long index = 0; index < count; index++) room += prefix_length + strlen(keys[index]) + 128;
    char *bytes = malloc(room), *key = malloc(room), *end = bytes;
    if (!bytes || !key) die("no memory");
    for (long index = 0; index < count; index++) {
        int length = sprintf(key, "%s%s", prefix, keys[index]);
        end += sprintf(end, is_hmget ? "*4\r\n" : "*2\r\n");
        end = bulk(text(end, is_hmget ? "HMGET" : "HGETALL"), key, (size_t)length);
        if (is_hmget) end = text(text(end, "status"), "user_id");
    }
    free(key);
    return (struct batch){bytes, (size_t)(end - bytes)};
}

int main(int argc, char **argv) {
    const char *address = option(argc, argv, "address", "127.0.0.1:6379");
    const char *prefix = option(argc, argv, "prefix", "");
    int is_hmget = strcmp(option(argc, argv, "command", "HGETALL"), "HMGET") == 0;
    long connections = number(argc, argv, "connections", 16), size = number(argc, argv, "batch", 1);
    long duration = number(argc, argv, "seconds", 5);
    size_t keys_count;
    char **keys = read_keys(option(argc, argv, "keys", ""), &keys_count);
    if (connections < 1 || size < 1 || keys_count < (size_t)size) die("options");
    size_t batches_count = keys_count / (size_t)size, next = 0;
    struct batch *batches = calloc(batches_count, sizeof *batches);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    if (!batches || !all) die("no memory");
    for (size_t index = 0; index < batches_count; index++)
        batches[index] = encode(keys + index * (size_t)size, size, prefix, is_hmget);
    for (long index = 0; index < connections; index++) all[index] = open_connection(address);

    uint64_t start = now_ns(), end = start + (uint64_t)duration * 1000000000ull;
    long commands = 0;
    for (long index = 0; index < connections; index++) {
        send_all(all[index].fd, batches[next].bytes, batches[next].count);
        next = (next + 1) % batches_count;
    }
    while (now_ns() < end)
        for (long index = 0; index < connections; index++) {
            receive(&all[index], size);
            commands += size;
            send_all(all[index].fd, batches[next].bytes, batches[next].count);
            next = (next + 1) % batches_count;
        }
    for (long index = 0; index < connections; index++) {
        receive(&all[index], size);
        commands += size;
    }
    printf("{\"commands\":%ld,\"seconds\":%.6f,\"bytes\":%llu}\n", commands, (double)(now_ns() - start) / 1e9,
           (unsigned long long)received);
    return 0;
}
