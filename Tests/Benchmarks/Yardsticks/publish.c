// Publishes session events at a steady rate. An event's id is its send time in nanoseconds of the machine's monotonic
// clock, so that whoever gets it knows how long it took.
//
//   publish --address unix:/path --stream S --rate N --events N --sessions N
//
// The loop is open: it never waits for an answer, and when it wakes late it sends all that is due at once.
#include "common.h"
#include <sys/prctl.h>

int main(int argc, char **argv) {
    struct load load = {
        .stream = option(argc, argv, "stream", "sluice:bench"),
        .sessions = (uint64_t)number(argc, argv, "sessions", 200000),
        .revoked = 100,
    };
    long rate = number(argc, argv, "rate", 1000), events = number(argc, argv, "events", 5000);
    if (strlen(load.stream) > 200 || load.sessions == 0 || rate <= 0) die("options");
    int fd = connect_to(option(argc, argv, "address", "127.0.0.1:6379"));
    prctl(PR_SET_TIMERSLACK, 1);
    char command[EVENT_MAX], answer[65536], id[48];
    struct rusage before;
    getrusage(RUSAGE_SELF, &before);
    uint64_t start = now_ns(), last = 0;
    for (long i = 0; i < events; i++) {
        uint64_t due = start + (uint64_t)i * 1000000000ull / (uint64_t)rate;
        if (now_ns() < due) {
            struct timespec until = {(time_t)(due / 1000000000ull), (long)(due % 1000000000ull)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        }
        uint64_t now = now_ns();
        if (now <= last) now = last + 1;
        last = now;
        sprintf(id, "%020llu-0", (unsigned long long)now);
        char *end = xadd(command, &load, (uint64_t)i, id);
        send_all(fd, command, (size_t)(end - command));
        while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0) {
            if (answer[0] == '-') die("XADD");
        }
    }
    // A connection that is closed with answers unread is reset, and the server forgets what it has not read of it.
    shutdown(fd, SHUT_WR);
    while (recv(fd, answer, sizeof answer, 0) > 0) {
    }
    report(events, 0, start, before);
    return 0;
}
