/* What lookup says to clients, senders, recipients and addresses. */
#include <stdio.h>
#include <unistd.h>

#include "core/num.h"
#include "message/envelope.h"
#include "tests/unit/lookup/room.h"

static const char config[] = "hostname mail.example.org; origin example.org; public-address 192.0.2.1;\n"
                             "listen 25 { limit client connections 2; }\n"
                             "listen 26 { vrfy off; limit client messages 2/h reject; limit client "
                             "recipients 3/h; limit client errors 3/h; }\n"
                             "listen 27 { limit sender octets 1000/h; limit client sessions 1/h reject; }\n"
                             "domain example.org {\n"
                             "  users file:/users; aliases file:/aliases; deliver "
                             "maildir:/var/mail/{domain}/{user}; max-message-size 1k;\n"
                             "}\n"
                             "domain example.net { users file:/users; catch-all anna@example.org; deliver "
                             "maildir:/m/{user}; limit client recipients 1/h; }\n"
                             "domain lost.example { users file:/lost; deliver maildir:/m/{user}; }\n"
                             "domain any.example { users any; deliver maildir:/m/{user}; }\n";

static int open_room(void **state)
{
    (void)state;
    room_open(config);
    room_file("/users", "Anna\nben\nonly@example.net\n");
    room_file("/aliases",
              "all: anna, ben\naway: x@elsewhere.example\nowner-all: ben\nself: self\ngone: nobody\ncommand: |/bin/true\n");
    room_forget_records();
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    room_close();
    return 0;
}

static const char far_client[16] = { 0x20, 0x01, 0x0d, (char)0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
static const char local_client[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };

static struct ipc_rcpt_answer rcpt_from(const char client[16], uint32_t listener, const char *local,
                                        const char *domain, uint64_t size)
{
    struct ipc_rcpt_answer answer;

    lookup_rcpt(&room.turn,
                &(struct ipc_rcpt_ask){
                    .ticket = 42,
                    .client = str_of(client, 16),
                    .listener = listener,
                    .local = str_from_c(local),
                    .domain = str_from_c(domain),
                    .size = size,
                },
                &answer);
    assert_int_equal(answer.ticket, 42);
    return answer;
}

static struct ipc_rcpt_answer rcpt(const char *local, const char *domain)
{
    return rcpt_from(local_client, 0, local, domain, 0);
}

struct row {
    const char *local;
    const char *domain;
    enum smtp_reply_name row; /* SMTP_REPLY_RCPT_OK: accepted */
    enum log_reason reason;
    bool plain;
    const char *rule;
};

/* C037, C040: postmaster and what our domains have is taken; strangers may not relay. */
static void recipients_are_judged(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "anna", "example.org", SMTP_REPLY_RCPT_OK, LOG_REASON_NONE, true, "" },
        { "ANNA+x", "example.org", SMTP_REPLY_RCPT_OK, LOG_REASON_NONE, true, "" },
        { "all", "example.org", SMTP_REPLY_RCPT_OK, LOG_REASON_NONE, false, "" },
        { "whoever", "example.net", SMTP_REPLY_RCPT_OK, LOG_REASON_NONE, false, "" },
        { "Postmaster", "", SMTP_REPLY_RCPT_OK, LOG_REASON_NONE, false, "" },
        { "postmaster", "any.example", SMTP_REPLY_RCPT_OK, LOG_REASON_NONE, true, "" },
        { "anna", "[192.0.2.1]", SMTP_REPLY_RCPT_OK, LOG_REASON_NONE, false, "" },
        { "self", "example.org", SMTP_REPLY_ALIAS_FAILED, LOG_REASON_LOOP, false, "/aliases:4" },
        { "x", "elsewhere.example", SMTP_REPLY_RELAY_DENIED, LOG_REASON_RELAY, false, "default" },
        { "x", "[192.0.2.2]", SMTP_REPLY_RELAY_DENIED, LOG_REASON_RELAY, false, "default" },
        { "nobody", "example.org", SMTP_REPLY_NO_SUCH_MAILBOX, LOG_REASON_NO_USER, false, "-o:6" },
        { "gone", "example.org", SMTP_REPLY_NO_SUCH_MAILBOX, LOG_REASON_NO_USER, false, "/aliases:5" },
        { "away", "example.org", SMTP_REPLY_RCPT_OK, LOG_REASON_NONE, false, "" },
        { "command", "example.org", SMTP_REPLY_ALIAS_FAILED, LOG_REASON_LOOKUP, false, "/aliases:6" },
        { "anna", "lost.example", SMTP_REPLY_LOOKUP_FAILED, LOG_REASON_LOOKUP, false, "/lost" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipc_rcpt_answer a = rcpt(rows[i].local, rows[i].domain);
        bool ok = rows[i].row == SMTP_REPLY_RCPT_OK;
        if (a.refused == ok || a.row != rows[i].row || a.reason != rows[i].reason || a.plain != rows[i].plain)
            fail_msg("%s@%s: refused %d row %d reason %d plain %d", rows[i].local, rows[i].domain, a.refused,
                     a.row, a.reason, a.plain);
        assert_str_is(a.rule, str_from_c(rows[i].rule));
        room.turn.now_msec += 3600 * 1000;
    }
}

