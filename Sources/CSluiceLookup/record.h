/* Reads the fields of a copied record; every length is checked against the end of the copy. */
#ifndef SLUICE_RECORD_H
#define SLUICE_RECORD_H

#include "layout.h"

/* The largest size of a number's decimal form, with a zero. */
#define SLUICE_DECIMAL_SIZE 24

/* A position in a record. */
struct sluice_reader {
    const unsigned char *bytes;
    size_t size, position;
    const unsigned char *key;
    uint64_t key_length;
    unsigned fields; /* The number of fields that are left. */
};

/* A field: a text, an integer, or both. */
struct sluice_field {
    unsigned char number;
    bool has_integer;
    int64_t integer;
    const unsigned char *text; /* NULL if the text is the integer's decimal form. */
    uint64_t length;
};

/* Begins to read a record in these words: its key. Returns false if it has not the layout of a record. */
bool sluice_read_key(struct sluice_reader *reader, const uint64_t *words, size_t count);

/* Reads the next field, of which there must be one. Returns false if it has not the layout of a field. */
bool sluice_read_field(struct sluice_reader *reader, struct sluice_field *field);

/* Writes a number with a zero after it; returns its length. */
size_t sluice_decimal(int64_t number, char text[SLUICE_DECIMAL_SIZE]);

#endif
