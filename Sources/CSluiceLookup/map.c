/* Maps the file and checks its header. */
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t sluice_now(void) {
    struct timespec time = {0, 0};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Whether `count` parts of `each` bytes from `offset` on are within `size`. */
static bool fits(uint64_t offset, uint64_t count, uint64_t each, uint64_t size) {
    uint64_t bytes;
    return !__builtin_mul_overflow(count, each, &bytes) && offset <= size && bytes <= size - offset;
}

enum sluice_status sluice_map_check(struct sluice_map *map, const void *bytes, size_t size) {
    const uint64_t *words = bytes;
    memset(map, 0, sizeof *map);
    if (size < SLUICE_HEADER_SIZE || sluice_load(words + WORD_MAGIC) != SLUICE_MAGIC
        || sluice_load(words + WORD_BYTE_ORDER) != SLUICE_BYTE_ORDER
        || sluice_load(words + WORD_HEADER_SIZE) != SLUICE_HEADER_SIZE || sluice_load(words + WORD_FILE_SIZE) > size)
        return SLUICE_STATUS_INCOMPATIBLE;
    uint64_t version = sluice_load(words + WORD_VERSION);
    if (version != SLUICE_FORMAT && version != SLUICE_FORMAT_EXPIRY) return SLUICE_STATUS_INCOMPATIBLE;
    uint64_t epoch = sluice_load_acquire(words + WORD_EPOCH);
    if (epoch == 0) return SLUICE_STATUS_CLOSED;

    uint64_t shards = sluice_load(words + WORD_SHARDS), stride = sluice_load(words + WORD_HEAD_STRIDE);
    uint64_t heads = sluice_load(words + WORD_HEADS), counts = sluice_load(words + WORD_LINE_COUNTS);
    uint64_t tables = sluice_load(words + WORD_TABLES), table_size = sluice_load(words + WORD_TABLE_SIZE);
    uint64_t records = sluice_load(words + WORD_RECORDS), records_size = sluice_load(words + WORD_RECORDS_SIZE);
    uint64_t max_record = sluice_load(words + WORD_MAX_RECORD);
    bool expires = version == SLUICE_FORMAT_EXPIRY;
    uint64_t time_to_live = expires ? sluice_load(words + WORD_TIME_TO_LIVE) : 0;
    uint64_t expiry_field = expires ? sluice_load(words + WORD_EXPIRY_FIELD) : 0;
    bool is_sound = shards > 0 && shards <= 1 << 16 && (shards & (shards - 1)) == 0 && stride >= 8 && stride % 8 == 0
        && stride <= SLUICE_HEADER_SIZE && heads % 8 == 0 && counts % 8 == 0 && tables % 8 == 0 && records % 8 == 0
        && table_size % 64 == 0 && max_record <= SLUICE_MAX_RECORD && fits(heads, shards, stride, size)
        && fits(counts, shards, 8, size) && fits(tables, shards, table_size, size)
        && fits(records, 1, records_size, size) && time_to_live <= INT64_MAX && expiry_field <= UINT8_MAX;
    if (!is_sound) return SLUICE_STATUS_INCOMPATIBLE;
    for (int index = 0; index < 4; index++) map->secrets[index] = sluice_load(words + WORD_SECRETS + index);
    map->hash_mask = sluice_load(words + WORD_HASH_MASK);
    map->shards = shards;
    map->head_stride = stride / 8;
    map->heads = heads / 8;
    map->line_counts = counts / 8;
    map->tables = tables / 8;
    map->table_words = table_size / 8;
    map->records = records / 8;
    map->records_size = records_size;
    map->max_record = max_record;
    map->time_to_live = time_to_live;
    map->expiry_field = (int)expiry_field - 1;
    map->size = size;
    map->epoch = epoch;
    map->words = words;
    return SLUICE_STATUS_FRESH;
}

static void unmap(sluice_lookup *lookup) {
    if (lookup->map.words && !lookup->is_attached) munmap((void *)lookup->map.words, lookup->map.size);
    memset(&lookup->map, 0, sizeof lookup->map);
}

/* Maps an open file. */
static enum sluice_status map_file(sluice_lookup *lookup, int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        lookup->system_error = errno;
        return SLUICE_STATUS_UNREADABLE;
    }
    /* Whoever can write the file can let everybody in. */
    if (!S_ISREG(status.st_mode) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        lookup->system_error = EPERM;
        return SLUICE_STATUS_UNREADABLE;
    }
    if (status.st_size < SLUICE_HEADER_SIZE) return SLUICE_STATUS_INCOMPATIBLE;
    size_t size = (size_t)status.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (bytes == MAP_FAILED) {
        lookup->system_error = errno;
        return SLUICE_STATUS_UNREADABLE;
    }
    struct sluice_map map;
    enum sluice_status result = sluice_map_check(&map, bytes, size);
    if (result != SLUICE_STATUS_FRESH) {
        munmap(bytes, size);
        return result;
    }
    map.device = (uint64_t)status.st_dev;
    map.inode = (uint64_t)status.st_ino;
    lookup->map = map;
    sluice_resolve(lookup);
    return SLUICE_STATUS_FRESH;
}

void sluice_refresh(sluice_lookup *lookup, int64_t now) {
    if (lookup->is_attached) return;
    lookup->checked = now;
    struct sluice_map *map = &lookup->map;
    bool is_closed = map->words && sluice_load_acquire(map->words + WORD_EPOCH) != map->epoch;
    struct stat status;
    bool exists = lstat(lookup->path, &status) == 0;
    int error = exists ? 0 : errno;
    /* A file that was removed while its worker runs stays valid. */
    if (map->words && !is_closed
        && (!exists || ((uint64_t)status.st_ino == map->inode && (uint64_t)status.st_dev == map->device)))
        return;
    /* Its memory is returned to the system when the last reader has unmapped it. */
    unmap(lookup);
    lookup->system_error = 0;
    if (!exists && (error == ENOENT || error == ENOTDIR)) {
        if (is_closed) lookup->status = SLUICE_STATUS_CLOSED;
        if (lookup->status != SLUICE_STATUS_CLOSED) lookup->status = SLUICE_STATUS_MISSING;
        return;
    }
    int descriptor = exists ? open(lookup->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    if (descriptor < 0) {
        lookup->system_error = exists ? errno : error;
        lookup->status = SLUICE_STATUS_UNREADABLE;
        return;
    }
    lookup->status = map_file(lookup, descriptor);
    close(descriptor);
}

void sluice_resolve(sluice_lookup *lookup) {
    for (int index = 0; index < lookup->names; index++) lookup->name[index].is_known = false;
    const uint64_t *words = lookup->map.words;
    if (!words) return;
    uint64_t offset = sluice_load(words + WORD_NAMES), size = sluice_load(words + WORD_NAMES_SIZE);
    if (size > SLUICE_HEADER_SIZE || !fits(offset, 1, size, lookup->map.size)) return;
    /* A copy: it cannot change between a check and its use. */
    unsigned char names[SLUICE_HEADER_SIZE];
    memcpy(names, (const unsigned char *)words + offset, size);
    size_t position = 0;
    while (size - position >= 4 && names[position] != 0) {
        const unsigned char *entry = names + position;
        size_t length = entry[2] | (size_t)entry[3] << 8;
        if (length > size - position - 4) return;
        for (int index = 0; index < lookup->names; index++) {
            struct sluice_name *name = &lookup->name[index];
            if (name->kind == entry[0] && strlen(name->text) == length && memcmp(name->text, entry + 4, length) == 0) {
                name->number = entry[1];
                name->is_known = true;
            }
        }
        position += 4 + length;
    }
}
