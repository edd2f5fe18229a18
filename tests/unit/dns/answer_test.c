/* DNS messages as facts; whole, cut at every octet, with every octet changed. */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "dns/answer.h"

enum { ARENA_MAX = 1 << 20 };

#define HEAD(flags, questions, answers, authorities)                                                         \
    "\x12\x34\x81" flags "\x00" questions "\x00" answers "\x00" authorities "\x00\x00"
#define QUESTION(type) "\x07" "example\x03" "net\x00\x00" type "\x00\x01"
/* The name of the question, type, class IN, 300 seconds. */
#define RECORD(type, length) "\xc0\x0c\x00" type "\x00\x01\x00\x00\x01\x2c\x00" length
#define SOA "\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x78\x00\x16\x00\x00" "\0\0\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\0\0"   \
    "\x00\x00\x00\x3c"

static const struct str mx_answer = STR_INIT(HEAD("\x80", "\x01", "\x03", "\x00") QUESTION("\x0f")
    RECORD("\x0f", "\x07") "\x00\x0a\x02" "M1\xc0\x0c"
    RECORD("\x0f", "\x08") "\x00\x14\x03" "m 2\xc0\x0c"
    RECORD("\x0f", "\x03") "\x00\x00\x00");

struct reading {
    struct arena *arena;
    char *copy;
    bool ok;
    struct dns_answer answer;
};

static struct reading read_packet(struct str packet, enum dns_type type)
{
    struct reading r = { .arena = arena_new(ARENA_MAX), .copy = exact_copy(packet) };

    r.ok = dns_answer_read(str_of(r.copy, packet.n), type, r.arena, &r.answer);
    return r;
}

static void done(struct reading *r)
{
    free(r->copy);
    arena_free(r->arena);
}

static void mx_records_are_read(void **state)
{
    struct reading r = read_packet(mx_answer, DNS_MX);

    (void)state;
    assert_true(r.ok);
    assert_int_equal(r.answer.status, DNS_FOUND);
    assert_int_equal(r.answer.n, 3);
    assert_int_equal(r.answer.ttl, 300);
    assert_int_equal(r.answer.records[0].preference, 10);
    assert_str_is(r.answer.records[0].name, STR("m1.example.net"));
    /* No host is called so; but the record is there (C138). */
    assert_int_equal(r.answer.records[1].preference, 20);
    assert_str_is(r.answer.records[1].name, STR(""));
    assert_str_is(r.answer.records[2].name, STR("."));
    done(&r);
}

