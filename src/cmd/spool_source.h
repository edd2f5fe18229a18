/* cmd/spool_source.h -- messages of the spool, of the server that runs or of the folder alone. */
#ifndef CMD_SPOOL_SOURCE_H
#define CMD_SPOOL_SOURCE_H

#include "cmd/server.h"
#include "cmd/settings.h"
#include "cmd/spool_file.h"
#include "spool/still.h"

struct spool_source {
    struct settings settings;
    char path[CMD_PATH_MAX]; /* of the spool */
    bool live;               /* a server is asked */
    struct server server;
    struct spool_disk *disk, *still;
    struct spool *spool; /* NULL also after spool_source_still() alone */
};

/* CMD_OK, or an exit code and the reason was printed. spool_source_close() in any case. */
int spool_source_open(struct spool_source *s, const struct cmd_call *call);
/* The folder alone, nobody asked and nothing recovered: for a salvage. */
int spool_source_still(struct spool_source *s, const struct cmd_call *call);
void spool_source_close(struct spool_source *s);

/* All ids, rising, in *ids (free()). */
int spool_source_ids(struct spool_source *s, uint64_t **ids, size_t *n);
/*
 * The message item->id into ITEM, its content to SINK in pieces. CMD_OK; CMD_FOUND: it is gone, or cannot be
 * read at all; another exit code. Whatever is not CMD_OK was printed. SINK gives false to end it.
 */
int spool_source_read(struct spool_source *s, struct spool_item *item,
                      bool (*sink)(void *ctx, struct str octets), void *ctx);
/* The same of what a read of the folder gave; takes its file from the beginning. */
bool spool_source_take(const struct spool_read *read, struct spool_item *item,
                       bool (*sink)(void *ctx, struct str octets), void *ctx);

#endif