static void a_domain_has_its_own_size(void **state)
{
    (void)state;
    struct ipc_rcpt_answer a = rcpt_from(local_client, 0, "anna", "example.org", 1024);

    assert_false(a.refused);
    assert_int_equal(a.max_size, 1024);
    a = rcpt_from(local_client, 0, "anna", "example.org", 1025);
    assert_true(a.refused);
    assert_int_equal(a.row, SMTP_REPLY_SIZE_TOO_BIG);
    assert_int_equal(a.number, 1024);
    assert_str_is(a.rule, STR("-o:6"));
}

/* FACE 1.8: 50 unknown ones an hour are told, then nobody is told any more who exists. */
static void harvesters_are_deferred(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        assert_int_equal(rcpt_from(far_client, 0, "nobody", "example.org", 0).row,
                         SMTP_REPLY_NO_SUCH_MAILBOX);
    struct ipc_rcpt_answer known = rcpt_from(far_client, 0, "anna", "example.org", 0);
    assert_true(known.refused);
    assert_int_equal(known.row, SMTP_REPLY_LIMIT_DEFER);
    assert_int_equal(known.reason, LOG_REASON_LIMIT);
    assert_int_equal(room.n_records, 1);
    assert_string_equal(room_field(0, LOG_KEY), "client");
    assert_string_equal(room_field(0, LOG_MEASURE), "unknown-recipients");
    assert_string_equal(room_field(0, LOG_VALUE), "51");
    assert_string_equal(room_field(0, LOG_BOUND), "50/h");
    assert_string_equal(room_field(0, LOG_ACTION), "defer");
    assert_string_equal(room_field(0, LOG_CLIENT), "2001:db8::1");
    /* Somebody else, and this machine itself, go on. */
    assert_false(rcpt("anna", "example.org").refused);
    room.turn.now_msec += 72 * 1000;
    assert_false(rcpt_from(far_client, 0, "anna", "example.org", 0).refused);
}

static struct ipc_connect_answer connect_from(const char client[16], uint32_t listener, bool again)
{
    struct ipc_connect_answer answer;

    (void)lookup_connect(
        &room.turn,
        &(struct ipc_connect_ask){ .client = str_of(client, 16), .listener = listener, .again = again },
        &answer);
    return answer;
}

static void disconnect(const char client[16], uint32_t listener, uint32_t errors, uint64_t octets)
{
    struct ipc_disconnect notice = {
        .client = str_of(client, 16), .listener = listener, .errors = errors, .octets = octets
    };

    lookup_disconnect(&room.turn, &notice, false);
}

static void connections_are_bounded_at_once(void **state)
{
    (void)state;
    assert_false(connect_from(far_client, 0, false).refused);
    assert_false(connect_from(far_client, 0, false).refused);
    struct ipc_connect_answer third = connect_from(far_client, 0, false);
    assert_true(third.refused);
    assert_int_equal(third.row, SMTP_REPLY_TOO_MANY_CONNECTIONS);
    assert_int_equal(third.number, 2);
    assert_str_is(third.rule, STR("-o:2"));
    disconnect(far_client, 0, 0, 0); /* the refused one */
    assert_true(connect_from(far_client, 0, false).refused);
    disconnect(far_client, 0, 0, 0);
    disconnect(far_client, 0, 0, 0);
    assert_false(connect_from(far_client, 0, false).refused);
    /* One that tells a new lookup of itself is counted, not judged. */
    assert_false(connect_from(far_client, 0, true).refused);
    assert_true(connect_from(far_client, 0, false).refused);
}

