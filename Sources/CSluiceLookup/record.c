#include "record.h"

#include <inttypes.h>
#include <stdio.h>

/* Bytes before the key's length. */
#define HEAD_SIZE 18
/* The offset of the number of fields. */
#define FIELDS_OFFSET 16

static bool read_code(struct sluice_reader *reader, uint64_t *code) {
    *code = 0;
    for (unsigned shift = 0; shift <= 28; shift += 7) {
        if (reader->position >= reader->size) return false;
        unsigned char byte = reader->bytes[reader->position++];
        *code |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

/* Skips bytes; returns their start, or NULL if there are fewer. */
static const unsigned char *read_bytes(struct sluice_reader *reader, uint64_t count) {
    if (count > reader->size - reader->position) return NULL;
    const unsigned char *start = reader->bytes + reader->position;
    reader->position += count;
    return start;
}

bool sluice_read_key(struct sluice_reader *reader, const uint64_t *words, size_t count) {
    reader->bytes = (const unsigned char *)words;
    reader->size = count * 8;
    reader->position = HEAD_SIZE;
    reader->fields = 0;
    if (reader->size < HEAD_SIZE || !read_code(reader, &reader->key_length)) return false;
    reader->key = read_bytes(reader, reader->key_length);
    if (!reader->key) return false;
    reader->fields = reader->bytes[FIELDS_OFFSET];
    return true;
}

static bool read_integer(struct sluice_reader *reader, struct sluice_field *field) {
    const unsigned char *bytes = read_bytes(reader, 8);
    if (!bytes) return false;
    uint64_t value = 0;
    for (int index = 7; index >= 0; index--) value = value << 8 | bytes[index];
    field->integer = (int64_t)value;
    field->has_integer = true;
    return true;
}

bool sluice_read_field(struct sluice_reader *reader, struct sluice_field *field) {
    uint64_t code;
    const unsigned char *number = read_bytes(reader, 1);
    if (!number || !read_code(reader, &code)) return false;
    reader->fields--;
    field->number = *number;
    field->has_integer = false;
    field->integer = 0;
    field->text = NULL;
    field->length = code >> 2;
    switch (code & 3) {
    case 0: /* The key itself, with its integer if the length is 1. */
        if (field->length > 1 || (field->length == 1 && !read_integer(reader, field))) return false;
        field->text = reader->key;
        field->length = reader->key_length;
        return true;
    case 1: /* Text. */
        return (field->text = read_bytes(reader, field->length)) != NULL;
    case 2: /* An integer. */
        return read_integer(reader, field);
    default: /* An integer and its text. */
        return read_integer(reader, field) && (field->text = read_bytes(reader, field->length)) != NULL;
    }
}

size_t sluice_decimal(int64_t number, char text[SLUICE_DECIMAL_SIZE]) {
    return (size_t)snprintf(text, SLUICE_DECIMAL_SIZE, "%" PRId64, number);
}
