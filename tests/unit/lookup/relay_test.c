/* Who may send where (RFC 5321 3.6.2, 7.9), what routes say to RCPT, and where addresses go. */
#include <stdio.h>

#include "tests/unit/lookup/room.h"

/* Line 1 is the first route, so that rules are easy to read. */
static const char config[] =
    "route sales@partner.example fail \"5.1.6 this person has moved\";\n"               /* 1 */
    "route later.example defer \"4.3.2 not today\";\n"                                  /* 2 */
    "route .corp.example smtp://10.0.0.1:2525;\n"                                       /* 3 */
    "route corp.example hold { senders boss@corp.example; }\n"                          /* 4 */
    "route corp.example mx:other.example { listeners printers; }\n"                     /* 5 */
    "route robot@example.org smtp://127.0.0.2:26;\n"                                    /* 6 */
    "route secret@example.org discard { senders .example.net; }\n"                      /* 7 */
    "route ben@example.org fail \"5.2.1 ben has gone\";\n"                              /* 8 */
    "relay-from 192.0.2.0/24 2001:db8::/32 file:/clients;\n"                            /* 9 */
    "listen 25;\n"                                                                      /* 10 */
    "listen 26 { name printers; relay-from 10.0.0.0/8; limit client connections 2; }\n" /* 11 */
    "listen 27 { relay-from none; }\n"                                                  /* 12 */
    "hostname mail.example.org; origin example.org; public-address 192.0.2.1;\n"
    "domain example.org { users file:/users; aliases file:/aliases; "
    "deliver maildir:/m/{user}; }\n"                             /* 14 */
    "domain backup.example { users file:/users; deliver mx; }\n" /* 15 */
    "domain asked.example { users ask; deliver mx; }\n"          /* 16 */
    "route anna+x@backup.example hold;\n"                        /* 17 */
    "route known@asked.example smtp://127.0.0.2;\n";             /* 18 */

static int open_room(void **state)
{
    (void)state;
    room_open(config);
    room_file("/users", "Anna\nben\nsales\n");
    room_file("/aliases", "out: sales@partner.example\nboth: out, anna\nleft: ben\nonly: ben, out\n"
                          "whisper: secret\n");
    room_file("/clients", "# ours\n203.0.113.9 the printer\n2001:DB8:ff::1\n");
    room_forget_records();
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    room_close();
    return 0;
}

/* The 16 octets of an address, in one of a few rooms. */
static struct str octets_of(const char *address)
{
    static struct ip room_of[4];
    static size_t next;
    struct ip *ip = &room_of[next++ % ARRAY_LEN(room_of)];

    if (!address)
        return STR_NONE;
    assert_true(ip_parse(str_from_c(address), ip));
    if (ip->family == IP_V4) {
        memmove(ip->octets + 12, ip->octets, 4);
        memset(ip->octets, 0, 10);
        memset(ip->octets + 10, 0xff, 2);
    }
    return str_of((const char *)ip->octets, 16);
}

static struct ipc_rcpt_answer rcpt(const char *client, uint32_t listener, const char *sender,
                                   const char *address)
{
    struct str all = str_from_c(address);
    size_t at = str_rfind(all, '@');
    struct ipc_rcpt_answer answer;

    lookup_rcpt(&room.turn,
                &(struct ipc_rcpt_ask){
                    .ticket = 1,
                    .client = octets_of(client),
                    .listener = listener,
                    .sender = str_from_c(sender),
                    .local = str_head(all, at),
                    .domain = str_skip(all, at + 1),
                },
                &answer);
    return answer;
}

/* ---- who may ---- */

