// Debian: apt-get install libhiredis-dev (0.14 or 1.x).
// What differs between hiredis 0.14 and 1.x is levelled out here, so that the Swift code has no conditions on it.
#ifndef SLUICE_CHIREDIS_SHIM_H
#define SLUICE_CHIREDIS_SHIM_H

#include <hiredis/hiredis.h>

// RESP3 kinds: hiredis 1.x has them, 0.14 never reports them. The values are part of the library's ABI.
#if HIREDIS_MAJOR < 1
#define REDIS_REPLY_DOUBLE 7
#define REDIS_REPLY_BOOL 8
#define REDIS_REPLY_MAP 9
#define REDIS_REPLY_SET 10
#define REDIS_REPLY_ATTR 11
#define REDIS_REPLY_PUSH 12
#define REDIS_REPLY_BIGNUM 13
#define REDIS_REPLY_VERB 14
#endif

// 1 where the library reads RESP3 replies.
static inline int sluiceHiredisReadsRESP3(void) {
    return HIREDIS_MAJOR >= 1;
}

// Sets the two callbacks that only 1.x has.
static inline void sluiceSetRESP3Functions(
    redisReplyObjectFunctions *functions,
    void *(*createDouble)(const redisReadTask *, double, char *, size_t),
    void *(*createBool)(const redisReadTask *, int)
) {
#if HIREDIS_MAJOR >= 1
    functions->createDouble = createDouble;
    functions->createBool = createBool;
#else
    (void)functions;
    (void)createDouble;
    (void)createBool;
#endif
}

// The kind (REDIS_REPLY_...) of the value whose type byte has come but whose end has not; negative when there is none.
static inline int sluiceReaderPendingType(const redisReader *reader) {
    if (reader->ridx < 0) {
        return -1;
    }
#if HIREDIS_MAJOR >= 1
    return reader->task[reader->ridx]->type;
#else
    return reader->rstack[reader->ridx].type;
#endif
}

// The text of the reader's last error, NUL-terminated; it lives as long as the reader.
static inline const char *sluiceReaderErrorText(const redisReader *reader) {
    return reader->errstr;
}

#endif
