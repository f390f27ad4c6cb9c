// The most a server can send: pulls a stream with XREAD and does the least that a reader must do, which is to find
// where each reply ends and the id of its last entry. The next XREAD is sent the moment that id is known.
//
//   server_limit --address unix:/path --stream S --count N --events N
#include "replies.h"

int main(int argc, char **argv) {
    const char *stream = option(argc, argv, "stream", "sluice:bench");
    long count = number(argc, argv, "count", 128), events = number(argc, argv, "events", 1000000);
    char id[64] = "0-0", command[1024];
    buffer = malloc(BUFFER);
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    uint64_t start = now_ns();
    fd = connect_to(option(argc, argv, "address", "127.0.0.1:6379"));
    long seen = 0, replies = 0;
    while (seen < events) {
        // As the product asks: blocking, so that the server does the same work.
        char digits[24];
        sprintf(digits, "%ld", count);
        char *to = command + sprintf(command, "*8\r\n");
        to = text(text(text(to, "XREAD"), "COUNT"), digits);
        to = text(text(text(text(to, "BLOCK"), "5000"), "STREAMS"), stream);
        to = text(to, id);
        send_all(fd, command, (size_t)(to - command));

        filled = 0;
        size_t at = 0;
        header(&at, '*');                          // one stream
        header(&at, '*');                          // its name and its entries
        at += (size_t)header(&at, '$') + 2;
        long entries = header(&at, '*');
        for (long e = 0; e < entries; e++) {
            header(&at, '*');
            size_t length = (size_t)header(&at, '$'), begin = at;
            at += length + 2;
            long parts = header(&at, '*');
            if (e == entries - 1) {
                memcpy(id, buffer + begin, length);
                id[length] = 0;
            }
            for (long p = 0; p < parts; p++) at += (size_t)header(&at, '$') + 2;
        }
        while (filled < at) more();
        seen += entries;
        replies++;
    }
    report(seen, replies, start, before);
    return 0;
}
