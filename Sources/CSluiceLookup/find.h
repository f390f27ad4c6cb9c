/* Finds a record, while another process may be changing the table. */
#ifndef SLUICE_FIND_H
#define SLUICE_FIND_H

#include "layout.h"

/* The result of a search. */
enum sluice_found { FOUND_NONE, FOUND_RECORD, FOUND_UNCERTAIN };

/* A record that was found: parts of its head and, if asked for, a copy. */
struct sluice_record {
    uint64_t entry_ms; /* Its first word: the milliseconds of the entry's id. */
    uint64_t head;     /* Its third word: number of fields, marks, length of the key. */
    size_t words;      /* The number of words of the copy. */
};

/* The hash of a key. */
uint64_t sluice_hash(const struct sluice_map *map, const unsigned char *key, size_t length);

/*
 * Finds the live record of a key in a mapped file; copies it to the handle if `copies` is set. The result is that of
 * one moment during the call, or uncertain if changes did not allow that for the handle's patience.
 */
enum sluice_found sluice_find(sluice_lookup *lookup, const unsigned char *key, size_t length, bool copies,
                              struct sluice_record *record);

#endif