static void sessions_and_errors_are_rates(void **state)
{
    (void)state;
    assert_false(connect_from(far_client, 2, false).refused);
    struct ipc_connect_answer second = connect_from(far_client, 2, false);
    assert_true(second.refused);
    assert_int_equal(second.row, SMTP_REPLY_GREETING_REFUSED);

    assert_false(connect_from(far_client, 1, false).refused);
    disconnect(far_client, 1, 3, 0);
    struct ipc_connect_answer after = connect_from(far_client, 1, false);
    assert_true(after.refused);
    assert_int_equal(after.row, SMTP_REPLY_LIMIT_CLOSE);
    room.turn.now_msec += 20 * 60 * 1000;
    assert_false(connect_from(far_client, 1, false).refused);
}

static struct ipc_mail_answer mail(uint32_t listener, const char *sender, uint64_t size)
{
    struct ipc_mail_answer answer;

    lookup_mail(&room.turn,
                &(struct ipc_mail_ask){
                    .client = str_of(far_client, 16),
                    .listener = listener,
                    .sender = str_from_c(sender),
                    .size = size,
                },
                &answer);
    return answer;
}

static void transactions_are_bounded(void **state)
{
    (void)state;
    assert_false(mail(1, "a@b.example", 0).refused);
    assert_false(mail(1, "a@b.example", 0).refused);
    struct ipc_mail_answer third = mail(1, "a@b.example", 0);
    assert_true(third.refused);
    assert_int_equal(third.row, SMTP_REPLY_LIMIT_REJECT);
    assert_int_equal(third.reason, LOG_REASON_LIMIT);

    assert_false(mail(2, "a@b.example", 900).refused);
    assert_true(mail(2, "a@b.example", 200).refused);
    assert_false(mail(2, "c@b.example", 200).refused);
    assert_false(mail(2, "", 100000).refused);

    for (int i = 0; i < 3; i++)
        assert_false(rcpt_from(far_client, 1, "anna", "example.org", 0).refused);
    assert_int_equal(rcpt_from(far_client, 1, "anna", "example.org", 0).row, SMTP_REPLY_LIMIT_DEFER);
    assert_false(rcpt_from(far_client, 0, "anna", "example.org", 0).refused);
}

static void a_domains_limits_hold_beside_the_listeners(void **state)
{
    (void)state;
    assert_false(rcpt_from(far_client, 0, "ben", "example.net", 0).refused);
    assert_int_equal(rcpt_from(far_client, 0, "ben", "example.net", 0).row, SMTP_REPLY_LIMIT_DEFER);
    assert_false(rcpt_from(far_client, 0, "ben", "example.org", 0).refused);
}

static struct ipc_vrfy_answer vrfy(uint32_t listener, const char *local, const char *domain)
{
    struct ipc_vrfy_answer answer;

    lookup_vrfy(&room.turn,
                &(struct ipc_vrfy_ask){
                    .client = str_of(local_client, 16),
                    .listener = listener,
                    .local = str_from_c(local),
                    .domain = str_from_c(domain),
                },
                &answer);
    return answer;
}

