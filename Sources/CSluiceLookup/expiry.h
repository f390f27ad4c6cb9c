/* Decides whether a session has expired, as the worker does (ExpiryRule.swift). Times are milliseconds since 1970. */
#ifndef SLUICE_EXPIRY_H
#define SLUICE_EXPIRY_H

#include "layout.h"

/* The time in the field that says when a session expires. */
struct sluice_time {
    enum { TIME_MISSING, TIME_KNOWN, TIME_UNREADABLE } kind;
    int64_t ms; /* If it is known. */
};

/* Whether a session has expired; `time_to_live` is 0 for no limit. */
bool sluice_is_expired(uint64_t time_to_live, uint64_t entry_ms, struct sluice_time time, int64_t now_ms);

/* Reads the time in a field of a copied record; returns false if it has not the layout of a record. */
bool sluice_read_time(const uint64_t *words, size_t count, unsigned field, struct sluice_time *time);

#endif