/* C040: by where the client connects from, and by nothing it says. */
static void permission_comes_from_the_address_of_the_client(void **state)
{
    (void)state;
    static const struct {
        const char *client; /* NULL: a unix socket */
        uint32_t listener;
        bool may;
        const char *rule;
    } rows[] = {
        { "192.0.2.200", 0, true, "" },
        { "2001:db8::77", 0, true, "" },
        { "203.0.113.9", 0, true, "" }, /* by the file */
        { "192.0.3.1", 0, false, "-o:9" },
        { "203.0.113.99", 0, false, "-o:9" },
        { "127.0.0.1", 0, false, "-o:9" }, /* being on this machine is no permission */
        { "::1", 0, false, "-o:9" },
        { "10.9.9.9", 0, false, "-o:9" },
        { "10.9.9.9", 1, true, "" },
        { "192.0.2.200", 1, false, "-o:11" }, /* what the block says replaces what stands outside */
        { "203.0.113.9", 1, false, "-o:11" },
        { "192.0.2.200", 2, false, "-o:12" },
        { NULL, 0, false, "default" },
        { NULL, IPC_NO_LISTENER, true, "" }, /* sendmail(1): a user of this machine */
        { "203.0.113.99", 77, false, "-o:9" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipc_rcpt_answer a =
            rcpt(rows[i].client, rows[i].listener, "anna@example.org", "x@elsewhere.example");
        if (a.refused == rows[i].may)
            fail_msg("%zu: %s by %u: refused %d", i, rows[i].client, rows[i].listener, a.refused);
        assert_int_equal(a.plain, rows[i].may);
        assert_int_equal(a.max_size, 0);
        if (rows[i].may)
            continue;
        assert_int_equal(a.row, SMTP_REPLY_RELAY_DENIED);
        assert_int_equal(a.reason, LOG_REASON_RELAY);
        assert_str_is(a.rule, str_from_c(rows[i].rule));
    }
}

static void who_may_relay_is_not_bound_by_what_is_built_in(void **state)
{
    (void)state;
    static const struct {
        const char *client;
        bool bound;
    } rows[] = {
        { "192.0.2.7", false }, { "203.0.113.9", false }, { "::1", false }, { "198.51.100.1", true }
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int k = 0; k < 50; k++)
            assert_int_equal(rcpt(rows[i].client, 0, "", "nobody@example.org").row,
                             SMTP_REPLY_NO_SUCH_MAILBOX);
        assert_int_equal(rcpt(rows[i].client, 0, "", "anna@example.org").row,
                         rows[i].bound ? SMTP_REPLY_LIMIT_DEFER : SMTP_REPLY_RCPT_OK);
    }
    /* What is written binds everyone it names. */
    struct ipc_connect_ask ask = { .client = octets_of("10.1.1.1"), .listener = 1 };
    struct ipc_connect_answer answer;
    for (int k = 0; k < 3; k++)
        assert_true(lookup_connect(&room.turn, &ask, &answer));
    assert_true(answer.refused);
}

/* A client that is written into the file of addresses, or taken out, while it is connected: nothing stays counted. */
static void connections_are_given_back_as_they_were_opened(void **state)
{
    (void)state;
    struct ipc_connect_ask ask = { .client = octets_of("203.0.113.9") };
    struct ipc_connect_answer answer;

    for (int round = 0; round < 2; round++) {
        for (int k = 0; k < 50; k++)
            assert_int_equal(lookup_connect(&room.turn, &ask, &answer), round == 0);
        assert_int_equal(policy_open_used(room.lookup->counters.open), round);
        room_file("/clients", round ? "203.0.113.9\n" : "");
        for (int k = 0; k < 50; k++)
            lookup_release(&room.turn, ask.client, 0, round == 0);
        assert_int_equal(policy_open_used(room.lookup->counters.open), 0);
    }
}

/* What cannot be known is answered later, to those whom nothing else lets. */
static void without_its_file_of_addresses_a_stranger_is_deferred(void **state)
{
    (void)state;
    room_close();
    room_open(config);
    room_file("/users", "Anna\n");
    room_file("/aliases", "");
    assert_false(rcpt("192.0.2.7", 0, "", "x@elsewhere.example").refused);
    struct ipc_rcpt_answer a = rcpt("203.0.113.9", 0, "", "x@elsewhere.example");
    assert_true(a.refused);
    assert_int_equal(a.row, SMTP_REPLY_LOOKUP_FAILED);
    assert_false(rcpt("203.0.113.9", 0, "", "anna@example.org").refused);
}

/* ---- what routes say ---- */

