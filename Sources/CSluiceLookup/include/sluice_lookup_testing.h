/* For the tests of the library; not installed. */
#ifndef SLUICE_LOOKUP_TESTING_H
#define SLUICE_LOOKUP_TESTING_H

#include "sluice_lookup.h"

/*
 * Returns a handle that reads a file's bytes from memory, or NULL. The memory must be aligned to 8 and stay valid.
 * Each lookup waits at most `patience` nanoseconds for a change to end. The handle never looks for another file.
 */
sluice_lookup *sluice_lookup_attach(const void *bytes, size_t size, int64_t patience);

#endif
