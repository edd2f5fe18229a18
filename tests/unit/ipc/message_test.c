/* Every message of messages.def as octets and back; what is none of ours. */
#include "tests/unit/unit.h"

#include "core/num.h"
#include "ipc/message.h"

/* Any body: fields take their values from the octets here, texts are cut out of the same. */
static const char any[] = "\1\2\3\4\5\6\7\10 a text, \xff\xfe\0 and more of it, as long as this";

#define SET_U8(field) body.field = (uint8_t)any[k++ % 8];
#define SET_U16(field) body.field = (uint16_t)(0xff00 + k++);
#define SET_U32(field) body.field = 0xfffffff0U + (uint32_t)k++;
#define SET_U64(field) body.field = UINT64_MAX - k++;
#define SET_I64(field) body.field = INT64_MIN + (int64_t)k++;
#define SET_STR(field) body.field = str_of(any + k % 8, k % 3 ? (k * 7) % 32 : 0), k++;
#define SAME_U8(field) assert_int_equal(body.field, got.field);
#define SAME_U16(field) assert_int_equal(body.field, got.field);
#define SAME_U32(field) assert_int_equal(body.field, got.field);
#define SAME_U64(field) assert_true(body.field == got.field);
#define SAME_I64(field) assert_true(body.field == got.field);
#define SAME_STR(field) assert_str_is(got.field, body.field);

/* Each frame begins at an octet of its own of the heap; shorter, it is MORE, and says how long it must be. */
static void decode_all_ways(struct str frame, struct ipc_message *m, bool want_fd, char **keep)
{
    bool with_fd = !want_fd;
    size_t used = 0;

    for (size_t n = 0; n < frame.n; n++) {
        char *copy = exact_copy(str_head(frame, n));
        assert_int_equal(ipc_decode(str_of(copy, n), m, &with_fd, &used), IPC_SCAN_MORE);
        assert_true(used > n && used <= frame.n);
        free(copy);
    }
    *keep = exact_copy(frame);
    assert_int_equal(ipc_decode(str_of(*keep, frame.n), m, &with_fd, &used), IPC_SCAN_FRAME);
    assert_int_equal(used, frame.n);
    assert_int_equal(with_fd, want_fd);
    assert_int_equal(m->fd, -1);
}

