#include "expiry.h"
#include "find.h"
#include "record.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The longest time in which lookups do not notice a new file. */
#define CHECK_INTERVAL INT64_C(100000000)
/* The longest wait for a change. */
#define PATIENCE INT64_C(1000000)
/* How much later than the reader's clock a time of the worker may be. More means that their clocks differ. */
#define MAX_SKEW INT64_C(1000000000)

static sluice_lookup *new_lookup(const char *path, size_t length) {
    sluice_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup) return NULL;
    lookup->patience = PATIENCE;
    lookup->path = malloc(length + 1);
    if (!lookup->path) {
        free(lookup);
        return NULL;
    }
    memcpy(lookup->path, path, length + 1);
    return lookup;
}

sluice_lookup *sluice_lookup_open(const char *path) {
    size_t length = path ? strlen(path) : 0;
    if (length == 0 || length >= PATH_MAX) {
        errno = EINVAL;
        return NULL;
    }
    sluice_lookup *lookup = new_lookup(path, length);
    if (lookup) sluice_refresh(lookup, sluice_now());
    return lookup;
}

sluice_lookup *sluice_lookup_attach(const void *bytes, size_t size, int64_t patience) {
    sluice_lookup *lookup = new_lookup("", 0);
    if (!lookup) return NULL;
    lookup->is_attached = true;
    lookup->patience = patience;
    lookup->status = sluice_map_check(&lookup->map, bytes, size);
    return lookup;
}

void sluice_lookup_close(sluice_lookup *lookup) {
    if (!lookup) return;
    if (lookup->map.words && !lookup->is_attached) munmap((void *)lookup->map.words, lookup->map.size);
    free(lookup->copy);
    free(lookup->path);
    free(lookup);
}

static int add_name(sluice_lookup *lookup, uint8_t kind, const char *text) {
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length > SLUICE_MAX_NAME) return -1;
    for (int index = 0; index < lookup->names; index++)
        if (lookup->name[index].kind == kind && strcmp(lookup->name[index].text, text) == 0) return index;
    if (lookup->names == SLUICE_MAX_NAMES) return -1;
    struct sluice_name *name = &lookup->name[lookup->names];
    name->kind = kind;
    memcpy(name->text, text, length + 1);
    lookup->names++;
    sluice_resolve(lookup);
    return lookup->names - 1;
}

int sluice_lookup_condition(sluice_lookup *lookup, const char *name) { return add_name(lookup, NAME_CONDITION, name); }

int sluice_lookup_field(sluice_lookup *lookup, const char *name) { return add_name(lookup, NAME_FIELD, name); }

/* The number of a name in the mapped file, or -1 if it is not known there. */
static inline int number_of(const sluice_lookup *lookup, int index, uint8_t kind) {
    if (index < 0 || index >= lookup->names) return -1;
    const struct sluice_name *name = &lookup->name[index];
    return name->kind == kind && name->is_known ? name->number : -1;
}

/* The age of a time; any value of the time is allowed. */
static inline int64_t age_of(int64_t now, uint64_t time) { return (int64_t)((uint64_t)now - time); }

static inline bool is_within(int64_t age, int64_t limit) { return age <= limit && age >= -MAX_SKEW; }

/* The heartbeat and the last confirmation of a store. */
struct times {
    uint64_t beat, proof;
};

/* To be called before a lookup: what it finds is then at least as new as these times. */
static inline struct times times_of(const struct sluice_map *map) {
    struct times times = {0, 0};
    if (map->words) {
        times.beat = sluice_load_acquire(map->words + WORD_BEAT);
        times.proof = sluice_load_acquire(map->words + WORD_PROOF);
    }
    return times;
}

/* Why a mapped store must not be read now. To be called after a lookup, with the times from before it and a clock read
   after it: a reader that was suspended in between finds the store stale, even if it was fresh before and is again. */
