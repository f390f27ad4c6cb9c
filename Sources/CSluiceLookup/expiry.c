#include "expiry.h"
#include "record.h"

/* The number of digits of a number that is certainly in range. */
#define MAX_DIGITS 18
/* The days from the start of the year 0 to 1970-01-01. */
#define DAYS_BEFORE_EPOCH 719528

bool sluice_is_expired(uint64_t time_to_live, uint64_t entry_ms, struct sluice_time time, int64_t now_ms) {
    if (time.kind == TIME_UNREADABLE || (time.kind == TIME_KNOWN && time.ms <= now_ms)) return true;
    /* An id beyond all times never expires by its age. */
    if (time_to_live == 0 || entry_ms > INT64_MAX - time_to_live) return false;
    return (int64_t)(entry_ms + time_to_live) <= now_ms;
}

/* A position in a text. */
struct cursor {
    const unsigned char *text;
    size_t length, position;
};

/* Reads digits; returns -1, and stays where it is, if there are fewer. */
static int64_t digits(struct cursor *cursor, size_t count) {
    if (cursor->length - cursor->position < count) return -1;
    int64_t value = 0;
    for (size_t index = 0; index < count; index++) {
        unsigned char byte = cursor->text[cursor->position + index];
        if (byte < '0' || byte > '9') return -1;
        value = value * 10 + (byte - '0');
    }
    cursor->position += count;
    return value;
}

static bool skip(struct cursor *cursor, char character) {
    if (cursor->position >= cursor->length || cursor->text[cursor->position] != (unsigned char)character) return false;
    cursor->position++;
    return true;
}

/* Reads two digits below a limit. */
static bool part(struct cursor *cursor, int64_t limit, int64_t *value) {
    *value = digits(cursor, 2);
    return *value >= 0 && *value < limit;
}

static bool is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/* Reads a date of the Gregorian calendar: the days from 1970-01-01 to it. */
static bool date(struct cursor *cursor, int64_t *days) {
    static const int16_t before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t year = digits(cursor, 4), month, day;
    if (year < 0 || !skip(cursor, '-') || !part(cursor, 13, &month) || month < 1 || !skip(cursor, '-')) return false;
    int64_t in_month = before_month[month] - before_month[month - 1] + (month == 2 && is_leap(year));
    if (!part(cursor, in_month + 1, &day) || day < 1) return false;
    /* The leap days before the year; there are none before the year 0. */
    int64_t before = year - 1, leap_days = year == 0 ? 0 : before / 4 - before / 100 + before / 400 + 1;
    int64_t in_year = before_month[month - 1] + (month > 2 && is_leap(year));
    *days = year * 365 + leap_days + in_year + day - 1 - DAYS_BEFORE_EPOCH;
    return true;
}

/* Reads the milliseconds of a fraction of a second, if there is one; the rest is cut off. */
static bool fraction(struct cursor *cursor, int64_t *ms) {
    *ms = 0;
    if (!skip(cursor, '.')) return true;
    size_t start = cursor->position;
    int64_t scale = 100, digit;
    while ((digit = digits(cursor, 1)) >= 0) {
        *ms += digit * scale;
        scale /= 10;
    }
    return cursor->position > start;
}

/* Reads a time zone: the minutes by which it is ahead of UTC. */
static bool zone(struct cursor *cursor, int64_t *minutes) {
    *minutes = 0;
    if (skip(cursor, 'Z') || skip(cursor, 'z')) return true;
    bool is_behind = skip(cursor, '-');
    int64_t hour, minute;
    if ((!is_behind && !skip(cursor, '+')) || !part(cursor, 24, &hour) || !skip(cursor, ':')
        || !part(cursor, 60, &minute))
        return false;
    *minutes = (hour * 60 + minute) * (is_behind ? -1 : 1);
    return true;
}

/* Reads a timestamp of RFC 3339. */
static bool timestamp(const unsigned char *text, size_t length, int64_t *ms) {
    struct cursor cursor = {text, length, 0};
    int64_t days, hour, minute, second, rest, ahead;
    if (!date(&cursor, &days) || (!skip(&cursor, 'T') && !skip(&cursor, 't') && !skip(&cursor, ' '))
        || !part(&cursor, 24, &hour) || !skip(&cursor, ':') || !part(&cursor, 60, &minute) || !skip(&cursor, ':')
        || !part(&cursor, 61, &second) || !fraction(&cursor, &rest) || !zone(&cursor, &ahead)
        || cursor.position != length)
        return false;
    int64_t minutes = (days * 24 + hour) * 60 + minute - ahead;
    *ms = (minutes * 60 + second) * 1000 + rest;
    return true;
}

/* Reads a whole number. */
static bool number(const unsigned char *text, size_t length, int64_t *ms) {
    struct cursor cursor = {text, length, 0};
    bool is_negative = skip(&cursor, '-');
    size_t count = length - cursor.position;
    if (count == 0 || count > MAX_DIGITS) return false;
    int64_t value = digits(&cursor, count);
    if (value < 0) return false;
    *ms = is_negative ? -value : value;
    return true;
}

bool sluice_read_time(const uint64_t *words, size_t count, unsigned number_of_field, struct sluice_time *time) {
    struct sluice_reader reader;
    struct sluice_field field;
    time->kind = TIME_MISSING;
    if (!sluice_read_key(&reader, words, count)) return false;
    while (reader.fields > 0) {
        if (!sluice_read_field(&reader, &field)) return false;
        if (field.number != number_of_field) continue;
        bool is_known = true;
        if (field.has_integer)
            time->ms = field.integer;
        else
            is_known = number(field.text, field.length, &time->ms) || timestamp(field.text, field.length, &time->ms);
        time->kind = is_known ? TIME_KNOWN : TIME_UNREADABLE;
        return true;
    }
    return true;
}
