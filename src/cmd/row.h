/* cmd/row.h -- values of a row that the server sent, whatever it left out. */
#ifndef CMD_ROW_H
#define CMD_ROW_H

#include <jansson.h>
#include <stdint.h>

#include "core/str.h"

/* Empty when there is none. */
static inline struct str row_text(const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);

    return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value)) : STR_NONE;
}

static inline const char *row_text_c(const json_t *row, const char *name)
{
    const char *value = json_string_value(json_object_get(row, name));

    return value ? value : "";
}

static inline bool row_has(const json_t *row, const char *name)
{
    return json_object_get(row, name) != NULL;
}

/* 0 when there is none. */
static inline uint64_t row_number(const json_t *row, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(row, name));

    return n > 0 ? (uint64_t)n : 0;
}

/* Seconds, as durations are written; 0 when there is none. */
static inline double row_seconds(const json_t *row, const char *name)
{
    return json_number_value(json_object_get(row, name));
}

static inline int64_t row_msec(const json_t *row, const char *name)
{
    return (int64_t)(row_seconds(row, name) * 1000 + 0.5);
}

#endif
