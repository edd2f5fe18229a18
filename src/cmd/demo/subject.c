/* cmd/demo/subject.c -- veredus queue show ID --content, cut down to one field. */
#include "cmd/demo/subject.h"

#include "cmd/demo/proof.h"
#include "cmd/row.h"
#include "cmd/server.h"

enum { CONTENT_MAX = 256 * 1024 };

bool demo_subject_ask(const struct demo_place *place, const char *id, struct buf *subject)
{
    struct buf content = BUF_INIT(CONTENT_MAX);
    char path[DEMO_PATH_MAX];
    struct server s;
    json_t *row;

    demo_place_path(place, "control", path);
    if (server_connect(&s, path, true) == CMD_OK)
        server_ask(&s, json_pack("{s:s,s:s,s:b}", "command", "queue show", "id", id, "content", true));
    while ((row = server_next(&s, NULL))) {
        buf_add(&content, row_text(row, "content"));
        json_decref(row);
    }
    server_close(&s);
    bool found = demo_proof_header_field(buf_str(&content), "Subject", subject);
    buf_done(&content);
    return found;
}
