/*
 * libsluice-lookup: looks up sessions in the shared memory of a Sluice worker on the same host.
 *
 * A memory store with the setting `share` keeps its table in a file, for example /dev/shm/sluice/sessions. This library
 * maps that file read-only. A lookup is a hash and one or two cache lines; there is no system call and no lock.
 *
 *     sluice_lookup *sessions = sluice_lookup_open("/dev/shm/sluice/sessions");
 *     int active = sluice_lookup_condition(sessions, "active");
 *     if (sluice_lookup_ask(sessions, key, length, active) == SLUICE_ALLOWED) { ... }   // refuse in all other cases
 *
 * A handle must be used by one thread at a time. Each thread or process opens its own; they share the memory.
 * The format of the file is described in SharedMemory.md.
 */
#ifndef SLUICE_LOOKUP_H
#define SLUICE_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The functions of the library: everything else in it is hidden. */
#define SLUICE_API __attribute__((visibility("default")))

/* The version of this interface: changes of the first number break programs. */
#define SLUICE_LOOKUP_VERSION "1.1"

/* The answers. Only SLUICE_ALLOWED lets a request in. */
enum sluice_answer {
    SLUICE_REFUSED = 0, /* There is a session, and it does not meet the condition. */
    SLUICE_ALLOWED = 1, /* There is a session, and it meets the condition. */
    SLUICE_ABSENT = 2,  /* There is no session under this key, or it has expired. */
    SLUICE_STALE = 3,   /* Not known: no worker keeps the store up to date, or the condition or field is unknown. */
    SLUICE_BUSY = 4     /* Not known: the session was being changed for a millisecond. Only from sluice_lookup_get. */
};

/*
 * The condition of sluice_lookup_get that every session meets: SLUICE_ALLOWED then means that there is one. Not -1: a
 * program that does not check what sluice_lookup_condition returned must let nobody in.
 */
#define SLUICE_ANY (-2)

/* The number of conditions and fields that a handle can have, and the longest name of one. */
#define SLUICE_MAX_NAMES 64
#define SLUICE_MAX_NAME 255

typedef struct sluice_lookup sluice_lookup;

/*
 * Returns a handle for the store at a path, or NULL with errno ENOMEM, or EINVAL if the path is too long.
 *
 * The file need not exist yet: until a worker has created it, all answers are stale. When a worker restarts and creates
 * a new file, the handle changes to that one within 100 ms of lookups.
 */
SLUICE_API sluice_lookup *sluice_lookup_open(const char *path);

/* Unmaps the file and frees the handle. NULL is ignored. */
SLUICE_API void sluice_lookup_close(sluice_lookup *lookup);

/*
 * Returns the handle's number of a condition or a field that the pipeline file names, or -1 if the handle has no more
 * numbers, or the name is empty or too long. The number stays valid until the handle is closed. If the file does not
 * have the name, or the number is -1, answers that need it are stale.
 */
SLUICE_API int sluice_lookup_condition(sluice_lookup *lookup, const char *name);
SLUICE_API int sluice_lookup_field(sluice_lookup *lookup, const char *name);

/*
 * Returns whether the session under a key meets a condition: allowed, refused, absent or stale.
 *
 * Takes less than a microsecond, and never much more than a millisecond: if a change of the session lasts that long,
 * the answer is stale.
 */
SLUICE_API enum sluice_answer sluice_lookup_ask(sluice_lookup *lookup, const void *key, size_t key_length,
                                                int condition);

/* A field that sluice_lookup_get reads. */
struct sluice_value {
    int field;       /* In: the number of the field. */
    void *buffer;    /* In: where the bytes are copied to; no zero is added. */
    size_t capacity; /* In: the size of the buffer. */
    size_t length;   /* Out: the length of the value, which is cut off if it is greater than the capacity. */
    int present;     /* Out: 1 if the session has the field. */
};

/*
 * The same as sluice_lookup_ask, and the values of some fields of the same session, all of one moment. The values are
 * set if the answer is SLUICE_ALLOWED or SLUICE_REFUSED, and empty otherwise. May answer SLUICE_BUSY.
 */
SLUICE_API enum sluice_answer sluice_lookup_get(sluice_lookup *lookup, const void *key, size_t key_length,
                                                int condition, struct sluice_value *values, size_t count);

/* Why a store can or cannot be read. */
enum sluice_status {
    SLUICE_STATUS_FRESH = 0,        /* It answers. */
    SLUICE_STATUS_MISSING = 1,      /* There is no file. */
    SLUICE_STATUS_UNREADABLE = 2,   /* The file cannot be opened or mapped: see system_error. */
    SLUICE_STATUS_INCOMPATIBLE = 3, /* The file has another format, or a version that this library cannot read. */
    SLUICE_STATUS_CLOSED = 4,       /* The worker has shut down. */
    SLUICE_STATUS_DEAD = 5,         /* The worker has been killed or stopped: its heartbeat is too old. */
    SLUICE_STATUS_FILLING = 6,      /* The worker is filling the store. */
    SLUICE_STATUS_OUTDATED = 7      /* The worker has not confirmed within the limit that the store is up to date. */
};

/* The state of a store, for monitoring. Ages are in nanoseconds, and -1 if there is no such time. */
struct sluice_state {
    enum sluice_status status;
    int system_error;          /* errno of the failed call, or 0. */
    uint64_t epoch;            /* A random number of the worker's run, 0 if there is none. */
    uint64_t pid;              /* The worker's process id in its own namespace. */
    uint64_t entries;          /* The number of sessions at the last heartbeat. */
    uint64_t cursor_ms;        /* The stream id up to which everything is applied, as of the last heartbeat. */
    uint64_t cursor_seq;
    int64_t proof_age;         /* The time since the store was last known to be up to date. */
    int64_t proof_limit;       /* Its limit. */
    int64_t beat_age;          /* The time since the last heartbeat. */
    int64_t beat_limit;        /* Its limit. */
};

/* Fills in the state, after looking for a new file. */
SLUICE_API void sluice_lookup_state(sluice_lookup *lookup, struct sluice_state *state);

#ifdef __cplusplus
}
#endif

#endif