static inline enum sluice_status freshness(const struct sluice_map *map, struct times times, int64_t now) {
    const uint64_t *words = map->words;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (sluice_load(words + WORD_EPOCH) != map->epoch) return SLUICE_STATUS_CLOSED;
    if (!is_within(age_of(now, times.beat), (int64_t)sluice_load(words + WORD_BEAT_LIMIT)))
        return SLUICE_STATUS_DEAD;
    if (sluice_load(words + WORD_FILLING) != 0) return SLUICE_STATUS_FILLING;
    int64_t limit = (int64_t)sluice_load(words + WORD_LIMIT);
    if (limit == INT64_MAX) return SLUICE_STATUS_FRESH;
    uint64_t proof = times.proof;
    if ((int64_t)proof == INT64_MIN || !is_within(age_of(now, proof), limit)) return SLUICE_STATUS_OUTDATED;
    return SLUICE_STATUS_FRESH;
}

/* Looks for a new file from time to time; returns whether there is one, so that a lookup has to be repeated. */
static inline bool has_new_file(sluice_lookup *lookup, int64_t now) {
    if (__builtin_expect(now - lookup->checked < CHECK_INTERVAL, 1) || lookup->is_attached) return false;
    uint64_t before = lookup->map.words ? lookup->map.epoch : 0;
    sluice_refresh(lookup, now);
    return lookup->map.words && lookup->map.epoch != before;
}

static inline enum sluice_answer answer_of(enum sluice_found found, uint64_t head, int mark) {
    if (found == FOUND_UNCERTAIN) return SLUICE_BUSY;
    if (found == FOUND_NONE) return SLUICE_ABSENT;
    return (head >> 8 & (uint64_t)mark & 0xFF) != 0 ? SLUICE_ALLOWED : SLUICE_REFUSED;
}

/* The answer about a record that was found, at the time `now` of the machine's clock, read after the search. */
static inline enum sluice_answer unless_expired(const sluice_lookup *lookup, enum sluice_answer answer,
                                                const struct sluice_record *record, int64_t now) {
    const struct sluice_map *map = &lookup->map;
    if (__builtin_expect(map->time_to_live == 0 && map->expiry_field < 0, 1)) return answer;
    if (answer != SLUICE_ALLOWED && answer != SLUICE_REFUSED) return answer;
    struct sluice_time time = {TIME_MISSING, 0};
    if (map->expiry_field >= 0 && !sluice_read_time(lookup->copy, record->words, (unsigned)map->expiry_field, &time))
        return SLUICE_STALE;
    int64_t offset = (int64_t)sluice_load(map->words + WORD_TIME_OF_DAY);
    int64_t now_ms = (int64_t)((uint64_t)now + (uint64_t)offset) / 1000000;
    return sluice_is_expired(map->time_to_live, record->entry_ms, time, now_ms) ? SLUICE_ABSENT : answer;
}

enum sluice_answer sluice_lookup_ask(sluice_lookup *lookup, const void *key, size_t key_length, int condition) {
    for (;;) {
        int mark = number_of(lookup, condition, NAME_CONDITION);
        struct times times = times_of(&lookup->map);
        enum sluice_answer answer = SLUICE_STALE;
        struct sluice_record record = {0, 0, 0};
        if (lookup->map.words && mark >= 0 && sluice_load_acquire(lookup->map.words + WORD_FILLING) == 0) {
            bool copies = lookup->map.expiry_field >= 0;
            enum sluice_found found = sluice_find(lookup, key, key_length, copies, &record);
            answer = answer_of(found, record.head, mark);
        }
        int64_t now = sluice_now();
        if (has_new_file(lookup, now)) continue;
        if (answer == SLUICE_BUSY || !lookup->map.words || freshness(&lookup->map, times, now) != SLUICE_STATUS_FRESH)
            return SLUICE_STALE;
        return unless_expired(lookup, answer, &record, now);
    }
}

static void set_value(struct sluice_value *value, const void *bytes, size_t length) {
    size_t count = length < value->capacity ? length : value->capacity;
    if (count > 0) memcpy(value->buffer, bytes, count);
    value->length = length;
    value->present = 1;
}

