// What the yardsticks share: clocks, a connection, options, and the session events that all of them send or expect.
#ifndef SLUICE_YARDSTICK_COMMON_H
#define SLUICE_YARDSTICK_COMMON_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static inline void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "not as expected");
    exit(1);
}

// Nanoseconds of the clock that all processes of a machine share.
static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

// ---- Options: --name value, each with a default.

static inline const char *option(int argc, char **argv, const char *name, const char *otherwise) {
    for (int i = 1; i + 1 < argc; i += 2)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) return argv[i + 1];
    return otherwise;
}

static inline long number(int argc, char **argv, const char *name, long otherwise) {
    const char *text = option(argc, argv, name, NULL);
    return text ? strtol(text, NULL, 10) : otherwise;
}

// ---- Connection: "unix:/path" or "host:port", blocking.

static inline int connect_to(const char *address) {
    int fd;
    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        if (strlen(address + 5) >= sizeof to.sun_path) die("address too long");
        strcpy(to.sun_path, address + 5);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die(address);
        return fd;
    }
    char host[256];
    const char *colon = strrchr(address, ':');
    if (!colon || (size_t)(colon - address) >= sizeof host) die("address: neither unix:/path nor host:port");
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) die(address);
    fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0) die(address);
    freeaddrinfo(found);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static inline void send_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) die("send");
        bytes += sent;
        count -= (size_t)sent;
    }
}

// ---- The report: one line of JSON, the same for every yardstick.

static inline double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

// The most memory that was resident, in KiB: not ru_maxrss, which a new program inherits from whoever started it.
static inline long peak_kib(void) {
    char line[256];
    long peak = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &peak) == 1) break;
    if (file) fclose(file);
    return peak;
}

static inline void report(long entries, long replies, uint64_t start_ns, struct rusage before) {
    double wall = (double)(now_ns() - start_ns) / 1e9;
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    printf(
        "{\"entries\":%ld,\"batches\":%ld,\"wall_s\":%.6f,\"cpu_user_s\":%.6f,\"cpu_sys_s\":%.6f,\"peak_kib\":%ld}\n",
        entries, replies, wall, seconds(after.ru_utime) - seconds(before.ru_utime),
        seconds(after.ru_stime) - seconds(before.ru_stime), peak_kib());
}

// ---- Session events. A session is a number; `mix` (the finaliser of splitmix64, a bijection) makes it look random.

static inline uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static inline char *bulk(char *to, const char *bytes, size_t count) {
    to += sprintf(to, "$%zu\r\n", count);
    memcpy(to, bytes, count);
    to += count;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

static inline char *text(char *to, const char *text) { return bulk(to, text, strlen(text)); }

// The longest XADD of one event with a stream name of up to 200 bytes.
enum { EVENT_MAX = 1024 };

struct load {
    const char *stream;
    uint64_t sessions;     // event i is of session mix(i) % sessions
    unsigned revoked;      // so many of 1000 are revocations
    unsigned malformed;    // so many of 1000 are malformed, in three ways in turn
};

// Writes the XADD of event `i` with the given id; returns the end of what was written.
static inline char *xadd(char *to, const struct load *load, uint64_t i, const char *id) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t draw = mix(i), session = draw % load->sessions, chance = mix(draw);
    int revoked = chance % 1000 < load->revoked;
    int malformed = (chance >> 32) % 1000 < load->malformed;
    int kind = malformed ? (int)(i % 3) : -1;

    char key[17], user[24], public_key[45], when[24];
    sprintf(key, "%016llx", (unsigned long long)mix(session));
    sprintf(user, "u%06llu", (unsigned long long)(session % 1000000));
    uint64_t bits = 0;
    for (int k = 0; k < 43; k++) {
        if (k % 10 == 0) bits = mix(session * 8 + (uint64_t)k / 10 + 1);
        public_key[k] = alphabet[bits & 63];
        bits >>= 6;
    }
    public_key[43] = '=';
    public_key[44] = 0;
    sprintf(when, "%llu", 1700000000000ull + (unsigned long long)i);

    int fields = 4 + (revoked ? 1 : 0);
    if (kind == 0) fields -= 1;                // no user_id
    if (kind == 1) fields += 1;                // an unknown field
    if (kind == 2 && !revoked) fields += 1;    // a revoked_at_ms that is no number
    to += sprintf(to, "*%d\r\n", 3 + 2 * fields);
    to = text(to, "XADD");
    to = text(to, load->stream);
    to = text(to, id);
    to = bulk(text(to, "device_session_id"), key, 16);
    if (kind != 0) to = text(text(to, "user_id"), user);
    to = bulk(text(to, "client_public_key"), public_key, 44);
    to = text(text(to, "status"), revoked ? "revoked" : "active");
    if (kind == 2) to = text(text(to, "revoked_at_ms"), "yesterday");
    else if (revoked) to = text(text(to, "revoked_at_ms"), when);
    if (kind == 1) to = text(text(to, "ip_address"), "192.0.2.1");
    return to;
}

#endif
