/* The envelope as octets of the spool (docs/SPOOL.md, "Envelope"). */
#include "tests/unit/unit.h"

#include "core/num.h"
#include "message/envelope.h"

static const struct envelope_recipient recipients[] = {
    { 1, STR_INIT("anna"), STR_INIT("example.org"), STR_INIT("Anna@example.org"), STR_INIT(""), false },
    { 7, STR_INIT(""), STR_INIT(""), STR_INIT(""), STR_INIT(""), true },
    { UINT32_MAX, STR_INIT("b\0\xff"), STR_INIT("x"), STR_INIT("y"), STR_INIT("owner-l@example.org"), true },
    { 8, STR_INIT("/usr/bin/filter -x"), STR_INIT("example.org"), STR_INIT(""), STR_INIT(""), false, ENVELOPE_COMMAND },
    { 9, STR_INIT("/var/mail/list"), STR_INIT("example.org"), STR_INIT(""), STR_INIT(""), false, ENVELOPE_FILE },
    { 10, STR_INIT("c"), STR_INIT("d.example"), STR_INIT("c@d.example"), STR_INIT(""), false, ENVELOPE_ADDRESS,
      STR_INIT("smtp://relay.example:26") },
};

static const struct envelope full = {
    .sender = STR_INIT("a@example.net"),
    .smtputf8 = true,
    .body = ENVELOPE_BODY_8BIT,
    .size = UINT64_MAX,
    .lines = 3,
    .longest_line = 998,
    .leading_dots = 1,
    .client = STR_INIT("0123456789abcdef"),
    .client_name = STR_INIT("c.example.net"),
    .listener = STR_INIT("smtp"),
    .protocol = STR_INIT("ESMTP"),
    .session = STR_INIT("s"),
    .message_id = STR_INIT("<x@y>"),
    .subject = STR_INIT("Invoice \xff\0 4411"),
    .references = STR_INIT("<a@b> <c@d>"),
    .header_octets = UINT64_MAX,
    .header_eight_bit = true,
    .uid_plus = UINT32_MAX,
    .report = ENVELOPE_POSTMASTER_REPORT,
    .account = STR_INIT("anna@example.org"),
    .held = STR_INIT("limit account messages 3/h"),
    .release_msec = INT64_MAX / 2,
    .release_request = STR_INIT("for;3600"),
    .recipients = recipients,
    .n_recipients = ARRAY_LEN(recipients),
};

static void same(const struct envelope *a, const struct envelope *b)
{
    assert_str_is(a->sender, b->sender);
    assert_int_equal(a->smtputf8, b->smtputf8);
    assert_int_equal(a->body, b->body);
    assert_true(a->size == b->size && a->lines == b->lines);
    assert_true(a->longest_line == b->longest_line && a->leading_dots == b->leading_dots);
    assert_str_is(a->client, b->client);
    assert_str_is(a->client_name, b->client_name);
    assert_str_is(a->listener, b->listener);
    assert_str_is(a->protocol, b->protocol);
    assert_str_is(a->session, b->session);
    assert_str_is(a->message_id, b->message_id);
    assert_str_is(a->subject, b->subject);
    assert_str_is(a->references, b->references);
    assert_true(a->header_octets == b->header_octets);
    assert_int_equal(a->header_eight_bit, b->header_eight_bit);
    assert_int_equal(a->uid_plus, b->uid_plus);
    assert_int_equal(a->report, b->report);
    assert_str_is(a->account, b->account);
    assert_str_is(a->held, b->held);
    assert_true(a->release_msec == b->release_msec);
    assert_str_is(a->release_request, b->release_request);
    assert_int_equal(a->n_recipients, b->n_recipients);
    for (size_t i = 0; i < a->n_recipients; i++) {
        const struct envelope_recipient *r = &a->recipients[i], *o = &b->recipients[i];
        assert_int_equal(r->number, o->number);
        assert_str_is(r->local, o->local);
        assert_str_is(r->domain, o->domain);
        assert_str_is(r->original, o->original);
        assert_int_equal(r->kind, o->kind);
        assert_int_equal(r->has_sender, o->has_sender);
        assert_str_is(r->sender, o->sender);
        assert_str_is(r->route, o->route);
    }
}

