/* `veredus explain ADDRESS`: each decision in a row, and nothing is changed by asking. */
#include <stdio.h>

#include "core/num.h"
#include "tests/unit/lookup/room.h"

static const char config[] =
    "route sales@partner.example fail \"5.1.6 has moved\";\n"                             /* 1 */
    "route corp.example smtp://10.0.0.1:2525 smtp://[2001:db8::1];\n"                     /* 2 */
    "route robot@example.org lmtp:unix:/run/robot;\n"                                     /* 3 */
    "relay-from 192.0.2.0/24;\n"                                                          /* 4 */
    "listen 25 { limit client messages 4/h; allow-from 192.0.2.0/24 198.51.100.0/24; }\n" /* 5 */
    "hostname mail.example.org; origin example.org; public-address 192.0.2.1;\n"
    "domain example.org {\n"                                           /* 7 */
    "  users file:/users; aliases file:/aliases; alias-commands on;\n" /* 8 */
    "  deliver maildir:/m/{domain}/{user};\n"                          /* 9 */
    "}\n"
    "domain asked.example { users ask; deliver mx; }\n"                   /* 11 */
    "domain lost.example { users file:/lost; deliver mbox:/m/{user}; }\n" /* 12 */
    "domain all.example { users any; catch-all anna@example.org; "
    "deliver pipe:/bin/eat {user} \"a b\"; }\n"; /* 13 */

static int open_room(void **state)
{
    (void)state;
    room_open(config);
    room_file("/users", "Anna\nben\n");
    room_file("/aliases", "all: anna, x@corp.example, y@corp.example, z@far.example\ngone: nobody\n"
                          "run: |/bin/run\nlist: ben\nowner-list: anna\n");
    room_forget_records();
    room.turn.only_looks = true;
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    room_close();
    return 0;
}

static struct str field_of(struct str record, enum log_field field, char room_of[32])
{
    struct log_value v;

    if (!log_view_find(record, field, &v))
        return STR_NONE;
    if (v.kind != LOG_KIND_NUMBER)
        return v.octets;
    snprintf(room_of, 32, "%lld", (long long)v.number);
    return str_from_c(room_of);
}

static void show_row(struct buf *out, struct str record)
{
    struct log_view v;
    char number[32];

    assert_true(log_view_open(record, &v));
    if (v.event == LOG_EVENT_ROW_VERDICT) {
        buf_printf(out, "%.*s on %.*s: %.*s", STR_ARG(field_of(record, LOG_CODE, number)),
                   STR_ARG(field_of(record, LOG_LISTENER, number)),
                   STR_ARG(field_of(record, LOG_REPLY, number)));
    } else {
        assert_int_equal(v.event, LOG_EVENT_ROW_DECISION);
        buf_printf(out, "%.*s %.*s: %.*s", STR_ARG(field_of(record, LOG_NAME, number)),
                   STR_ARG(field_of(record, LOG_VALUE, number)), STR_ARG(field_of(record, LOG_TEXT, number)));
    }
    struct str rule = field_of(record, LOG_RULE, number);
    buf_printf(out, rule.n ? " (%.*s)\n" : "\n", STR_ARG(rule));
}

/* All rows as lines, and the hops behind them. */
static const char *explain(const char *client, const char *sender, const char *address)
{
    static struct buf out = { .max = 64 * 1024 };
    struct str all = str_from_c(address);
    size_t at = str_rfind(all, '@');
    struct ipc_explain_answer a;
    struct ip ip = { 0 };

    buf_clear(&out);
    if (client) {
        assert_true(ip_parse(str_from_c(client), &ip));
        memmove(ip.octets + 12, ip.octets, 4);
        memset(ip.octets, 0, 10);
        memset(ip.octets + 10, 0xff, 2);
    }
    lookup_explain(&room.turn,
                   &(struct ipc_explain_ask){ .ticket = 5,
                                              .client = client ? str_of((char *)ip.octets, 16) : STR_NONE,
                                              .sender = str_from_c(sender),
                                              .local = str_head(all, at),
                                              .domain = str_skip(all, at + 1) },
                   &a);
    assert_int_equal(a.ticket, 5);
    assert_int_equal(a.generation, 7);
    for (struct str rest = a.records; rest.n; rest = str_skip(rest, 4 + le32_get(rest.p)))
        show_row(&out, str_slice(rest, 4, 4 + le32_get(rest.p)));
    struct str hops = a.hops;
    for (uint32_t i = 0; i < a.count; i++) {
        buf_printf(&out, "hop %u %.*s\n", le32_get(hops.p),
                   STR_ARG(str_slice(hops, 6, 6 + le16_get(hops.p + 4))));
        hops = str_skip(hops, 6 + le16_get(hops.p + 4));
    }
    assert_int_equal(hops.n, 0);
    buf_add_char(&out, '\0');
    return out.p;
}

