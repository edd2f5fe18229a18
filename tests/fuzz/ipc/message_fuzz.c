/*
 * Frames between processes. Oracles: what decodes encodes back to the same octets; with less of it there is MORE,
 * which says how much is needed; nothing outside the octets given is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes an exact copy of IN; *m borrows from it. */
static enum ipc_scan decode(struct str in, struct ipc_message *m, bool *with_fd, size_t *used, char **copy)
{
    *copy = malloc(in.n ? in.n : 1);
    BUG_ON(!*copy);
    if (in.n)
        memcpy(*copy, in.p, in.n);
    return ipc_decode(str_of(*copy, in.n), m, with_fd, used);
}

static void check_frame(struct str frame, const struct ipc_message *m, bool with_fd)
{
    struct buf again = BUF_INIT(IPC_FRAME_MAX);

    BUG_ON(m->fd != -1 || (with_fd && !ipc_type_takes_fd(m->type)));
    /* All members of the union begin where it begins. */
    BUG_ON(!ipc_encode(&again, m->type, &m->config, with_fd));
    BUG_ON(!str_eq(buf_str(&again), frame));
    buf_done(&again);
}

static void check_pieces(struct str frame)
{
    size_t step = frame.n / 64 + 1;

    for (size_t n = 0; n < frame.n; n += step) {
        struct ipc_message m;
        bool with_fd;
        size_t used;
        char *copy;
        BUG_ON(decode(str_head(frame, n), &m, &with_fd, &used, &copy) != IPC_SCAN_MORE);
        BUG_ON(used <= n || used > frame.n);
        free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_of((const char *)data, size);

    for (;;) {
        struct ipc_message m;
        bool with_fd;
        size_t used;
        char *copy;
        enum ipc_scan scan = decode(rest, &m, &with_fd, &used, &copy);
        if (scan == IPC_SCAN_FRAME) {
            BUG_ON(used > rest.n || used < IPC_FRAME_HEAD);
            check_frame(str_head(rest, used), &m, with_fd);
            check_pieces(str_head(rest, used));
            rest = str_skip(rest, used);
        } else if (scan == IPC_SCAN_MORE) {
            BUG_ON(used <= rest.n);
        }
        free(copy);
        if (scan != IPC_SCAN_FRAME)
            return 0;
    }
}