static void routes_that_refuse_do_so_at_RCPT(void **state)
{
    (void)state;
    static const struct {
        const char *sender;
        const char *address;
        uint16_t code; /* 0: taken */
        const char *status;
        const char *words;
        const char *rule;
    } rows[] = {
        { "", "sales@partner.example", 550, "5.1.6", "this person has moved", "-o:1" },
        { "", "Sales+x@partner.example", 550, "5.1.6", "this person has moved", "-o:1" },
        { "", "info@partner.example", 0, "", "", "" },
        { "", "a@later.example", 450, "4.3.2", "not today", "-o:2" },
        { "", "a@sub.later.example", 0, "", "", "" },
        { "boss@corp.example", "a@corp.example", 0, "", "", "" },
        { "", "ben@example.org", 550, "5.2.1", "ben has gone", "-o:8" },
        { "", "ben@[192.0.2.1]", 550, "5.2.1", "ben has gone", "-o:8" },
        /* Aliases: one that is taken is enough. */
        { "", "left@example.org", 550, "5.2.1", "ben has gone", "-o:8" },
        { "", "out@example.org", 550, "5.1.6", "this person has moved", "-o:1" },
        { "", "only@example.org", 550, "5.1.6", "this person has moved", "-o:1" },
        { "", "both@example.org", 0, "", "", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipc_rcpt_answer a = rcpt("192.0.2.7", 0, rows[i].sender, rows[i].address);
        if (a.refused != (rows[i].code != 0) || a.code != rows[i].code)
            fail_msg("%s: refused %d code %d row %d", rows[i].address, a.refused, a.code, a.row);
        if (!a.refused)
            continue;
        assert_int_equal(a.row, SMTP_REPLY_NONE);
        assert_int_equal(a.reason, LOG_REASON_ROUTE);
        assert_str_is(a.status, str_from_c(rows[i].status));
        assert_str_is(a.detail, str_from_c(rows[i].words));
        assert_str_is(a.rule, str_from_c(rows[i].rule));
    }
    /* To a stranger the first word is that he may not. */
    assert_int_equal(rcpt("198.51.100.1", 0, "", "sales@partner.example").row, SMTP_REPLY_RELAY_DENIED);
    assert_int_equal(rcpt("198.51.100.1", 0, "", "ben@example.org").code, 550);
}

/* C044: what RCPT would refuse, or who a route alone names, was not verified. */
static void vrfy_promises_nothing_that_a_route_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *local;
        enum smtp_reply_name row;
    } rows[] = { { "anna", SMTP_REPLY_VRFY_OK },
                 { "ben", SMTP_REPLY_VRFY_UNSURE },
                 { "robot", SMTP_REPLY_VRFY_UNSURE },
                 { "nobody", SMTP_REPLY_VRFY_NO_SUCH } };
    struct ipc_vrfy_answer a;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipc_vrfy_ask ask = { .local = str_from_c(rows[i].local), .domain = STR("example.org") };
        lookup_vrfy(&room.turn, &ask, &a);
        assert_int_equal(a.row, rows[i].row);
    }
}

/* FACE 1.6: a route for one address is stronger than the domain's deliver, and needs no mailbox. */
static void an_address_with_a_route_needs_no_mailbox(void **state)
{
    (void)state;
    assert_false(rcpt("198.51.100.1", 0, "", "robot@example.org").refused);
    assert_false(rcpt("198.51.100.1", 0, "", "Robot+7@example.org").refused);
    assert_false(rcpt("198.51.100.1", 0, "a@list.example.net", "secret@example.org").refused);
    struct ipc_rcpt_answer a = rcpt("198.51.100.1", 0, "a@example.net", "secret@example.org");
    assert_true(a.refused);
    assert_int_equal(a.row, SMTP_REPLY_NO_SUCH_MAILBOX);
    a = rcpt("198.51.100.1", 0, "a@example.net", "whisper@example.org");
    assert_int_equal(a.row, SMTP_REPLY_NO_SUCH_MAILBOX);
    assert_false(rcpt("198.51.100.1", 0, "a@list.example.net", "whisper@example.org").refused);
}

/* ---- users ask ---- */

static void hear(const char *local, bool exists)
{
    lookup_hear_verified(&room.turn, &(struct ipc_verified){ .client = octets_of("198.51.100.1"),
                                                             .local = str_from_c(local),
                                                             .domain = STR("asked.example"),
                                                             .exists = exists });
}

static void only_the_next_hop_knows_until_it_has_said(void **state)
{
    (void)state;
    struct ipc_rcpt_answer a = rcpt("198.51.100.1", 0, "", "carol@asked.example");

    assert_false(a.refused);
    assert_true(a.ask);
    assert_true(a.plain);
    assert_int_equal(room.lookup->config->routes[a.route].domain->index, 2);
    hear("carol", true);
    hear("nobody", false);
    a = rcpt("198.51.100.1", 0, "", "carol@asked.example");
    assert_false(a.refused || a.ask);
    a = rcpt("198.51.100.1", 0, "", "nobody@asked.example");
    assert_true(a.refused);
    assert_int_equal(a.row, SMTP_REPLY_NO_SUCH_MAILBOX);
    assert_str_is(a.rule, STR("-o:16"));
    room.turn.now_msec += LOOKUP_UNKNOWN_MSEC;
    assert_true(rcpt("198.51.100.1", 0, "", "nobody@asked.example").ask);
    assert_false(rcpt("198.51.100.1", 0, "", "carol@asked.example").ask);
    room.turn.now_msec += LOOKUP_EXISTS_MSEC;
    assert_true(rcpt("198.51.100.1", 0, "", "carol@asked.example").ask);
}

