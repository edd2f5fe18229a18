/* table/read.h -- a users or aliases file, read through a descriptor and indexed. */
#ifndef TABLE_READ_H
#define TABLE_READ_H

#include "core/bug.h"
#include "core/err.h"
#include "route/table.h"

enum { TABLE_USERS_FILE_MAX = 256 << 20 };

/*
 * A table of FORM from the regular file at FD (stays the caller's; its offset is not moved). Bad lines are in
 * the table's faults and are no failure. NULL with ERR: it cannot be read, or is too large. Password hashes
 * of a users file are in memory only while their piece of the file is looked at, and overwritten after.
 */
MUST_USE struct route_table *table_read(int fd, enum route_form form, struct err *err);
/* The same by path, for subcommands that look at the files themselves. */
MUST_USE struct route_table *table_read_path(const char *path, enum route_form form, struct err *err);
/* Takes NULL. */
void table_free(struct route_table *table);

#endif