/* C044: 250 only for what was verified, 252 when it cannot be said or is switched off. C045, C046. */
static void vrfy_says_what_is_known(void **state)
{
    (void)state;
    static const struct {
        uint32_t listener;
        const char *local;
        const char *domain;
        enum smtp_reply_name row;
    } rows[] = {
        { 0, "anna", "example.org", SMTP_REPLY_VRFY_OK },
        { 0, "all", "example.org", SMTP_REPLY_VRFY_OK },
        { 0, "nobody", "example.org", SMTP_REPLY_VRFY_NO_SUCH },
        { 0, "gone", "example.org", SMTP_REPLY_VRFY_NO_SUCH },
        { 0, "away", "example.org", SMTP_REPLY_VRFY_OK },
        { 0, "command", "example.org", SMTP_REPLY_VRFY_UNSURE },
        { 0, "anna", "lost.example", SMTP_REPLY_VRFY_UNSURE },
        { 0, "x", "any.example", SMTP_REPLY_VRFY_UNSURE },
        { 0, "whoever", "example.net", SMTP_REPLY_VRFY_UNSURE },
        { 0, "x", "elsewhere.example", SMTP_REPLY_VRFY_UNSURE },
        { 1, "anna", "example.org", SMTP_REPLY_VRFY_UNSURE },
        { 1, "nobody", "example.org", SMTP_REPLY_VRFY_UNSURE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (vrfy(rows[i].listener, rows[i].local, rows[i].domain).row != rows[i].row)
            fail_msg("%s@%s: row %d", rows[i].local, rows[i].domain,
                     vrfy(rows[i].listener, rows[i].local, rows[i].domain).row);
    struct ipc_vrfy_answer a = vrfy(0, "Anna", "example.org");
    assert_str_is(a.local, STR("Anna"));
    assert_str_is(a.domain, STR("example.org"));
    assert_int_equal(vrfy(0, "nobody", "example.org").local.n, 0);
}

static const char two_domains[] = "hostname mail.example.org; listen 25;\n"
                                  "domain a.example { users file:/a; deliver maildir:/m/{user}; }\n"
                                  "domain b.example { users file:/b; deliver maildir:/m/{user}; }\n";

static void a_bare_name_is_verified_ambiguous_or_unknown(void **state)
{
    (void)state;
    room_close();
    room_open(two_domains);
    room_file("/a", "anna\nben\n");
    room_file("/b", "anna\ncarol\n");
    assert_int_equal(vrfy(0, "anna", "").row, SMTP_REPLY_VRFY_AMBIGUOUS);
    assert_int_equal(vrfy(0, "nobody", "").row, SMTP_REPLY_VRFY_NO_SUCH);
    struct ipc_vrfy_answer a = vrfy(0, "carol", "");
    assert_int_equal(a.row, SMTP_REPLY_VRFY_OK);
    assert_str_is(a.domain, STR("b.example"));
}

/* C034: where the configuration names no addresses, those of the interfaces are ours. */
static void literals_of_our_interfaces_are_ours(void **state)
{
    (void)state;
    char literal[IP_TEXT_MAX + 16];

    room_close();
    room_open(two_domains);
    room_file("/a", "anna\n");
    if (!room.lookup->view.n_own)
        skip();
    for (size_t i = 0; i < room.lookup->view.n_own; i++) {
        const struct ip *own = &room.lookup->view.own[i];
        snprintf(literal, sizeof(literal), "[%s%s]", own->family == IP_V6 ? "IPv6:" : "", ip_text(own).c);
        assert_false(rcpt("anna", literal).refused);
    }
    assert_int_equal(rcpt("anna", "[203.0.113.99]").row, SMTP_REPLY_RELAY_DENIED);
}

/* ---- expansion and routes ---- */

static void add_counted(struct buf *out, const char *text)
{
    char n[2];

    le16_put(n, (uint16_t)strlen(text));
    buf_add(out, str_of(n, 2));
    buf_add_c(out, text);
}

static struct str take_counted(struct str *in)
{
    size_t n = le16_get(in->p);
    struct str s = str_slice(*in, 2, 2 + n);

    assert_int_equal(s.n, n);
    *in = str_skip(*in, 2 + n);
    return s;
}

/* "0:local@domain by rule sender|…" */
static const char *show_results(const struct ipc_expand_answer *a)
{
    static char out[4096];
    struct str rest = a->results;
    size_t n = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < a->count; i++) {
        unsigned index = le16_get(rest.p), by = (unsigned char)rest.p[2];
        assert_int_equal(rest.p[3], ENVELOPE_ADDRESS);
        rest = str_skip(rest, 4);
        struct str local = take_counted(&rest), domain = take_counted(&rest), rule = take_counted(&rest),
                   sender = take_counted(&rest);
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%u:%.*s@%.*s %u %.*s %.*s|", index, STR_ARG(local),
                              STR_ARG(domain), by, STR_ARG(rule), STR_ARG(sender));
    }
    assert_int_equal(rest.n, 0);
    return out;
}