/* Two functions that fill and compare each body, and one that sends it round. */
#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD)                                              \
    static void set_##name(struct ipc_##name *at, size_t *from)                                             \
    {                                                                                                       \
        struct ipc_##name body = *at;                                                                       \
        size_t k = *from;
#define IPC_FIELD(name, KIND, field) SET_##KIND(field)
#define IPC_END(name)                                                                                       \
    *at = body;                                                                                             \
    *from = k;                                                                                              \
    }
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD)                                              \
    static void same_##name(const struct ipc_##name *a, const struct ipc_##name *b)                         \
    {                                                                                                       \
        struct ipc_##name body = *a, got = *b;
#define IPC_FIELD(name, KIND, field) SAME_##KIND(field)
#define IPC_END(name) }
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD)                                              \
    static void round_of_##name(void)                                                                       \
    {                                                                                                       \
        for (int with_fd = 0; with_fd <= (int)ipc_type_takes_fd(IPC_##TYPE); with_fd++) {                   \
            struct ipc_##name body = { 0 };                                                                 \
            struct buf out = BUF_INIT(10000), again = BUF_INIT(10000);                                      \
            struct ipc_message m;                                                                           \
            char *keep;                                                                                     \
            size_t k = IPC_##TYPE;                                                                          \
            set_##name(&body, &k);                                                                          \
            assert_true(ipc_encode(&out, IPC_##TYPE, &body, with_fd));                                      \
            decode_all_ways(buf_str(&out), &m, with_fd, &keep);                                             \
            assert_int_equal(m.type, IPC_##TYPE);                                                           \
            same_##name(&body, &m.name);                                                                    \
            assert_true(ipc_encode(&again, m.type, &m.name, with_fd));                                      \
            assert_str_is(buf_str(&again), buf_str(&out));                                                  \
            free(keep);                                                                                     \
            buf_done(&again);                                                                               \
            buf_done(&out);                                                                                 \
        }                                                                                                   \
    }
#define IPC_FIELD(name, KIND, field)
#define IPC_END(name)
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END

static void every_message_comes_back_as_it_was_however_it_is_cut(void **state)
{
    (void)state;
#define IPC_MESSAGE(TYPE, name, CLASS, SENDERS, RECEIVERS, FD) round_of_##name();
#define IPC_FIELD(name, KIND, field)
#define IPC_END(name)
#include "ipc/messages.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
}

static enum ipc_scan scan(struct str octets)
{
    char *copy = exact_copy(octets);
    struct ipc_message m;
    bool with_fd;
    size_t used;
    enum ipc_scan got = ipc_decode(str_of(copy, octets.n), &m, &with_fd, &used);

    free(copy);
    return got;
}

static enum ipc_scan scan_head(uint32_t length, uint16_t type, uint16_t flags)
{
    char head[IPC_FRAME_HEAD];

    le32_put(head, length);
    le16_put(head + 4, type);
    le16_put(head + 6, flags);
    return scan(str_of(head, sizeof(head)));
}

static void heads_that_cannot_be_are_nonsense_at_once(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < IPC_FRAME_HEAD - 4; n++)
        assert_int_equal(scan_head(n, IPC_SETTLED, 0), IPC_SCAN_NONSENSE);
    assert_int_equal(scan_head(12, IPC_SETTLED, 0), IPC_SCAN_MORE);
    assert_int_equal(scan_head(IPC_FRAME_MAX - 4, IPC_SETTLED, 0), IPC_SCAN_MORE);
    assert_int_equal(scan_head(IPC_FRAME_MAX - 3, IPC_SETTLED, 0), IPC_SCAN_NONSENSE);
    assert_int_equal(scan_head(UINT32_MAX, IPC_SETTLED, 0), IPC_SCAN_NONSENSE);
    assert_int_equal(scan_head(12, IPC_TYPES, 0), IPC_SCAN_NONSENSE);
    assert_int_equal(scan_head(12, UINT16_MAX, 0), IPC_SCAN_NONSENSE);
    assert_int_equal(scan_head(12, IPC_SETTLED, IPC_FLAG_FD), IPC_SCAN_NONSENSE);
    assert_int_equal(scan_head(12, IPC_LEASE, IPC_FLAG_FD), IPC_SCAN_MORE);
    for (unsigned bit = 1; bit < 16; bit++)
        assert_int_equal(scan_head(12, IPC_LEASE, (uint16_t)(1U << bit)), IPC_SCAN_NONSENSE);
}

/* The length of a frame and the lengths of its texts must say the same. */
static void fields_that_do_not_fill_the_frame_are_nonsense(void **state)
{
    struct buf out = BUF_INIT(1000);

    (void)state;
    assert_true(ipc_encode(&out, IPC_TOKEN_ASK, &(struct ipc_token_ask){ .ticket = 1, .token = STR("0123456789") }, false));
    size_t n = out.n;
    for (uint32_t length = 4; length < n + 8; length++) {
        le32_put(out.p, length);
        buf_add(&out, STR("filler of the rest"));
        assert_int_equal(scan(str_head(buf_str(&out), length + 4)),
                         length + 4 == n ? IPC_SCAN_FRAME : IPC_SCAN_NONSENSE);
        out.n = n;
    }
    le32_put(out.p, (uint32_t)n - 4);
    for (uint32_t text = 0; text < 40; text++) {
        le32_put(out.p + 16, text);
        assert_int_equal(scan(buf_str(&out)), text == 10 ? IPC_SCAN_FRAME : IPC_SCAN_NONSENSE);
    }
    le32_put(out.p + 16, UINT32_MAX);
    assert_int_equal(scan(buf_str(&out)), IPC_SCAN_NONSENSE);
    buf_done(&out);
}

static void a_frame_too_large_is_not_made_and_leaves_what_was_there(void **state)
{
    struct buf out = BUF_INIT(2 * IPC_FRAME_MAX), small = BUF_INIT(100);
    static char much[IPC_FRAME_MAX];
    struct ipc_log fits = { .record = str_of(much, IPC_FRAME_MAX - IPC_FRAME_HEAD - 4) };
    struct ipc_log over = { .record = str_of(much, fits.record.n + 1) };

    (void)state;
    buf_add_c(&out, "before");
    assert_false(ipc_encode(&out, IPC_LOG, &over, false));
    assert_str_is(buf_str(&out), STR("before"));
    assert_true(ipc_encode(&out, IPC_LOG, &fits, false));
    assert_int_equal(out.n, 6 + IPC_FRAME_MAX);
    assert_int_equal(scan(str_skip(buf_str(&out), 6)), IPC_SCAN_FRAME);

    /* The same when the buffer is full: it can be used again. */
    assert_false(ipc_encode(&small, IPC_LOG, &(struct ipc_log){ .record = str_of(much, 90) }, false));
    assert_int_equal(small.n, 0);
    assert_true(ipc_encode(&small, IPC_SETTLED, &(struct ipc_settled){ .lease = 1 }, false));
    buf_done(&small);
    buf_done(&out);
}

/* Who asks whom has no cycle, and log records go only to control (DESIGN 3). */
static void rights_to_send_are_those_of_the_table(void **state)
{
    (void)state;
    assert_true(ipc_type_allowed(IPC_COMMIT_ASK, PROCESS_RECEIVE, PROCESS_QUEUE));
    assert_false(ipc_type_allowed(IPC_COMMIT_ASK, PROCESS_DELIVER, PROCESS_QUEUE));
    assert_false(ipc_type_allowed(IPC_COMMIT_ASK, PROCESS_LOOKUP, PROCESS_QUEUE));
    assert_false(ipc_type_allowed(IPC_LOG, PROCESS_RECEIVE, PROCESS_QUEUE));
    assert_false(ipc_type_allowed(IPC_CONFIG, PROCESS_RECEIVE, PROCESS_LOOKUP));
    for (int from = 0; from < PROCESS_KINDS; from++) {
        for (int to = 0; to < PROCESS_KINDS; to++) {
            bool asks = false, asked = false;
            for (int t = 0; t < IPC_TYPES; t++) {
                /* control asks all how they are, and main gives orders. */
                bool own = t == IPC_STATUS_ASK || t == IPC_COMMAND_ASK;
                if (own || from == to || ipc_type_class((enum ipc_type)t) != IPC_QUESTION)
                    continue;
                asks = asks || ipc_type_allowed((enum ipc_type)t, (enum process_kind)from, (enum process_kind)to);
                asked = asked || ipc_type_allowed((enum ipc_type)t, (enum process_kind)to, (enum process_kind)from);
            }
            assert_false(asks && asked);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_as_it_was_however_it_is_cut),
        cmocka_unit_test(heads_that_cannot_be_are_nonsense_at_once),
        cmocka_unit_test(fields_that_do_not_fill_the_frame_are_nonsense),
        cmocka_unit_test(a_frame_too_large_is_not_made_and_leaves_what_was_there),
        cmocka_unit_test(rights_to_send_are_those_of_the_table),
    };

    return cmocka_run_group_tests_name("ipc/message", tests, NULL, NULL);
}
