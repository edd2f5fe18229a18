/* cmd/demo/kept.h -- what the hosts of elsewhere keep: elsewhere/DOMAIN/USER/NAME, octet by octet as it came. */
#ifndef CMD_DEMO_KEPT_H
#define CMD_DEMO_KEPT_H

#include <stdbool.h>

#include "cmd/demo/place.h"
#include "core/bug.h"
#include "core/err.h"
#include "core/str.h"
#include "smtp/address.h"

enum { DEMO_KEPT_PART_MAX = 201, DEMO_KEPT_NAME_MAX = 48 };

/*
 * A local part or domain as the name of a folder. Whatever its owner, who may be anyone, put into it: a plain name that
 * is not hidden and leads nowhere else. Other octets stand in it as %2F does; what is too long is cut.
 */
struct demo_kept_part {
    char c[DEMO_KEPT_PART_MAX];
};

struct demo_kept_part demo_kept_part(struct str s);

/* Writes CONTENT for TO below FOLDER, the folder elsewhere. On failure nothing is left of the file. */
MUST_USE bool demo_kept_write(int folder, const struct smtp_path *to, const char *name, struct str content,
                              struct err *err);
/* The file NAME that was kept for ADDRESS, by its path inside the folder of the demonstration. False: there is none. */
MUST_USE bool demo_kept_find(const struct demo_place *place, struct str address, struct str name,
                             char path[DEMO_PATH_MAX]);

#endif