static void recipients_are_expanded_together(void **state)
{
    (void)state;
    struct buf in = BUF_INIT(4096);
    struct ipc_expand_answer a;
    static const char *const pairs[] = { "all",    "example.org", "ANNA",       "example.org",
                                         "ben+x",  "example.org", "Postmaster", "",
                                         "nobody", "example.org", "x",          "elsewhere.example" };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        add_counted(&in, pairs[i]);
    lookup_expand(&room.turn, &(struct ipc_expand_ask){ .ticket = 1, .count = 6, .recipients = buf_str(&in) },
                  &a);
    assert_false(a.refused);
    /* What vanished since RCPT goes on as it is, and fails for itself. */
    assert_string_equal(show_results(&a), "0:anna@example.org 2 /aliases:1 owner-all@example.org|"
                                          "0:ben@example.org 2 /aliases:1 owner-all@example.org|"
                                          "2:ben+x@example.org 0  |"
                                          "3:Postmaster@example.org 5 -o:6 |"
                                          "4:nobody@example.org 0  |"
                                          "5:x@elsewhere.example 0  |");
    buf_done(&in);
}

static void what_may_be_well_later_refuses_the_message(void **state)
{
    (void)state;
    struct buf in = BUF_INIT(4096);
    struct ipc_expand_answer a;

    add_counted(&in, "anna");
    add_counted(&in, "example.org");
    add_counted(&in, "anna");
    add_counted(&in, "lost.example");
    lookup_expand(&room.turn, &(struct ipc_expand_ask){ .ticket = 1, .count = 2, .recipients = buf_str(&in) },
                  &a);
    assert_true(a.refused);
    assert_int_equal(smtp_reply_row((enum smtp_reply_name)a.row).code, 451);
    assert_int_equal(a.reason, LOG_REASON_LOOKUP);
    assert_int_equal(a.count, 0);
    /* Nonsense from a lesser process ends in a refusal, wherever it is cut. */
    for (size_t n = 0; n < in.n; n++) {
        char *copy = exact_copy(str_head(buf_str(&in), n));
        lookup_expand(&room.turn, &(struct ipc_expand_ask){ .count = 2, .recipients = str_of(copy, n) }, &a);
        assert_true(a.refused);
        free(copy);
    }
    lookup_expand(&room.turn, &(struct ipc_expand_ask){ .count = UINT32_MAX, .recipients = buf_str(&in) },
                  &a);
    assert_true(a.refused);
    buf_done(&in);
}

static struct ipc_route_answer route(const char *local, const char *domain)
{
    struct ipc_route_answer a;

    lookup_route(
        &room.turn,
        &(struct ipc_route_ask){ .ticket = 9, .local = str_from_c(local), .domain = str_from_c(domain) }, &a);
    assert_int_equal(a.ticket, 9);
    assert_int_equal(a.generation, 7);
    return a;
}

static void routes_are_mailboxes_of_a_block(void **state)
{
    (void)state;
    struct ipc_route_answer a = route("aNNa+News", "example.org");

    assert_int_equal(a.status, IPC_OK);
    assert_int_equal(a.domain_index, 0);
    assert_str_is(a.user, STR("Anna"));
    assert_str_is(a.detail, STR("News"));
    assert_str_is(a.domain, STR("example.org"));
    assert_str_is(a.rule, STR("-o:6"));
    assert_int_equal(route("only", "example.net").domain_index, 1);
    a = route("nobody", "example.org");
    assert_int_equal(a.status, IPC_PERM);
    assert_str_is(a.code, STR("5.1.1"));
    /* Neither aliases nor catch-all: the address is what they led to. */
    assert_int_equal(route("all", "example.org").status, IPC_PERM);
    assert_int_equal(route("whoever", "example.net").status, IPC_PERM);
    a = route("anna", "lost.example");
    assert_int_equal(a.status, IPC_TEMP);
    assert_str_is(a.code, STR("4.3.0"));
}

/* ---- commands of aliases ---- */

static int open_room_with_commands(void **state)
{
    char path[] = "/tmp/veredus-aliases-XXXXXX";
    static const char text[] = "run: |/bin/run, list\nlist: \"|/bin/run 'A b'\", /var/box\npostmaster: |/bin/master\n";
    int fd = mkstemp(path);

    (void)state;
    room_open("hostname mail.example.org; origin example.org; public-address 192.0.2.1; listen 25;\n"
              "domain example.org { users file:/users; aliases file:/aliases; alias-commands on; "
              "deliver maildir:/m/{user}; }\n"
              "domain example.net { users file:/users; aliases file:/aliases; deliver maildir:/m/{user}; }\n");
    room.lookup->view.owner = geteuid();
    room_file("/users", "anna\n");
    assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1 && unlink(path) == 0);
    lookup_tables_give(&room.lookup->tables, STR("/aliases"), fd, STR_NONE, true);
    room_forget_records();
    return 0;
}

