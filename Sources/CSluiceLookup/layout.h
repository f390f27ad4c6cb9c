/* The layout of the file, versions 1 and 2, and the parts of a handle. See SharedMemory.md. */
#ifndef SLUICE_LAYOUT_H
#define SLUICE_LAYOUT_H

#include "sluice_lookup.h"

#include <stdbool.h>

#define SLUICE_MAGIC UINT64_C(0x4D53454349554C53)
#define SLUICE_FORMAT 1
/* The version of a file whose snapshots expire. */
#define SLUICE_FORMAT_EXPIRY 2
#define SLUICE_BYTE_ORDER UINT64_C(0x0102030405060708)
#define SLUICE_HEADER_SIZE 4096
/* The size of the largest block of a record. */
#define SLUICE_MAX_RECORD (512 << 10)

/* The numbers of the header's words. */
enum {
    WORD_MAGIC = 0,
    WORD_VERSION = 1,
    WORD_BYTE_ORDER = 2,
    WORD_HEADER_SIZE = 3,
    WORD_FILE_SIZE = 4,
    WORD_PROCESS = 5,
    WORD_EPOCH = 8,
    WORD_FILLING = 9,
    WORD_PROOF = 10,
    WORD_LIMIT = 11,
    WORD_BEAT = 12,
    WORD_BEAT_LIMIT = 13,
    WORD_COMMITTED = 14,
    WORD_SECRETS = 16,
    WORD_HASH_MASK = 20,
    WORD_SHARDS = 21,
    WORD_HEAD_STRIDE = 22,
    WORD_MAX_RECORD = 23,
    WORD_HEADS = 24,
    WORD_LINE_COUNTS = 25,
    WORD_TABLES = 26,
    WORD_TABLE_SIZE = 27,
    WORD_RECORDS = 28,
    WORD_RECORDS_SIZE = 29,
    WORD_NAMES = 30,
    WORD_NAMES_SIZE = 31,
    WORD_CURSOR_VERSION = 32,
    WORD_CURSOR_MS = 33,
    WORD_CURSOR_SEQ = 34,
    WORD_ENTRIES = 35,
    WORD_TIME_TO_LIVE = 36,
    WORD_EXPIRY_FIELD = 37,
    WORD_TIME_OF_DAY = 38
};

/* The kinds of names in the header. */
enum { NAME_FIELD = 1, NAME_CONDITION = 2 };

/* A name that the program has asked for, and its number in the mapped file. */
struct sluice_name {
    uint8_t kind;
    uint8_t number;
    bool is_known;
    char text[SLUICE_MAX_NAME + 1];
};

/*
 * A mapped file. The parts of the header that never change were checked when it was mapped, and are read from here
 * only: a changed file cannot make the reader leave the mapping.
 */
struct sluice_map {
    const uint64_t *words; /* NULL if nothing is mapped. */
    size_t size;
    uint64_t epoch;
    uint64_t device, inode;
    uint64_t secrets[4], hash_mask;
    uint64_t shards;
    size_t head_stride; /* This one and those below are in words. */
    size_t heads, line_counts, tables, table_words, records;
    uint64_t records_size; /* In bytes. */
    size_t max_record;     /* In bytes. */
    uint64_t time_to_live; /* In milliseconds, 0 for no limit. */
    int expiry_field;      /* The number of the field with the time of expiry, or -1. */
};

struct sluice_lookup {
    struct sluice_map map;
    enum sluice_status status; /* Of the last attempt to map a file. */
    int system_error;
    int64_t checked;  /* The time of the last look at the path. */
    int64_t patience; /* The longest wait for a change, in nanoseconds. */
    bool is_attached; /* The memory is the caller's: see sluice_lookup_testing.h. */
    char *path;
    uint64_t *copy; /* Room for one record. */
    size_t copy_words;
    int names;
    struct sluice_name name[SLUICE_MAX_NAMES];
};

static inline uint64_t sluice_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline uint64_t sluice_load_acquire(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

/* The time since the machine was started, with suspensions, in nanoseconds. */
int64_t sluice_now(void);

/* Checks the header of mapped bytes and fills in the map. */
enum sluice_status sluice_map_check(struct sluice_map *map, const void *bytes, size_t size);

/* Maps the file at the handle's path if it is another one than the mapped one, or none is mapped. */
void sluice_refresh(sluice_lookup *lookup, int64_t now);

/* Sets the numbers of the names that the program has asked for. */
void sluice_resolve(sluice_lookup *lookup);

#endif
