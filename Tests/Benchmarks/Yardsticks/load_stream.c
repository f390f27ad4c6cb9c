// Fills a stream with session events as fast as the server takes them: pipelined XADD with explicit ids.
//
//   load_stream --address unix:/path --stream S --events N --sessions N --revoked PERMILLE --malformed PERMILLE --first I
//
// Event i has the id (1700000000000 + i / 1000)-(i % 1000), from --first on, so that a stream can be filled in pieces.
#include "common.h"

// XADDs sent before their answers are read: enough to keep the server busy, few enough for both sides' buffers.
enum { PIPELINE = 512 };

int main(int argc, char **argv) {
    struct load load = {
        .stream = option(argc, argv, "stream", "sluice:bench"),
        .sessions = (uint64_t)number(argc, argv, "sessions", 200000),
        .revoked = (unsigned)number(argc, argv, "revoked", 100),
        .malformed = (unsigned)number(argc, argv, "malformed", 0),
    };
    uint64_t first = (uint64_t)number(argc, argv, "first", 0);
    uint64_t end = first + (uint64_t)number(argc, argv, "events", 1000000);
    if (strlen(load.stream) > 200 || load.sessions == 0) die("options");
    int fd = connect_to(option(argc, argv, "address", "127.0.0.1:6379"));
    char *buffer = malloc((size_t)PIPELINE * EVENT_MAX), answer[65536];
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    uint64_t start = now_ns();

    for (uint64_t i = first; i < end;) {
        char *to = buffer, id[48];
        int sent = 0;
        for (; sent < PIPELINE && i < end; sent++, i++) {
            sprintf(id, "%llu-%llu", 1700000000000ull + i / 1000, (unsigned long long)(i % 1000));
            to = xadd(to, &load, i, id);
        }
        send_all(fd, buffer, (size_t)(to - buffer));
        // An answer is "$15\r\n<id>\r\n": two line ends; an error starts with '-'.
        for (int lines = 0; lines < 2 * sent;) {
            ssize_t got = recv(fd, answer, sizeof answer, 0);
            if (got <= 0) die("recv");
            if (lines % 2 == 0 && answer[0] == '-') {
                fprintf(stderr, "%.*s", (int)got, answer);
                return 1;
            }
            for (ssize_t k = 0; k < got; k++) lines += answer[k] == '\n';
        }
    }
    report((long)(end - first), 0, start, before);
    return 0;
}