#define STRANGER "client 198.51.100.7: a stranger: not in relay-from (-o:4)\n"
#define LIMITS                                                                                               \
    "limits far away: client connections 0 of 50, messages 0 of 4/h, unknown-recipients 0 of 50/h\n"

static void each_decision_is_a_row(void **state)
{
    (void)state;
    static const struct {
        const char *client;
        const char *address;
        const char *rows;
    } rows[] = {
        { "198.51.100.7", "anna+x@example.org",
          "250 on mx-25: 2.1.5 Ok\n" STRANGER "domain example.org: served (-o:7)\n"
          "user Anna: exists, with detail 'x' (-o:8)\n" LIMITS
          "deliver local: maildir:/m/{domain}/{user} (-o:9)\n" },
        { "198.51.100.7", "nobody@example.org",
          "550 on mx-25: 5.1.1 nobody@example.org: no such mailbox (-o:8)\n" STRANGER
          "domain example.org: served (-o:7)\nuser nobody: does not exist (-o:8)\n" LIMITS },
        { "198.51.100.7", "x@elsewhere.example",
          "550 on mx-25: 5.7.1 x@elsewhere.example: this server relays for its own users only; log in on "
          "port 587 or "
          "465 (-o:4)\n" STRANGER "domain elsewhere.example: not served here\n"
          "relay refused: only clients in relay-from may send to other hosts (-o:4)\n" LIMITS },
        { "192.0.2.7", "x@elsewhere.example",
          "250 on mx-25: 2.1.5 Ok\nclient 192.0.2.7: in relay-from: may send anywhere (-o:4)\n"
          "domain elsewhere.example: not served here\nrelay allowed: this client may send to other hosts "
          "(-o:4)\n"
          "limits far away: client messages 0 of 4/h\nroute remote: mx (default)\nhop 7 "
          "elsewhere.example\n" },
        { "192.0.2.7", "sales@partner.example",
          "550 on mx-25: 5.1.6 has moved (-o:1)\nclient 192.0.2.7: in relay-from: may send anywhere (-o:4)\n"
          "domain partner.example: not served here\nrelay allowed: this client may send to other hosts "
          "(-o:4)\n"
          "limits far away: client messages 0 of 4/h\nroute nowhere: fail \"5.1.6 has moved\" (-o:1)\n" },
        { "198.51.100.7", "all@example.org",
          "250 on mx-25: 2.1.5 Ok\n" STRANGER "domain example.org: served (-o:7)\n"
          "alias all: is anna@example.org, x@corp.example, y@corp.example, z@far.example (/aliases:1)\n"
          "user Anna: exists (-o:8)\n" LIMITS
          "deliver local: anna@example.org: maildir:/m/{domain}/{user} (-o:9)\n"
          "route remote: x@corp.example: smtp://10.0.0.1:2525 smtp://[2001:db8::1] (-o:2)\n"
          "route remote: y@corp.example: smtp://10.0.0.1:2525 smtp://[2001:db8::1] (-o:2)\n"
          "route remote: z@far.example: mx (default)\nhop 5 corp.example\nhop 7 far.example\n" },
        { "198.51.100.7", "list@example.org",
          "250 on mx-25: 2.1.5 Ok\n" STRANGER "domain example.org: served (-o:7)\n"
          "alias list: is ben@example.org; sent on as owner-list@example.org (/aliases:4)\n"
          "user ben: exists (-o:8)\n" LIMITS "deliver local: maildir:/m/{domain}/{user} (-o:9)\n" },
        { "198.51.100.7", "gone@example.org",
          "550 on mx-25: 5.1.1 gone@example.org: no such mailbox (/aliases:2)\n" STRANGER
          "domain example.org: served (-o:7)\nalias gone: leads to nobody who exists (/aliases:2)\n" LIMITS },
        { "198.51.100.7", "run@example.org",
          "451 on mx-25: 4.3.5 run@example.org: where it leads cannot be found out now; try again later "
          "(/aliases:3)\n" STRANGER "domain example.org: served (-o:7)\n"
          "alias run: names a command or file, and others than root may write to the alias file "
          "(/aliases:3)\n" LIMITS },
        { "198.51.100.7", "robot@example.org",
          "250 on mx-25: 2.1.5 Ok\n" STRANGER "domain example.org: served (-o:7)\n"
          "user robot: needs no mailbox: a route names it (-o:3)\n" LIMITS
          "route remote: lmtp:unix:/run/robot (-o:3)\nhop 6 example.org\n" },
        { "198.51.100.7", "x@asked.example",
          "250 on mx-25: 2.1.5 Ok\n" STRANGER "domain asked.example: served (-o:11)\n"
          "user x: only the next hop knows: it is asked at RCPT (-o:11)\n" LIMITS
          "deliver remote: mx (-o:11)\nhop 1 asked.example\n" },
        { "198.51.100.7", "x@lost.example",
          "451 on mx-25: 4.3.0 x@lost.example: cannot be looked up now; try again later (/lost)\n" STRANGER
          "domain lost.example: served (-o:12)\nuser x: cannot be known: a file cannot be read "
          "(/lost)\n" LIMITS },
        { "198.51.100.7", "x@all.example",
          "250 on mx-25: 2.1.5 Ok\n" STRANGER "domain all.example: served (-o:13)\n"
          "user x: every name exists (-o:13)\n" LIMITS "deliver local: pipe:/bin/eat {user} a b (-o:13)\n" },
        { "198.51.100.7", "anna@[192.0.2.1]",
          "250 on mx-25: 2.1.5 Ok\n" STRANGER "domain example.org: served, and what '[192.0.2.1]' means here "
          "(-o:7)\nuser Anna: exists (-o:8)\n" LIMITS "deliver local: maildir:/m/{domain}/{user} (-o:9)\n" },
        { "203.0.113.5", "anna@example.org",
          "554 on mx-25: mail.example.org takes no mail from 203.0.113.5 (-o:5)\n"
          "client 203.0.113.5: a stranger: not in relay-from (-o:4)\ndomain example.org: served (-o:7)\n"
          "user Anna: exists (-o:8)\n" LIMITS "deliver local: maildir:/m/{domain}/{user} (-o:9)\n" },
        { NULL, "anna@example.org",
          "250 on mx-25: 2.1.5 Ok\nclient unknown: nobody in particular: not in relay-from (default)\n"
          "domain example.org: served (-o:7)\nuser Anna: exists (-o:8)\nlimits not asked: they are about a "
          "client: give one with --client\n"
          "deliver local: maildir:/m/{domain}/{user} (-o:9)\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(explain(rows[i].client, "carol@example.net", rows[i].address), rows[i].rows);
}

/* Asked a hundred times, it has counted nothing, told the log nothing, and learnt nothing. */
static void asking_changes_nothing(void **state)
{
    (void)state;
    struct str client = STR("\0\0\0\0\0\0\0\0\0\0\377\377\306\63\144\7");
    struct lookup_turn real = room.turn;
    struct ipc_mail_answer mail;
    struct ipc_rcpt_answer rcpt;

    for (int i = 0; i < 100; i++) {
        explain("198.51.100.7", "a@b.example", "nobody@example.org");
        explain("198.51.100.7", "a@b.example", "anna@example.org");
    }
    assert_int_equal(policy_open_used(room.lookup->counters.open), 0);
    assert_int_equal(room.n_records, 0);
    real.only_looks = false;
    for (int i = 0; i < 4; i++) {
        lookup_mail(&real, &(struct ipc_mail_ask){ .client = client }, &mail);
        assert_false(mail.refused);
    }
    lookup_rcpt(&real,
                &(struct ipc_rcpt_ask){ .client = client, .local = STR("no"), .domain = STR("example.org") },
                &rcpt);
    assert_int_equal(rcpt.row, SMTP_REPLY_NO_SUCH_MAILBOX);
    /* What really happened is seen; and what would be refused is said, not recorded. */
    const char *rows = explain("198.51.100.7", "", "anna@example.org");
    assert_non_null(strstr(rows, "450 on mx-25: 4.7.1 too much at a time; try again later (-o:5)\n"));
    assert_non_null(
        strstr(rows, "limits reached: client connections 0 of 50, messages 4 of 4/h, unknown-recipients 1 "
                     "of 50/h\n"));
    assert_int_equal(room.n_records, 0);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(each_decision_is_a_row),
        IN_ROOM(asking_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