/* Sets the values from the copied record; returns false if it has not the layout of a record. */
static bool read_values(const sluice_lookup *lookup, size_t words, struct sluice_value *values, size_t count) {
    struct sluice_reader reader;
    if (!sluice_read_key(&reader, lookup->copy, words)) return false;
    struct sluice_field field;
    while (reader.fields > 0) {
        if (!sluice_read_field(&reader, &field)) return false;
        char decimal[SLUICE_DECIMAL_SIZE];
        if (!field.text) {
            field.text = (const unsigned char *)decimal;
            field.length = sluice_decimal(field.integer, decimal);
        }
        for (size_t index = 0; index < count; index++)
            if (number_of(lookup, values[index].field, NAME_FIELD) == field.number)
                set_value(&values[index], field.text, field.length);
    }
    return true;
}

static void clear(struct sluice_value *values, size_t count) {
    for (size_t index = 0; index < count; index++) {
        values[index].length = 0;
        values[index].present = 0;
    }
}

enum sluice_answer sluice_lookup_get(sluice_lookup *lookup, const void *key, size_t key_length, int condition,
                                     struct sluice_value *values, size_t count) {
    for (;;) {
        clear(values, count);
        int mark = condition == SLUICE_ANY ? 0 : number_of(lookup, condition, NAME_CONDITION);
        bool is_known = mark >= 0;
        for (size_t index = 0; index < count; index++)
            is_known = is_known && number_of(lookup, values[index].field, NAME_FIELD) >= 0;
        struct times times = times_of(&lookup->map);
        enum sluice_answer answer = SLUICE_STALE;
        struct sluice_record record = {0, 0, 0};
        if (lookup->map.words && is_known && sluice_load_acquire(lookup->map.words + WORD_FILLING) == 0) {
            enum sluice_found found = sluice_find(lookup, key, key_length, true, &record);
            answer = answer_of(found, record.head, mark);
            if (found == FOUND_RECORD && condition == SLUICE_ANY) answer = SLUICE_ALLOWED;
            if (found == FOUND_RECORD && !read_values(lookup, record.words, values, count)) answer = SLUICE_STALE;
        }
        int64_t now = sluice_now();
        if (has_new_file(lookup, now)) continue;
        if (!lookup->map.words || freshness(&lookup->map, times, now) != SLUICE_STATUS_FRESH) answer = SLUICE_STALE;
        answer = unless_expired(lookup, answer, &record, now);
        if (answer != SLUICE_ALLOWED && answer != SLUICE_REFUSED) clear(values, count);
        return answer;
    }
}

/* The cursor, which is written in two words. */
static void read_cursor(const uint64_t *words, struct sluice_state *state) {
    for (int attempt = 0; attempt < 100; attempt++) {
        uint64_t version = sluice_load_acquire(words + WORD_CURSOR_VERSION);
        state->cursor_ms = sluice_load(words + WORD_CURSOR_MS);
        state->cursor_seq = sluice_load(words + WORD_CURSOR_SEQ);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((version & 1) == 0 && sluice_load(words + WORD_CURSOR_VERSION) == version) return;
    }
    state->cursor_ms = state->cursor_seq = 0;
}

void sluice_lookup_state(sluice_lookup *lookup, struct sluice_state *state) {
    memset(state, 0, sizeof *state);
    state->proof_age = state->proof_limit = state->beat_age = state->beat_limit = -1;
    sluice_refresh(lookup, sluice_now());
    state->status = lookup->status;
    state->system_error = lookup->system_error;
    const uint64_t *words = lookup->map.words;
    if (!words) return;
    struct times times = times_of(&lookup->map);
    int64_t now = sluice_now();
    state->status = freshness(&lookup->map, times, now);
    state->epoch = lookup->map.epoch;
    state->pid = sluice_load(words + WORD_PROCESS);
    state->entries = sluice_load(words + WORD_ENTRIES);
    read_cursor(words, state);
    uint64_t proof = sluice_load(words + WORD_PROOF), limit = sluice_load(words + WORD_LIMIT);
    if ((int64_t)proof != INT64_MIN) state->proof_age = age_of(now, proof);
    if ((int64_t)limit != INT64_MAX) state->proof_limit = (int64_t)limit;
    state->beat_age = age_of(now, sluice_load(words + WORD_BEAT));
    state->beat_limit = (int64_t)sluice_load(words + WORD_BEAT_LIMIT);
}