static bool decodes(struct str in, enum err_kind *kind)
{
    struct arena *a = arena_new(1 << 20);
    char *copy = exact_copy(in);
    struct err err = { 0 };
    struct envelope e;
    bool ok = envelope_decode(str_of(copy, in.n), a, &e, &err);

    *kind = err.kind;
    free(copy);
    arena_free(a);
    return ok;
}

static void an_envelope_comes_back_as_it_was(void **state)
{
    const struct envelope empty = { 0 };
    const struct envelope *const all[] = { &full, &empty };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct buf out = BUF_INIT(10000);
        struct arena *a = arena_new(10000);
        struct err err = { 0 };
        struct envelope got;
        assert_true(envelope_encode(&out, all[i]));
        char *copy = exact_copy(buf_str(&out));
        assert_true(envelope_decode(str_of(copy, out.n), a, &got, &err));
        same(&got, all[i]);
        free(copy);
        arena_free(a);
        buf_done(&out);
    }
}

/* It is cut at the end of a field, or it is no envelope. */
static void a_field_that_is_cut_is_refused(void **state)
{
    struct buf out = BUF_INIT(10000);
    enum err_kind kind;
    size_t whole = 0;

    (void)state;
    assert_true(envelope_encode(&out, &full));
    for (size_t n = 0; n < out.n; n++) {
        size_t end = 0;
        while (end < n)
            end += 6 + le32_get(out.p + end + 2);
        assert_int_equal(decodes(str_of(out.p, n), &kind), end == n);
        if (end != n)
            assert_int_equal(kind, ERR_PERM);
        whole += end == n;
    }
    assert_int_equal(whole, 23 + ARRAY_LEN(recipients));
    buf_done(&out);
}

static void add_field(struct buf *out, unsigned tag, struct str octets)
{
    char head[6];

    le16_put(head, (uint16_t)tag);
    le32_put(head + 2, (uint32_t)octets.n);
    buf_add(out, str_of(head, sizeof(head)));
    buf_add(out, octets);
}

static void what_a_later_version_added_is_passed_over_or_keeps_it_from_being_delivered(void **state)
{
    static const unsigned later[] = { 0, 50, 99, 0x7fff };
    enum err_kind kind;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        for (unsigned must = 0; must <= ENVELOPE_MUST_KNOW; must += ENVELOPE_MUST_KNOW) {
            struct buf out = BUF_INIT(10000), in = BUF_INIT(10000);
            assert_true(envelope_encode(&out, &full));
            add_field(&out, later[i] | must, STR("of a later version"));
            assert_int_equal(decodes(buf_str(&out), &kind), must == 0);

            /* The same within a recipient. */
            add_field(&in, 1 | ENVELOPE_MUST_KNOW, STR("\5\0\0\0\0\0\0\0"));
            add_field(&in, later[i] | must, STR("of a later version"));
            buf_clear(&out);
            add_field(&out, 2 | ENVELOPE_MUST_KNOW, buf_str(&in));
            assert_int_equal(decodes(buf_str(&out), &kind), must == 0);
            if (must)
                assert_int_equal(kind, ERR_PERM);
            buf_done(&in);
            buf_done(&out);
        }
    }
}

