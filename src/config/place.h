/* config/place.h -- where in the configuration something stands. Pure. */
#ifndef CONFIG_PLACE_H
#define CONFIG_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "core/str.h"

enum { CONFIG_PLACE_TEXT_MAX = 80 };

/* LINE 0 says that it stands nowhere: a default. Columns count characters from 1; LENGTH is what a mark covers. */
struct config_place {
    uint32_t file; /* index into the files that were read */
    uint32_t line;
    uint32_t column;
    uint32_t length;
};

/* A text that was read: a file, or one -o, whose PATH is "-o". */
struct config_file {
    struct str path;
    struct str text;
};

/* All that was read, in the order in which it was; the root is the first. */
struct config_files {
    const struct config_file *items;
    size_t n;
};

/* Cut, never overrun. */
struct config_place_text {
    char c[CONFIG_PLACE_TEXT_MAX];
};

#define CONFIG_PLACE_DEFAULT ((struct config_place){ 0 })

/* "veredus.conf:17" (the base name), "-o:1", or "default": what log records name as rule= and route=. */
struct config_place_text config_place_text(const struct config_files *files, struct config_place place);

/* In the order in which they are read: < 0, 0, > 0. */
int config_place_cmp(struct config_place a, struct config_place b);

#endif
