// The usual C loop: XREAD by hiredis, a tree of redisReply objects for each reply, a count of its entries.
//
//   plain_hiredis --address unix:/path --stream S --count N --events N [--latency FILE]
//
// With --latency, ids are taken for the send time in nanoseconds of the machine's monotonic clock, and now - id is
// written to the file for each entry, as 64-bit numbers in the machine's order.
#include "common.h"
#include <hiredis/hiredis.h>

int main(int argc, char **argv) {
    const char *address = option(argc, argv, "address", "127.0.0.1:6379");
    const char *stream = option(argc, argv, "stream", "sluice:bench");
    const char *latencies = option(argc, argv, "latency", NULL);
    long count = number(argc, argv, "count", 128), events = number(argc, argv, "events", 1000000);
    uint64_t *taken = latencies ? calloc((size_t)events + (size_t)count, sizeof *taken) : NULL;
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    uint64_t start = now_ns();
    redisContext *context;
    if (strncmp(address, "unix:", 5) == 0) {
        context = redisConnectUnix(address + 5);
    } else {
        char host[256] = "";
        const char *colon = strrchr(address, ':');
        if (!colon || (size_t)(colon - address) >= sizeof host) die("address");
        memcpy(host, address, (size_t)(colon - address));
        context = redisConnect(host, atoi(colon + 1));
    }
    if (!context || context->err) die("connect");
    char id[64] = "0-0";
    long seen = 0, replies = 0;
    while (seen < events) {
        redisReply *reply = redisCommand(context, "XREAD COUNT %ld BLOCK 5000 STREAMS %s %s", count, stream, id);
        if (!reply) die("XREAD");
        if (reply->type == REDIS_REPLY_NIL) {
            freeReplyObject(reply);
            continue;
        }
        if (reply->type != REDIS_REPLY_ARRAY) die(reply->str ? reply->str : "XREAD");
        redisReply *entries = reply->element[0]->element[1];
        for (size_t e = 0; e < entries->elements; e++) {
            redisReply *entry = entries->element[e];
            if (taken) taken[seen] = now_ns() - strtoull(entry->element[0]->str, NULL, 10);
            seen++;
            if (e + 1 == entries->elements) {
                if (entry->element[0]->len >= sizeof id) die("id");
                memcpy(id, entry->element[0]->str, entry->element[0]->len + 1);
            }
        }
        freeReplyObject(reply);
        replies++;
    }
    report(seen, replies, start, before);
    redisFree(context);
    if (taken) {
        FILE *file = fopen(latencies, "wb");
        if (!file || fwrite(taken, sizeof *taken, (size_t)seen, file) != (size_t)seen || fclose(file) != 0) die(latencies);
    }
    return 0;
}