static void addresses_are_read(void **state)
{
    struct reading r = read_packet(STR(HEAD("\x80", "\x01", "\x02", "\x00") QUESTION("\x01")
        "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x07\x00\x02\xc0\x0c"
        RECORD("\x01", "\x04") "\xc0\x00\x02\x01"), DNS_A);

    (void)state;
    assert_true(r.ok);
    assert_int_equal(r.answer.n, 1);
    /* The alias on the way holds no longer than that. */
    assert_int_equal(r.answer.ttl, 7);
    assert_int_equal(r.answer.records[0].address.family, IP_V4);
    assert_memory_equal(r.answer.records[0].address.octets, "\xc0\x00\x02\x01", 4);
    done(&r);
    r = read_packet(STR(HEAD("\x80", "\x00", "\x01", "\x00")
        "\x00\x00\x1c\x00\x01\xff\xff\xff\xff\x00\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), DNS_AAAA);
    assert_true(r.ok);
    assert_int_equal(r.answer.ttl, 0);
    assert_int_equal(r.answer.records[0].address.family, IP_V6);
    done(&r);
    /* An address of another length is none. */
    r = read_packet(STR(HEAD("\x80", "\x00", "\x01", "\x00") "\x00\x00\x01\x00\x01\0\0\0\0\x00\x03\x01\x02\x03"), DNS_A);
    assert_false(r.ok);
    done(&r);
}

static void nothing_is_told_from_no_name(void **state)
{
    struct reading r = read_packet(STR(HEAD("\x80", "\x01", "\x00", "\x01") QUESTION("\x0f") SOA), DNS_MX);

    (void)state;
    assert_true(r.ok);
    assert_int_equal(r.answer.status, DNS_NO_DATA);
    assert_int_equal(r.answer.ttl, 60);
    done(&r);
    r = read_packet(STR(HEAD("\x83", "\x01", "\x00", "\x00") QUESTION("\x0f")), DNS_MX);
    assert_int_equal(r.answer.status, DNS_NO_NAME);
    done(&r);
    r = read_packet(STR(HEAD("\x85", "\x01", "\x00", "\x00") QUESTION("\x0f")), DNS_MX);
    assert_true(r.ok);
    assert_int_equal(r.answer.status, DNS_FAILED);
    assert_str_is(r.answer.error, STR("the server answered with error 5"));
    done(&r);
}

static void names_that_go_round_are_refused(void **state)
{
    static const struct str bad[] = {
        STR_INIT(HEAD("\x80", "\x01", "\x00", "\x00") "\xc0\x0c\x00\x01\x00\x01"),         /* at itself */
        STR_INIT(HEAD("\x80", "\x01", "\x00", "\x00") "\x01" "a\xc0\x0c\x00\x01\x00\x01"), /* at its front */
        STR_INIT(HEAD("\x80", "\x01", "\x00", "\x00") "\xc0\x20\x00\x01\x00\x01"),         /* ahead */
        STR_INIT(HEAD("\x80", "\x01", "\x00", "\x00") "\x40" "a\x00\x00\x01\x00\x01"),     /* no label, no pointer */
        STR_INIT(HEAD("\x80", "\xff", "\xff", "\xff") "\x00\x00\x01\x00\x01"),             /* too little */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct reading r = read_packet(bad[i], DNS_A);
        assert_false(r.ok);
        done(&r);
    }
}

static void names_longer_than_a_name_may_be_are_refused(void **state)
{
    char packet[12 + 5 * 64 + 5] = HEAD("\x80", "\x01", "\x00", "\x00");

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        packet[12 + i * 64] = 63;
        memset(packet + 13 + i * 64, 'a', 63);
    }
    struct reading r = read_packet(str_of(packet, sizeof(packet)), DNS_A);
    assert_false(r.ok);
    done(&r);
}

static void messages_that_are_cut_are_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < mx_answer.n; n++) {
        struct reading r = read_packet(str_head(mx_answer, n), DNS_MX);
        assert_false(r.ok);
        done(&r);
    }
}

/* Whatever an octet becomes, nothing outside is read, and what is read is bounded. */
static void octets_that_are_changed_do_no_harm(void **state)
{
    char packet[200];

    (void)state;
    for (size_t at = 0; at < mx_answer.n; at++) {
        for (unsigned value = 0; value < 256; value += 5) {
            memcpy(packet, mx_answer.p, mx_answer.n);
            packet[at] = (char)value;
            struct reading r = read_packet(str_of(packet, mx_answer.n), DNS_MX);
            if (r.ok)
                assert_true(r.answer.n <= 3);
            done(&r);
        }
    }
}

static void no_more_records_than_the_maximum(void **state)
{
    static const char record[] = "\x00\x00\x01\x00\x01\0\0\0\x09\x00\x04\x01\x02\x03\x04";
    static char packet[12 + 200 * (sizeof(record) - 1)] = HEAD("\x80", "\x00", "\xc8", "\x00");

    (void)state;
    for (size_t i = 0; i < 200; i++)
        memcpy(packet + 12 + i * (sizeof(record) - 1), record, sizeof(record) - 1);
    struct reading r = read_packet(str_of(packet, sizeof(packet)), DNS_A);
    assert_true(r.ok);
    assert_int_equal(r.answer.n, DNS_RECORDS_MAX);
    done(&r);
}

static void without_memory_nothing_is_read(void **state)
{
    struct dns_answer answer;
    size_t max = 8;
    bool ok;

    (void)state;
    do {
        struct arena *a = arena_new(max++);
        ok = dns_answer_read(mx_answer, DNS_MX, a, &answer);
        arena_free(a);
    } while (!ok);
    assert_true(max > 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mx_records_are_read),
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(nothing_is_told_from_no_name),
        cmocka_unit_test(names_that_go_round_are_refused),
        cmocka_unit_test(names_longer_than_a_name_may_be_are_refused),
        cmocka_unit_test(messages_that_are_cut_are_refused),
        cmocka_unit_test(octets_that_are_changed_do_no_harm),
        cmocka_unit_test(no_more_records_than_the_maximum),
        cmocka_unit_test(without_memory_nothing_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