static struct ipc_route_answer route_command(enum envelope_kind kind, const char *what, const char *domain,
                                             const char *original)
{
    struct ipc_route_answer a;

    lookup_route(&room.turn,
                 &(struct ipc_route_ask){ .kind = (uint8_t)kind,
                                          .local = str_from_c(what),
                                          .domain = str_from_c(domain),
                                          .original = str_from_c(original) },
                 &a);
    return a;
}

/* What was committed may have been made up: an alias must lead there, from the address that was given, at this moment. */
static void commands_are_those_that_an_alias_leads_to(void **state)
{
    static const struct {
        enum envelope_kind kind;
        const char *what, *domain, *original;
        enum ipc_result result;
    } rows[] = {
        { ENVELOPE_COMMAND, "/bin/run", "example.org", "run@example.org", IPC_OK },
        { ENVELOPE_COMMAND, "/bin/run", "example.org", "Run@example.org", IPC_OK },
        { ENVELOPE_COMMAND, "/bin/run 'A b'", "example.org", "run@example.org", IPC_OK },
        { ENVELOPE_FILE, "/var/box", "example.org", "list@example.org", IPC_OK },
        { ENVELOPE_COMMAND, "/bin/master", "example.org", "postmaster", IPC_OK },
        { ENVELOPE_COMMAND, "/bin/evil", "example.org", "run@example.org", IPC_PERM },
        { ENVELOPE_COMMAND, "/bin/run", "example.org", "anna@example.org", IPC_PERM },
        { ENVELOPE_COMMAND, "/bin/run", "example.org", "nobody@example.org", IPC_PERM },
        { ENVELOPE_COMMAND, "/bin/run", "example.org", "nobody@far.example", IPC_PERM },
        { ENVELOPE_COMMAND, "/bin/run", "example.net", "run@example.org", IPC_PERM },
        { ENVELOPE_COMMAND, "/bin/run", "example.net", "run@example.net", IPC_PERM },
        { ENVELOPE_COMMAND, "/bin/Run", "example.org", "run@example.org", IPC_PERM },
        { ENVELOPE_COMMAND, "/var/box", "example.org", "list@example.org", IPC_PERM },
        { ENVELOPE_FILE, "/bin/run", "example.org", "run@example.org", IPC_PERM },
        { ENVELOPE_FILE, "/etc/passwd", "example.org", "", IPC_PERM },
        { ENVELOPE_COMMAND, "/bin/run", "example.org", "run@@example.org", IPC_PERM },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipc_route_answer a = route_command(rows[i].kind, rows[i].what, rows[i].domain, rows[i].original);
        if (a.status != rows[i].result)
            fail_msg("%zu: %s: %u", i, rows[i].what, a.status);
        if (a.status == IPC_OK)
            assert_int_equal(a.domain_index, 0);
    }
    lookup_tables_give(&room.lookup->tables, STR("/aliases"), -1, STR("gone"), true);
    assert_int_equal(route_command(ENVELOPE_COMMAND, "/bin/run", "example.org", "run@example.org").status, IPC_OK);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(recipients_are_judged),
        IN_ROOM(a_domain_has_its_own_size),
        IN_ROOM(harvesters_are_deferred),
        IN_ROOM(connections_are_bounded_at_once),
        IN_ROOM(sessions_and_errors_are_rates),
        IN_ROOM(transactions_are_bounded),
        IN_ROOM(a_domains_limits_hold_beside_the_listeners),
        IN_ROOM(vrfy_says_what_is_known),
        IN_ROOM(a_bare_name_is_verified_ambiguous_or_unknown),
        IN_ROOM(literals_of_our_interfaces_are_ours),
        IN_ROOM(recipients_are_expanded_together),
        IN_ROOM(what_may_be_well_later_refuses_the_message),
        IN_ROOM(routes_are_mailboxes_of_a_block),
        cmocka_unit_test_setup_teardown(commands_are_those_that_an_alias_leads_to, open_room_with_commands, close_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
