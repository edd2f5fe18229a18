/* ipc/message.c -- the codec, driven by tables made from messages.def. */
#include "ipc/message.h"

#include <string.h>

#include "core/num.h"

enum field_kind { KIND_U8, KIND_U16, KIND_U32, KIND_U64, KIND_I64, KIND_STR };

struct field {
    enum field_kind kind;
    size_t offset;
};

#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD) static const struct field fields_of_##name[] = {
#define IPC_FIELD(name, KIND, field) { KIND_##KIND, offsetof(struct ipc_##name, field) },
#define IPC_END(name)                                                                                       \
    }                                                                                                       \
    ;
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END

enum { NO_FD = false, WITH_FD = true };
enum { NOTICE = IPC_NOTICE, QUESTION = IPC_QUESTION, ANSWER = IPC_ANSWER };

static const struct {
    const char *name;
    enum ipc_class class;
    unsigned senders;
    unsigned receivers;
    bool takes_fd;
    const struct field *fields;
    size_t n_fields;
} types[IPC_TYPES] = {
#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD)                                              \
    { #TYPE, (enum ipc_class)CLASS, SENDERS, RECEIVERS, FD, fields_of_##name, ARRAY_LEN(fields_of_##name) },
#define IPC_FIELD(name, KIND, field)
#define IPC_END(name)
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
};

const char *ipc_type_name(enum ipc_type type)
{
    return (unsigned)type < IPC_TYPES ? types[type].name : "?";
}

enum ipc_class ipc_type_class(enum ipc_type type)
{
    return types[type].class;
}

bool ipc_type_allowed(enum ipc_type type, enum process_kind from, enum process_kind to)
{
    return (types[type].senders & (1U << from)) && (types[type].receivers & (1U << to));
}

bool ipc_type_takes_fd(enum ipc_type type)
{
    return types[type].takes_fd;
}

bool ipc_gives_fds(enum process_kind from, enum process_kind to)
{
    for (unsigned type = 0; type < IPC_TYPES; type++)
        if (types[type].takes_fd && ipc_type_allowed((enum ipc_type)type, from, to))
            return true;
    return false;
}

static void put_field(struct buf *out, enum field_kind kind, const void *at)
{
    char b[8];

    switch (kind) {
    case KIND_U8:
        buf_add_char(out, (char)*(const uint8_t *)at);
        break;
    case KIND_U16:
        le16_put(b, *(const uint16_t *)at);
        buf_add(out, str_of(b, 2));
        break;
    case KIND_U32:
        le32_put(b, *(const uint32_t *)at);
        buf_add(out, str_of(b, 4));
        break;
    case KIND_U64:
    case KIND_I64:
        le64_put(b, *(const uint64_t *)at);
        buf_add(out, str_of(b, 8));
        break;
    case KIND_STR: {
        const struct str *s = at;
        le32_put(b, s->n > UINT32_MAX ? UINT32_MAX : (uint32_t)s->n);
        buf_add(out, str_of(b, 4));
        buf_add(out, *s);
        break;
    }
    }
}

bool ipc_encode(struct buf *out, enum ipc_type type, const void *body, bool with_fd)
{
    size_t start = out->n;
    char head[IPC_FRAME_HEAD] = { 0 };

    if (out->failed)
        return false;
    buf_add(out, str_of(head, sizeof(head)));
    for (size_t i = 0; i < types[type].n_fields; i++)
        put_field(out, types[type].fields[i].kind, (const char *)body + types[type].fields[i].offset);
    if (out->failed || out->n - start > IPC_FRAME_MAX) {
        out->n = start;
        out->failed = false;
        return false;
    }
    le32_put(out->p + start, (uint32_t)(out->n - start - 4));
    le16_put(out->p + start + 4, (uint16_t)type);
    le16_put(out->p + start + 6, with_fd ? IPC_FLAG_FD : 0);
    return true;
}

/* Takes the field at the front of *rest into AT; false when too few octets are there. */
static bool get_field(struct str *rest, enum field_kind kind, void *at)
{
    static const size_t widths[] = { [KIND_U8] = 1,  [KIND_U16] = 2, [KIND_U32] = 4,
                                     [KIND_U64] = 8, [KIND_I64] = 8, [KIND_STR] = 4 };
    size_t width = widths[kind];

    if (rest->n < width)
        return false;
    switch (kind) {
    case KIND_U8:
        *(uint8_t *)at = (uint8_t)rest->p[0];
        break;
    case KIND_U16:
        *(uint16_t *)at = le16_get(rest->p);
        break;
    case KIND_U32:
        *(uint32_t *)at = le32_get(rest->p);
        break;
    case KIND_U64:
    case KIND_I64:
        *(uint64_t *)at = le64_get(rest->p);
        break;
    case KIND_STR: {
        size_t n = le32_get(rest->p);
        if (n > rest->n - width)
            return false;
        *(struct str *)at = str_of(rest->p + width, n);
        width += n;
        break;
    }
    }
    *rest = str_skip(*rest, width);
    return true;
}

enum ipc_scan ipc_decode(struct str in, struct ipc_message *m, bool *with_fd, size_t *used)
{
    if (in.n < IPC_FRAME_HEAD) {
        *used = IPC_FRAME_HEAD;
        return IPC_SCAN_MORE;
    }

    uint32_t length = le32_get(in.p);
    uint16_t type = le16_get(in.p + 4);
    uint16_t flags = le16_get(in.p + 6);
    if (length < IPC_FRAME_HEAD - 4 || length > IPC_FRAME_MAX - 4 || type >= IPC_TYPES)
        return IPC_SCAN_NONSENSE;
    if ((flags & ~IPC_FLAG_FD) || (flags && !types[type].takes_fd))
        return IPC_SCAN_NONSENSE;
    *used = (size_t)length + 4;
    if (in.n < *used)
        return IPC_SCAN_MORE;

    struct str rest = str_slice(in, IPC_FRAME_HEAD, *used);
    *m = (struct ipc_message){ .type = (enum ipc_type)type, .fd = -1 };
    for (size_t i = 0; i < types[type].n_fields; i++) {
        /* All members of the union begin where it begins. */
        char *body = (char *)m + offsetof(struct ipc_message, config);
        if (!get_field(&rest, types[type].fields[i].kind, body + types[type].fields[i].offset))
            return IPC_SCAN_NONSENSE;
    }
    if (rest.n)
        return IPC_SCAN_NONSENSE;
    *with_fd = flags & IPC_FLAG_FD;
    return IPC_SCAN_FRAME;
}
