#include "find.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* Attempts between two looks at the clock. */
#define ATTEMPTS 32
/* The lines that are searched for a key at most. In a sound table, a search rarely looks at a third one. */
#define MAX_LINES 4096
/* Words of a line of a table, a cache line: the tags and seven slots. */
#define LINE_WORDS 8
/* The lengths of keys that are compared in words. Their length takes one byte of the record. */
#define MIN_FAST_KEY 8
#define MAX_FAST_KEY 127

#define LOW_BITS UINT64_C(0x01010101010101)
#define HIGH_BITS UINT64_C(0x80808080808080)
#define REST_BITS UINT64_C(0x7F7F7F7F7F7F7F)

static inline uint64_t little(uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

static inline uint64_t word_at(const unsigned char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint64_t half_word_at(const unsigned char *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint64_t fold(uint64_t left, uint64_t right) {
    __extension__ unsigned __int128 product = (unsigned __int128)left * right;
    return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

uint64_t sluice_hash(const struct sluice_map *map, const unsigned char *key, size_t length) {
    const uint64_t *secrets = map->secrets;
    uint64_t state = secrets[0], first = 0, last = 0;
    size_t position = 0;
    while (length - position > 16) {
        state = fold(word_at(key + position) ^ secrets[1], word_at(key + position + 8) ^ state);
        position += 16;
    }
    size_t rest = length - position;
    if (rest >= 8) {
        first = word_at(key + position);
        last = word_at(key + length - 8);
    } else if (rest >= 4) {
        first = half_word_at(key + position);
        last = half_word_at(key + length - 4);
    } else if (rest > 0) {
        first = (uint64_t)key[position] << 8 | key[position + rest / 2];
        last = key[length - 1];
    }
    state = fold(first ^ secrets[2], last ^ state);
    return fold(state ^ secrets[1], secrets[3] ^ (uint64_t)length) & map->hash_mask;
}

/* The number of 16-byte units of a size class. */
static inline uint64_t units_of(uint64_t class) {
    if (class <= 64) return class;
    return (8 + (class - 64) % 8) << (3 + (class - 64) / 8);
}

/* Whether the record in these words has a key whose length is between MIN_FAST_KEY and MAX_FAST_KEY. */
static inline bool has_key(const uint64_t *words, size_t count, const unsigned char *key, size_t length,
                           uint64_t *head) {
    if (19 + length > count * 8) return false;
    uint64_t word = little(sluice_load(words + 2));
    *head = word;
    /* The length, and the first five bytes of the key. */
    uint64_t difference = (word >> 16 ^ ((uint64_t)length | little(word_at(key)) << 8)) << 16;
    size_t position = 5, index = 3;
    while (position + 8 <= length) {
        difference |= little(sluice_load(words + index)) ^ little(word_at(key + position));
        position += 8;
        index++;
    }
    if (position < length) {
        unsigned unused = (unsigned)(8 * (8 - (length - position)));
        uint64_t rest = little(word_at(key + length - 8)) >> unused;
        difference |= (little(sluice_load(words + index)) ^ rest) << unused;
    }
    return difference == 0;
}

static inline unsigned char byte_at(const uint64_t *words, size_t index) {
    return (unsigned char)(little(sluice_load(words + index / 8)) >> 8 * (index % 8));
}

/* The same for a key of any length. */
static bool has_any_key(const uint64_t *words, size_t count, const unsigned char *key, size_t length,
                        uint64_t *head) {
    size_t size = count * 8, position = 18;
    if (size < 24) return false;
    *head = little(sluice_load(words + 2));
    uint64_t code = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (shift > 28 || position >= size) return false;
        unsigned char byte = byte_at(words, position++);
        code |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) break;
    }
    if (code != length || length > size - position) return false;
    for (size_t index = 0; index < length; index++)
        if (byte_at(words, position + index) != key[index]) return false;
    return true;
}

/* Copies a record to the handle; returns false if there is no memory. */
static bool copy_record(sluice_lookup *lookup, const uint64_t *words, size_t count) {
    if (count > lookup->copy_words) {
        uint64_t *copy = realloc(lookup->copy, count * sizeof *copy);
        if (!copy) return false;
        lookup->copy = copy;
        lookup->copy_words = count;
    }
    for (size_t index = 0; index < count; index++) lookup->copy[index] = sluice_load(words + index);
    return true;
}

/* Searches a table once. The result counts only if its shard's version is the same before and after. */
static inline enum sluice_found probe(sluice_lookup *lookup, uint64_t shard, uint64_t hash, const unsigned char *key,
                                      size_t length, bool copies, struct sluice_record *record) {
    const struct sluice_map *map = &lookup->map;
    uint64_t lines = sluice_load(map->words + map->line_counts + shard);
    if (lines > map->table_words / LINE_WORDS) return FOUND_UNCERTAIN;
    const uint64_t *table = map->words + map->tables + shard * map->table_words;
    uint64_t line = ((hash >> 40) * lines) >> 24;
    uint64_t tag = hash >> 32 & 0xFF;
    if (tag == 0) tag = 1;
    bool is_fast = length >= MIN_FAST_KEY && length <= MAX_FAST_KEY;
    for (uint64_t walked = 0; walked < lines; walked++) {
        if (walked == MAX_LINES) return FOUND_UNCERTAIN;
        const uint64_t *slots = table + line * LINE_WORDS;
        uint64_t tags = sluice_load(slots);
        uint64_t other = tags ^ tag * LOW_BITS;
        uint64_t matches = ~(((other & REST_BITS) + REST_BITS) | other) & HIGH_BITS;
        for (; matches != 0; matches &= matches - 1) {
            uint64_t slot = sluice_load(slots + 1 + ((unsigned)__builtin_ctzll(matches) >> 3));
            if ((slot ^ hash) >> 40 != 0) continue;
            uint64_t unit = slot & 0xFFFFFFFF, units = units_of(slot >> 32 & 0xFF);
            uint64_t committed = sluice_load(map->words + WORD_COMMITTED);
            if (committed > map->records_size) committed = map->records_size;
            if (unit == 0 || units * 16 > SLUICE_MAX_RECORD || (unit + units) * 16 > committed) continue;
            const uint64_t *words = map->words + map->records + unit * 2;
            bool is_key = is_fast ? has_key(words, units * 2, key, length, &record->head)
                                  : has_any_key(words, units * 2, key, length, &record->head);
            if (!is_key) continue;
            /* The trace of an eviction. */
            if ((record->head & 0xFF) == 0xFF) return FOUND_NONE;
            record->entry_ms = little(sluice_load(words));
            if (copies && !copy_record(lookup, words, units * 2)) return FOUND_UNCERTAIN;
            record->words = units * 2;
            return FOUND_RECORD;
        }
        /* No record has moved on from this line. */
        if (tags >> 56 == 0) return FOUND_NONE;
        line = line + 1 == lines ? 0 : line + 1;
    }
    return FOUND_NONE;
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Tries again until the patience ends. */
__attribute__((noinline)) static enum sluice_found find_patiently(sluice_lookup *lookup, uint64_t shard, uint64_t hash,
                                                                   const unsigned char *key, size_t length,
                                                                   bool copies, struct sluice_record *record) {
    const uint64_t *head = lookup->map.words + lookup->map.heads + shard * lookup->map.head_stride;
    int64_t start = sluice_now(), end = start + lookup->patience;
    const uint64_t *words = lookup->map.words;
    /* Without a heartbeat, nobody ends the change. */
    if ((int64_t)((uint64_t)start - sluice_load(words + WORD_BEAT)) > (int64_t)sluice_load(words + WORD_BEAT_LIMIT))
        return FOUND_UNCERTAIN;
    for (;;) {
        for (int attempt = 0; attempt < (copies ? 1 : ATTEMPTS); attempt++) {
            uint64_t version = sluice_load_acquire(head);
            if ((version & 1) == 0) {
                enum sluice_found found = probe(lookup, shard, hash, key, length, copies, record);
                __atomic_thread_fence(__ATOMIC_ACQUIRE);
                if (sluice_load(head) == version) return found;
            }
            relax();
        }
        if (sluice_now() >= end) return FOUND_UNCERTAIN;
        /* The writer may be waiting for this processor. */
        sched_yield();
    }
}

enum sluice_found sluice_find(sluice_lookup *lookup, const unsigned char *key, size_t length, bool copies,
                              struct sluice_record *record) {
    const struct sluice_map *map = &lookup->map;
    uint64_t hash = sluice_hash(map, key, length);
    uint64_t shard = hash & (map->shards - 1);
    const uint64_t *head = map->words + map->heads + shard * map->head_stride;
    uint64_t version = sluice_load_acquire(head);
    if (__builtin_expect((version & 1) == 0, 1)) {
        enum sluice_found found = probe(lookup, shard, hash, key, length, copies, record);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__builtin_expect(sluice_load(head) == version, 1)) return found;
    }
    return find_patiently(lookup, shard, hash, key, length, copies, record);
}
