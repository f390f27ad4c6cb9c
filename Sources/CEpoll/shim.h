// epoll and eventfd, which Swift's modules of the C library do not have, and socket calls with flags whose types differ
// between these modules (glibc, musl).
#ifndef SLUICE_CEPOLL_SHIM_H
#define SLUICE_CEPOLL_SHIM_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// The events of a descriptor; the last two are always reported.
static const uint32_t sluiceReadable = EPOLLIN;
static const uint32_t sluiceWritable = EPOLLOUT;
static const uint32_t sluiceEnded = EPOLLERR | EPOLLHUP;

static inline int sluiceMakePoller(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

static inline int sluiceWatch(int poller, int operation, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.fd = descriptor}};
    return epoll_ctl(poller, operation, descriptor, &event);
}

static inline int sluiceMakeWakeUp(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static inline int sluiceMakeSocket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// accept4 is declared only with _GNU_SOURCE, which would change the declarations of other functions.
static inline int sluiceAccept(int descriptor) {
    return (int)syscall(SYS_accept4, descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// Without SIGPIPE if the client is gone.
static inline ptrdiff_t sluiceSend(int descriptor, const void *bytes, size_t count) {
    return send(descriptor, bytes, count, MSG_NOSIGNAL);
}

static inline int sluiceEndOutput(int descriptor) {
    return shutdown(descriptor, SHUT_WR);
}

static inline int sluiceReuseAddress(int descriptor) {
    int on = 1;
    return setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

static inline int sluiceKeepAlive(int descriptor) {
    int on = 1;
    return setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

// Sends short replies immediately; fails for Unix sockets, which have no such delay.
static inline int sluiceSendImmediately(int descriptor) {
    int on = 1;
    return setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// The port that a TCP socket is bound to, or -1.
static inline int sluiceLocalPort(int descriptor) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) return -1;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return -1;
}

#endif
