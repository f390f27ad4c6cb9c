// The most a server can give the workers of a group: one of them, which pulls what nobody has with XREADGROUP, does the
// least that a worker must do, which is to find the id of each entry, and confirms them with XACK. The next XREADGROUP and
// the XACK leave in one write.
//
//   group_limit --address unix:/path --stream S --group G --consumer C --count N
//
// Prints "ready" when it waits for entries and ends at the first read that finds none after one that found some.
#include "replies.h"

// Room for an XACK of all entries of a reply.
enum { COMMAND = 4 << 20 };

int main(int argc, char **argv) {
    const char *stream = option(argc, argv, "stream", "sluice:bench");
    const char *group = option(argc, argv, "group", "bench"), *consumer = option(argc, argv, "consumer", "c");
    long count = number(argc, argv, "count", 128);
    char digits[24], read[1024];
    char *command = malloc(COMMAND);
    buffer = malloc(BUFFER);
    if (count > 10000) die("--count above 10000");
    sprintf(digits, "%ld", count);
    char *to = read + sprintf(read, "*11\r\n");
    to = text(text(text(text(to, "XREADGROUP"), "GROUP"), group), consumer);
    to = text(text(text(text(to, "COUNT"), digits), "BLOCK"), "20");
    to = text(text(text(to, "STREAMS"), stream), ">");
    size_t length = (size_t)(to - read);
    fd = connect_to(option(argc, argv, "address", "127.0.0.1:6379"));
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    uint64_t start = now_ns();
    long seen = 0, replies = 0;
    int acknowledged = 0;  // whether an XACK's answer comes before the next reply
    send_all(fd, read, length);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        filled = 0;
        size_t at = 0;
        if (acknowledged) header(&at, ':');
        if (header(&at, '*') < 0) {  // nothing within the block
            if (seen > 0) break;
            acknowledged = 0;
            start = now_ns();
            send_all(fd, read, length);
            continue;
        }
        header(&at, '*');
        at += (size_t)header(&at, '$') + 2;
        long entries = header(&at, '*');
        char *end = command + sprintf(command, "*%ld\r\n", entries + 3);
        end = text(text(text(end, "XACK"), stream), group);
        for (long e = 0; e < entries; e++) {
            header(&at, '*');
            size_t id = (size_t)header(&at, '$');
            while (filled < at + id) more();
            end += sprintf(end, "$%zu\r\n", id);
            memcpy(end, buffer + at, id);
            end += id;
            *end++ = '\r';
            *end++ = '\n';
            at += id + 2;
            long parts = header(&at, '*');
            for (long p = 0; p < parts; p++) at += (size_t)header(&at, '$') + 2;
        }
        while (filled < at) more();
        seen += entries;
        replies++;
        memcpy(end, read, length);
        send_all(fd, command, (size_t)(end - command) + length);
        acknowledged = 1;
    }
    report(seen, replies, start, before);
    return 0;
}
