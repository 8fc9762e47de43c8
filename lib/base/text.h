/*
 * text - strings for people, logs and files
 */
#ifndef LIB_BASE_TEXT_H
#define LIB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Remote text for a log or a terminal: control characters, DEL, backslash,
 * double quote and bytes that are not valid UTF-8 become \xNN, and the result
 * is put in double quotes when it holds a space or is empty. Cut to fit.
 * Returns dst.
 */
const char *text_quote(char *dst, size_t size, const char *src);

/* As above for a terminal: never adds quotes, leaves '"' and '\' alone. */
const char *text_printable(char *dst, size_t size, const char *src);

/* Octets of the UTF-8 character at s, of which len are left: 0 when there is
 * none, or when it is a C1 control character. */
size_t text_utf8_len(const char *s, size_t len);

/* ASCII letters to lower case, in place; every other byte stays. */
void text_lower(char *s);

/* 2026-11-22T13:21:09Z. Parsing takes exactly that form; what lies outside the
 * years 0000 to 9999 is shown as the nearest second within. */
#define TEXT_TIME_MAX 32
const char *text_time(char dst[TEXT_TIME_MAX], int64_t epoch);
bool text_time_parse(const char *s, int64_t *epoch);

/* A duration for people: 12s 41m 1h02m 1d02h; negative ones as 0s. */
#define TEXT_SPAN_MAX 24
const char *text_span(char dst[TEXT_SPAN_MAX], int64_t seconds);
/* 90 30s 5m 2h 4d 1w 1d12h: seconds; false for anything else. */
bool text_span_parse(const char *s, int64_t *seconds);

/* A size for people: 512 38K 1.2M 2.1G (1024). */
const char *text_size(char dst[TEXT_SPAN_MAX], uint64_t bytes);
/* 4096 10K 5M 1G (1024); false for anything else or an overflow. */
bool text_size_parse(const char *s, uint64_t *bytes);

/* Decimal digits only, at most max. */
bool text_number(const char *s, uint64_t max, uint64_t *v);

/* Edit distance of two short words, for "did you mean". */
unsigned text_distance(const char *a, const char *b);

#endif