/* C037: a postmaster is always taken; nor is asked what a route has said. */
static void some_need_not_be_asked_about(void **state)
{
    (void)state;
    static const char *const rows[] = { "postmaster@asked.example", "Abuse@asked.example",
                                        "known@asked.example" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipc_rcpt_answer a = rcpt("198.51.100.1", 0, "", rows[i]);
        assert_false(a.refused || a.ask);
    }
    /* Nobody else's mailboxes can be talked away. */
    lookup_hear_verified(&room.turn,
                         &(struct ipc_verified){ .local = STR("anna"), .domain = STR("example.org") });
    assert_false(rcpt("198.51.100.1", 0, "", "anna@example.org").refused);
    assert_int_equal(room.lookup->verified.map.n, 0);
}

static void those_that_the_next_hop_does_not_know_are_counted(void **state)
{
    (void)state;
    char name[16];

    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_true(rcpt("198.51.100.1", 0, "", "x@asked.example").ask);
        hear(name, false);
    }
    assert_int_equal(rcpt("198.51.100.1", 0, "", "anna@example.org").row, SMTP_REPLY_LIMIT_DEFER);
}

/* ---- ROUTE ---- */

static void every_address_has_a_route(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        const char *sender;
        const char *listener;
        const char *rule; /* "" : none, with CODE */
        int domain;       /* also of what is gone; -1: none of ours */
        const char *user;
        const char *detail;
        const char *code;
    } rows[] = {
        { "ANNA+d@example.org", "", "mx-25", "-o:14", 0, "Anna", "d", "" },
        { "robot+d@example.org", "", "", "-o:6", 0, "robot", "d", "" },
        { "ben@example.org", "", "", "-o:8", 0, "ben", "", "" },
        { "secret@example.org", "a@l.example.net", "", "-o:7", 0, "secret", "", "" },
        { "secret@example.org", "a@example.net", "", "", 0, "", "", "5.1.1" },
        { "nobody@example.org", "", "", "", 0, "", "", "5.1.1" },
        { "anna@backup.example", "", "", "-o:15", 1, "Anna", "", "" },
        { "anna+x@backup.example", "", "", "-o:17", 1, "Anna", "x", "" },
        { "whoever@asked.example", "", "", "-o:16", 2, "whoever", "", "" },
        { "x@elsewhere.example", "", "", "default", -1, "x", "", "" },
        { "X+y@elsewhere.example", "", "", "default", -1, "X+y", "", "" },
        { "a@corp.example", "", "", "default", -1, "a", "", "" },
        { "a@corp.example", "", "printers", "-o:5", -1, "a", "", "" },
        { "a@corp.example", "boss@corp.example", "printers", "-o:4", -1, "a", "", "" },
        { "a@b.corp.example", "", "", "-o:3", -1, "a", "", "" },
        { "a@[203.0.113.1]", "", "", "default", -1, "a", "", "" },
        { "sales@partner.example", "", "", "-o:1", -1, "sales", "", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str all = str_from_c(rows[i].address);
        size_t at = str_rfind(all, '@');
        struct ipc_route_answer a;
        lookup_route(&room.turn,
                     &(struct ipc_route_ask){ .ticket = 3,
                                              .local = str_head(all, at),
                                              .domain = str_skip(all, at + 1),
                                              .sender = str_from_c(rows[i].sender),
                                              .listener = str_from_c(rows[i].listener) },
                     &a);
        if (a.status != (rows[i].code[0] ? IPC_PERM : IPC_OK) || !str_eq(a.code, str_from_c(rows[i].code)))
            fail_msg("%s: status %d %.*s", rows[i].address, a.status, STR_ARG(a.code));
        assert_int_equal(a.domain_index, rows[i].domain < 0 ? IPC_NO_DOMAIN : (uint32_t)rows[i].domain);
        assert_str_is(a.domain, str_skip(all, at + 1));
        if (rows[i].code[0])
            continue;
        assert_str_is(a.rule, str_from_c(rows[i].rule));
        assert_str_is(a.user, str_from_c(rows[i].user));
        assert_str_is(a.detail, str_from_c(rows[i].detail));
        const struct config_route *route = &room.lookup->config->routes[a.route];
        assert_str_is(str_from_c(config_rule(room.lookup->config, route->place).c), str_from_c(rows[i].rule));
    }
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(permission_comes_from_the_address_of_the_client),
        IN_ROOM(who_may_relay_is_not_bound_by_what_is_built_in),
        IN_ROOM(connections_are_given_back_as_they_were_opened),
        IN_ROOM(without_its_file_of_addresses_a_stranger_is_deferred),
        IN_ROOM(routes_that_refuse_do_so_at_RCPT),
        IN_ROOM(vrfy_promises_nothing_that_a_route_refuses),
        IN_ROOM(an_address_with_a_route_needs_no_mailbox),
        IN_ROOM(only_the_next_hop_knows_until_it_has_said),
        IN_ROOM(some_need_not_be_asked_about),
        IN_ROOM(those_that_the_next_hop_does_not_know_are_counted),
        IN_ROOM(every_address_has_a_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
