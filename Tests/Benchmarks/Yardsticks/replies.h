// Reads a server's reply as its bytes arrive, hopping from length to length; values are never looked at.
#pragma once
#include "common.h"

// Room for the bytes of a reply; one is far smaller (4096 entries of 209 bytes are 0.9 MB).
enum { BUFFER = 64 << 20 };

static char *buffer;
static size_t filled;
static int fd;

static void more(void) {
    if (filled == BUFFER) die("a reply larger than the buffer");
    ssize_t got = recv(fd, buffer + filled, BUFFER - filled, 0);
    if (got <= 0) die("recv");
    filled += (size_t)got;
}

// Reads "<kind><number>\r\n" at `*at` and moves behind it; -1 for "*-1" and "$-1".
static long header(size_t *at, char kind) {
    long value = 0;
    size_t i = *at;
    while (filled < i + 4) more();
    if (buffer[i] != kind) die("reply");
    if (buffer[i + 1] == '-') {
        while (filled < i + 5) more();
        *at = i + 5;
        return -1;
    }
    for (i++;; i++) {
        while (filled < i + 2) more();
        if (buffer[i] == '\r') break;
        value = value * 10 + (buffer[i] - '0');
    }
    *at = i + 2;
    return value;
}