static void values_that_cannot_be_are_refused(void **state)
{
    static const struct {
        unsigned tag;
        struct str octets;
    } bad[] = {
        { 4, STR_INIT("\2\0\0\0\0\0\0\0") },                    /* no such body */
        { 4, STR_INIT("\1\0\0\0\0\0\0") },                      /* no number */
        { 5, STR_INIT("") },
        { 6, STR_INIT("\1\0\0\0\0\0\0\0\0") },
        { 9, STR_INIT("0123456789abcde") },                     /* no address */
        { 9, STR_INIT("") },
        { 2 | ENVELOPE_MUST_KNOW, STR_INIT("") },               /* a recipient without a number */
        { 2 | ENVELOPE_MUST_KNOW, STR_INIT("\1\200\7\0\0\0") }, /* that is cut */
        { 2 | ENVELOPE_MUST_KNOW, STR_INIT("\1\200\10\0\0\0\0\0\0\0\0\0\0\0") },
        { 2 | ENVELOPE_MUST_KNOW, STR_INIT("\1\200\10\0\0\0\0\0\0\0\1\0\0\0") }, /* above 32 bits */
        { 2 | ENVELOPE_MUST_KNOW,
          STR_INIT("\1\200\10\0\0\0\1\0\0\0\0\0\0\0\6\200\10\0\0\0\3\0\0\0\0\0\0\0") }, /* no such kind */
        { 18, STR_INIT("\2\0\0\0\0\0\0\0") },                     /* neither yes nor no */
        { 19, STR_INIT("\0\0\0\0\1\0\0\0") },                     /* no uid */
        { 23 | ENVELOPE_MUST_KNOW, STR_INIT("\1\0\0\0\0\0\0") },   /* no time */
        { 23 | ENVELOPE_MUST_KNOW, STR_INIT("\0\0\0\0\0\0\0\200") }, /* none that there is */
        { 20 | ENVELOPE_MUST_KNOW, STR_INIT("\3\0\0\0\0\0\0\0") }, /* no such report */
    };
    enum err_kind kind;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf out = BUF_INIT(1000);
        add_field(&out, bad[i].tag, bad[i].octets);
        assert_false(decodes(buf_str(&out), &kind));
        assert_int_equal(kind, ERR_PERM);
        buf_done(&out);
    }
}

/* Whoever sums up before he has all of them comes to the same. */
static void a_recipient_takes_what_is_said_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1U << 5; i++) {
        struct envelope_recipient r = {
            .number = i & 1 ? 70000 : 1,
            .local = i & 2 ? STR("somebody") : STR_NONE,
            .domain = STR("example.org"),
            .original = i & 4 ? STR("x@example.net") : STR_NONE,
            .has_sender = i & 8,
            .sender = i & 1 ? STR("owner-x@example.org") : STR_NONE,
            .kind = i & 16 ? ENVELOPE_FILE : ENVELOPE_ADDRESS,
            .route = i & 16 ? STR("hold") : STR_NONE,
        };
        struct envelope e = { .sender = STR("a@example.net"), .recipients = &r };
        struct buf with = BUF_INIT(1000), without = BUF_INIT(1000);
        assert_true(envelope_encode(&without, &e));
        e.n_recipients = 1;
        assert_true(envelope_encode(&with, &e));
        assert_int_equal(with.n - without.n, envelope_recipient_octets(&r));
        buf_done(&with);
        buf_done(&without);
    }
}

static void recipients_are_bounded(void **state)
{
    struct buf out = BUF_INIT(ENVELOPE_OCTETS_MAX), small = BUF_INIT(100);
    enum err_kind kind;

    (void)state;
    for (size_t i = 0; i <= ENVELOPE_RECIPIENTS_MAX; i++)
        add_field(&out, 2 | ENVELOPE_MUST_KNOW, STR("\1\200\10\0\0\0\1\0\0\0\0\0\0\0"));
    assert_false(decodes(buf_str(&out), &kind));
    assert_int_equal(kind, ERR_PERM);
    /* Within the bound, and more than memory allows here: that is no fault of the envelope. */
    assert_false(decodes(str_head(buf_str(&out), out.n - 20), &kind));
    assert_int_equal(kind, ERR_TEMP);
    assert_false(envelope_encode(&small, &full));
    buf_done(&out);
    buf_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_comes_back_as_it_was),
        cmocka_unit_test(a_field_that_is_cut_is_refused),
        cmocka_unit_test(what_a_later_version_added_is_passed_over_or_keeps_it_from_being_delivered),
        cmocka_unit_test(values_that_cannot_be_are_refused),
        cmocka_unit_test(a_recipient_takes_what_is_said_of_it),
        cmocka_unit_test(recipients_are_bounded),
    };

    return cmocka_run_group_tests_name("message/envelope", tests, NULL, NULL);
}
