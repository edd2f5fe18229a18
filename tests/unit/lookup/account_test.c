/* What an account may do, how much of it, and how its password is guessed at (FACE 1.8; RFC 6409 6). */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/lookup/room.h"

#define AA "aaaaaaaaaaaaaaaa"

/* Line 1 is the first route, so that rules are easy to read. */
static const char config[] =
    "route corp.example smtp://10.0.0.1 { accounts boss@example.org .example.net; }\n"                  /* 1 */
    "listen 587 submission { limit account messages 3/h hold; limit account recipients 4/h; "           /* 2 */
    "limit client messages 20/h; }\n"
    "listen 465 submission tls;\n"                                                                      /* 3 */
    "listen 26 { relay-from certificate:sha256:" AA AA AA AA " 192.0.2.0/24; }\n"                        /* 4 */
    "listen 27 submission { limit account messages 1/h hold; limit account octets 1000/h reject; }\n"
    "tls { certificate /tls.pem; }\n"
    "hostname mail.example.org; origin example.org; public-address 192.0.2.1;\n"
    "domain example.org example.com {\n"                                                                /* 8 */
    "  users file:/users; aliases file:/aliases; send-as file:/senders; deliver maildir:/m/{user};\n"   /* 9 */
    "}\n"
    "domain example.net { users any; send-as any; deliver maildir:/m/{user}; }\n";

static int open_room(void **state)
{
    (void)state;
    room_open(config);
    room_file("/users", "Anna\nben\nboss\nonly@example.org\nanna+twin\n");
    room_file("/aliases", "info: anna\nstaff: anna, ben\nowner-staff: boss\nteam: anna, ben\ndeep: info\nout: x@far.example\n"
                          "anna+desk: ben\n");
    room_file("/senders", "# who may say what\nben news@example.org @ben.example\nboss *\n"
                          "only@example.org only@far.example\n");
    room_forget_records();
    return 0;
}

static int close_room(void **state)
{
    (void)state;
    room_close();
    return 0;
}

/* 192.0.2.66 and the like, as 16 octets. */
static struct str client(unsigned char last)
{
    static char octets[4][16];
    static size_t next;
    char *c = octets[next++ % ARRAY_LEN(octets)];

    memcpy(c, "\0\0\0\0\0\0\0\0\0\0\377\377\306\63\144", 15);
    c[15] = (char)last;
    return str_of(c, 16);
}

static struct ipc_mail_answer mail(struct str from, uint32_t listener, const char *account, const char *sender, uint64_t size)
{
    struct ipc_mail_answer a;

    lookup_mail(&room.turn,
                &(struct ipc_mail_ask){ .client = from,
                                        .listener = listener,
                                        .account = str_from_c(account),
                                        .sender = str_from_c(sender),
                                        .size = size },
                &a);
    return a;
}

static struct ipc_rcpt_answer rcpt(struct str from, uint32_t listener, const char *account, struct str certificate)
{
    struct ipc_rcpt_answer a;

    lookup_rcpt(&room.turn,
                &(struct ipc_rcpt_ask){ .client = from,
                                        .listener = listener,
                                        .account = str_from_c(account),
                                        .certificate = certificate,
                                        .local = STR("x"),
                                        .domain = STR("far.example") },
                &a);
    return a;
}

/* C125, C126: the null sender, its own address, what leads to it, and what a file grants; nothing else. */
static void an_account_sends_as_what_is_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *account, *sender;
        bool ok;
    } rows[] = {
        { "Anna@example.org", "", true },
        { "Anna@example.org", "anna@example.org", true },
        { "Anna@example.org", "ANNA+news@example.org", true },
        { "Anna@example.org", "\"anna\"@example.org", true },
        { "Anna@example.org", "anna@example.com", true },
        { "Anna@example.org", "info@example.org", true },
        { "Anna@example.org", "info+x@example.com", true },
        { "Anna@example.org", "deep@example.org", true },
        { "Anna@example.org", "team@example.org", true },
        { "Anna@example.org", "staff@example.org", false },
        { "Anna@example.org", "ben@example.org", false },
        { "Anna@example.org", "anna@far.example", false },
        /* What has a name of its own is nobody's detail. */
        { "Anna@example.org", "anna+twin@example.org", false },
        { "Anna@example.org", "ANNA+Twin@example.com", false },
        { "anna+twin@example.org", "anna+twin@example.org", true },
        { "Anna@example.org", "anna+desk@example.org", false },
        { "ben@example.org", "anna+desk@example.org", true },
        { "Anna@example.org", "nobody@example.org", false },
        { "Anna@example.org", "news@example.org", false },
        { "Anna@example.org", "annanews@example.org", false },
        { "ben@example.org", "news@example.org", true },
        { "ben@example.com", "NEWS@example.org", true },
        { "ben@example.org", "anyone@ben.example", true },
        { "ben@example.org", "anyone@sub.ben.example", false },
        { "ben@example.org", "x@far.example", false },
        { "boss@example.org", "whoever@anywhere.example", true },
        { "only@example.org", "only@far.example", true },
        { "only@example.org", "only@example.com", false },
        { "anyone@example.net", "x@far.example", true },
        { "stray@elsewhere.example", "stray@elsewhere.example", true },
        { "stray@elsewhere.example", "anna@example.org", false },
        { "", "anna@example.org", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipc_mail_answer a = mail(client(1), 1, rows[i].account, rows[i].sender, 0);
        if (a.refused == rows[i].ok)
            fail_msg("%s as %s", rows[i].account, rows[i].sender);
        if (rows[i].ok)
            continue;
        assert_int_equal(a.row, SMTP_REPLY_SENDER_NOT_YOURS);
        assert_int_equal(a.reason, LOG_REASON_SENDER);
        assert_true(str_eq(a.detail, str_from_c(rows[i].sender)));
    }
    struct ipc_mail_answer a = mail(client(1), 1, "Anna@example.org", "ben@example.org", 0);
    assert_true(str_eq(a.rule, STR("-o:9")));
}

static void what_a_lost_table_might_have_granted_is_for_later(void **state)
{
    (void)state;
    room_open(config);
    room_file("/users", "Anna\nben\n");
    room_file("/aliases", "info: anna\n");
    assert_false(mail(client(1), 1, "Anna@example.org", "info@example.org", 0).refused);
    struct ipc_mail_answer a = mail(client(1), 1, "ben@example.org", "news@example.org", 0);
    assert_int_equal(a.row, SMTP_REPLY_SYSTEM_FAILED);
    assert_int_equal(a.reason, LOG_REASON_LOOKUP);
    room_close();
}

/* Whoever logged in may send anywhere, and is bound by the built-in limits; a certificate is like a network. */
static void an_account_and_a_certificate_may_relay(void **state)
{
    (void)state;
    char both[64], key[64], other[64];

    memset(both, 0xaa, sizeof(both));
    memset(key, 0xbb, 32);
    memset(key + 32, 0xaa, 32);
    memset(other, 0xbb, sizeof(other));
    assert_int_equal(rcpt(client(1), 1, "", STR_NONE).row, SMTP_REPLY_RELAY_DENIED);
    assert_int_equal(rcpt(client(1), 1, "anna@example.org", STR_NONE).row, SMTP_REPLY_RCPT_OK);
    assert_int_equal(rcpt(client(1), 2, "", str_of(both, 64)).row, SMTP_REPLY_RCPT_OK);
    assert_int_equal(rcpt(client(1), 2, "", str_of(key, 64)).row, SMTP_REPLY_RCPT_OK);
    assert_int_equal(rcpt(client(1), 2, "", str_of(other, 64)).row, SMTP_REPLY_RELAY_DENIED);
    assert_int_equal(rcpt(client(1), 1, "", str_of(both, 64)).row, SMTP_REPLY_RELAY_DENIED);
    assert_int_equal(rcpt(STR_NONE, 1, "anna@example.org", STR_NONE).row, SMTP_REPLY_RCPT_OK);
}

/* A stolen password: the built-in 1000 recipients in an hour, over all clients, sessions and listeners. */
static void a_stolen_password_runs_into_the_limit_of_its_account(void **state)
{
    (void)state;
    size_t taken = 0;

    for (unsigned i = 0; i < 1050; i++)
        taken += !rcpt(client((unsigned char)(i % 200)), 1, "anna@example.org", STR_NONE).refused;
    assert_int_equal(taken, 1000);
    struct ipc_rcpt_answer a = rcpt(client(250), 1, "Anna@example.org", STR_NONE);
    assert_int_equal(a.row, SMTP_REPLY_LIMIT_DEFER);
    assert_int_equal(a.number, 1000);
    assert_string_equal(room_field(room.n_records - 1, LOG_KEY), "account");
    assert_string_equal(room_field(room.n_records - 1, LOG_ACCOUNT), "Anna@example.org");
    assert_false(rcpt(client(250), 1, "ben@example.org", STR_NONE).refused);
    room_forget_records();
}

static void what_is_above_a_limit_of_hold_is_taken_and_held(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_false(mail(client((unsigned char)i), 0, "anna@example.org", "", 0).held);
    for (int i = 0; i < 3; i++) {
        struct ipc_mail_answer a = mail(client((unsigned char)(9 + i)), 0, "anna@example.org", "", 0);
        assert_false(a.refused);
        assert_true(a.held);
        assert_true(str_eq(a.detail, STR("limit account messages 3/h")));
    }
    assert_string_equal(room_field(0, LOG_ACTION), "hold");
    /* What another limit refuses is not held. */
    assert_false(mail(client(1), 3, "ben@example.org", "", 1000).refused);
    struct ipc_mail_answer a = mail(client(1), 3, "ben@example.org", "", 1000);
    assert_true(a.refused);
    assert_false(a.held);
    room_forget_records();
    /* A recipient too many of a held message is refused all the same. */
    for (int i = 0; i < 4; i++)
        assert_false(rcpt(client(1), 0, "anna@example.org", STR_NONE).refused);
    assert_true(rcpt(client(1), 0, "anna@example.org", STR_NONE).refused);
    room_forget_records();
}

static void conditions_of_routes_see_the_account(void **state)
{
    (void)state;
    static const struct {
        const char *account;
        bool fits;
    } rows[] = { { "Boss@example.org", true }, { "x@sub.example.net", true }, { "x@example.net", false }, { "", false } };
    struct ipc_route_answer a;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        lookup_route(&room.turn,
                     &(struct ipc_route_ask){
                         .local = STR("x"), .domain = STR("corp.example"), .account = str_from_c(rows[i].account) },
                     &a);
        assert_int_equal(str_eq(a.rule, STR("-o:1")), rows[i].fits);
    }
}

/* ---- guesses ---- */

/* Two auth processes; nothing is sent to them here. */
static struct ipc_channel auths[2];

static bool begin(unsigned char from, uint32_t listener, const char *account, uint64_t ticket, struct ipc_guess_answer *a)
{
    return lookup_guess(&room.turn, &auths[ticket % 2],
                        &(struct ipc_guess_ask){
                            .ticket = ticket, .client = client(from), .listener = listener, .account = str_from_c(account) },
                        a);
}

static void end(unsigned char from, const char *account, uint64_t ticket, enum ipc_guess_end end)
{
    lookup_guessed(&room.turn, &auths[ticket % 2],
                   &(struct ipc_guessed){ .ticket = ticket,
                                          .client = client(from),
                                          .listener = 1,
                                          .account = str_from_c(account),
                                          .end = end });
}

/* Would it be let in now? It is given back at once. */
static bool may_guess(unsigned char from, uint32_t listener, const char *account, struct ipc_guess_answer *a)
{
    assert_true(begin(from, listener, account, 5, a));
    assert_int_equal(a->ticket, 5);
    if (a->result == IPC_GUESS_ALLOWED)
        end(from, account, 5, IPC_GUESS_NOT_MADE);
    return a->result == IPC_GUESS_ALLOWED;
}

/* Of which nothing was asked before. */
static void guessed(unsigned char from, const char *account, bool right)
{
    end(from, account, 0, right ? IPC_GUESS_RIGHT : IPC_GUESS_WRONG);
}

/* The built-in limits: 10 in 10 minutes from an address, whatever the names; 30 at an account, whoever guesses. */
static void guesses_are_slowed_by_address_and_by_account(void **state)
{
    (void)state;
    struct ipc_guess_answer a;
    char name[32];

    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "u%d@example.org", i);
        assert_true(may_guess(1, i % 2, name, &a));
        guessed(1, name, false);
    }
    assert_false(may_guess(1, 0, "", &a));
    assert_false(may_guess(1, 1, "new@example.org", &a));
    assert_true(str_eq(a.detail, STR("198.51.100.1")));
    assert_int_equal(a.number, 10);
    assert_true(may_guess(2, 1, "anna@example.org", &a));
    for (int i = 0; i < 30; i++)
        guessed((unsigned char)(100 + i), "anna@example.org", false);
    assert_false(may_guess(2, 1, "anna@example.org", &a));
    assert_true(str_eq(a.detail, STR("anna@example.org")));
    assert_true(may_guess(2, 1, "ben@example.org", &a));
    room.turn.now_msec += 60 * 1000;
    assert_true(may_guess(1, 1, "new@example.org", &a));
    room_forget_records();
}

/* For a week, wherever the guesses come from; its own failures there are bounded by its address. */
static void who_logged_in_is_not_shut_out_by_others(void **state)
{
    (void)state;
    const int64_t day = 24 * 3600 * 1000;
    struct ipc_guess_answer a;

    room.turn.utc_msec = 1000 * day;
    guessed(7, "anna@example.org", true);
    for (int i = 0; i < 40; i++)
        guessed((unsigned char)(100 + i), "anna@example.org", false);
    assert_false(may_guess(8, 1, "anna@example.org", &a));
    assert_true(may_guess(7, 1, "anna@example.org", &a));
    assert_true(may_guess(7, 1, "ANNA@example.org", &a));
    room.turn.utc_msec += 7 * day - 1;
    assert_true(may_guess(7, 1, "anna@example.org", &a));
    room.turn.utc_msec += 1;
    assert_false(may_guess(7, 1, "anna@example.org", &a));
    for (int i = 0; i < 10; i++)
        guessed(7, "anna@example.org", false);
    guessed(7, "anna@example.org", true);
    assert_false(may_guess(7, 1, "anna@example.org", &a));
    assert_true(str_eq(a.detail, STR("198.51.100.7")));
    room_forget_records();
}

/* ---- guesses at once ---- */

/* The next answer that somebody waited for; its ticket, 0: there is none. */
static uint64_t next(enum ipc_guess *result)
{
    struct ipc_guess_answer a;
    struct ipc_channel *asker = lookup_guess_next(&room.turn, &a);

    if (!asker)
        return 0;
    assert_ptr_equal(asker, &auths[a.ticket % 2]);
    *result = (enum ipc_guess)a.result;
    return a.ticket;
}

/* So many at once of that client; those that were let in. */
static unsigned begin_many(unsigned char from, uint64_t first, unsigned n)
{
    struct ipc_guess_answer a;
    unsigned let_in = 0;

    for (uint64_t i = first; i < first + n; i++)
        if (begin(from, 1, "anna@example.org", i, &a)) {
            assert_int_equal(a.result, IPC_GUESS_ALLOWED);
            let_in++;
        }
    return let_in;
}

/* Ten of them are looked at, however many are sent at once; then no more. */
static void wrong_ones_at_once_are_looked_at_up_to_the_limit(void **state)
{
    (void)state;
    enum ipc_guess result;
    unsigned limited = 0;

    assert_int_equal(begin_many(1, 1, 40), 10);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(next(&result), 0);
        end(1, "anna@example.org", i, IPC_GUESS_WRONG);
    }
    for (uint64_t ticket; (ticket = next(&result)) != 0; limited++) {
        assert_int_equal(result, IPC_GUESS_LIMITED);
        assert_int_equal(ticket, 11 + limited);
    }
    assert_int_equal(limited, 30);
    /* Whoever knows the session tells the log, once. */
    assert_int_equal(room.n_records, 0);
    assert_int_equal(policy_open_used(room.lookup->counters.open), 0);
}

/* Whoever comes in the place of one that was right comes in the order in which they asked. */
static void right_ones_at_once_are_all_let_in(void **state)
{
    (void)state;
    enum ipc_guess result;

    assert_int_equal(begin_many(1, 1, 40), 10);
    for (uint64_t i = 1; i <= 40; i++) {
        end(1, "anna@example.org", i, IPC_GUESS_RIGHT);
        assert_int_equal(next(&result), i <= 30 ? i + 10 : 0);
        assert_int_equal(result, IPC_GUESS_ALLOWED);
        assert_int_equal(next(&result), 0);
    }
    assert_int_equal(room.n_records, 0);
    assert_int_equal(policy_open_used(room.lookup->counters.open), 0);
}

/* Those of a process that dies, those nobody looked at, and those that did not want to wait any longer. */
static void what_comes_to_nothing_gives_its_place_back(void **state)
{
    (void)state;
    enum ipc_guess result;

    assert_int_equal(begin_many(1, 1, 16), 10);
    end(1, "anna@example.org", 1, IPC_GUESS_NOT_MADE);
    assert_int_equal(next(&result), 11);
    assert_int_equal(result, IPC_GUESS_ALLOWED);
    /* Who waits and gives up is answered all the same: an answer is owed for each question. */
    end(1, "anna@example.org", 12, IPC_GUESS_NOT_MADE);
    assert_int_equal(next(&result), 12);
    assert_int_equal(result, IPC_GUESS_LATER);
    /* Under way are 2 to 11, 13 to 16 wait: the odd ones die. */
    lookup_guesses_gone(room.lookup, &auths[1]);
    assert_int_equal(next(&result), 14);
    assert_int_equal(result, IPC_GUESS_ALLOWED);
    assert_int_equal(next(&result), 16);
    assert_int_equal(next(&result), 0);
    lookup_guesses_gone(room.lookup, &auths[0]);
    assert_int_equal(next(&result), 0);
    assert_int_equal(room.lookup->guesses.map.n, 0);
    assert_int_equal(policy_open_used(room.lookup->counters.open), 0);
    assert_int_equal(begin_many(1, 1, 20), 10);
}

/* What others guess of an account waits for each other; where its owner was seen, nobody waits for them. */
static void guesses_under_way_end_by_the_counts_they_began_with(void **state)
{
    (void)state;
    struct ipc_guess_answer a;
    enum ipc_guess result;

    room.turn.utc_msec = 1000;
    for (uint64_t i = 1; i <= 30; i++)
        assert_true(begin((unsigned char)(100 + i), 1, "anna@example.org", i, &a));
    assert_false(begin(8, 1, "Anna@example.org", 31, &a));
    /* One of them was right, so that it is known there from now on; its count goes all the same. */
    end(101, "anna@example.org", 1, IPC_GUESS_RIGHT);
    assert_int_equal(next(&result), 31);
    assert_false(begin(9, 1, "anna@example.org", 32, &a));
    assert_true(begin(101, 1, "anna@example.org", 33, &a));
    end(101, "anna@example.org", 33, IPC_GUESS_WRONG);
    assert_int_equal(next(&result), 0);
    for (uint64_t i = 2; i <= 30; i++)
        end((unsigned char)(100 + i), "anna@example.org", i, IPC_GUESS_NOT_MADE);
    end(8, "Anna@example.org", 31, IPC_GUESS_NOT_MADE);
    assert_int_equal(next(&result), 32);
    end(9, "anna@example.org", 32, IPC_GUESS_NOT_MADE);
    assert_int_equal(policy_open_used(room.lookup->counters.open), 0);
}

/* A token says only at the end whose it is; that account is counted, too. */
static void a_guess_without_a_name_is_counted_by_the_one_it_turns_out_to_have(void **state)
{
    (void)state;
    struct ipc_guess_answer a;

    for (unsigned char i = 0; i < 30; i++) {
        assert_true(begin((unsigned char)(100 + i), 1, "", 1, &a));
        end((unsigned char)(100 + i), "anna@example.org", 1, IPC_GUESS_WRONG);
    }
    assert_false(may_guess(2, 1, "anna@example.org", &a));
    assert_true(may_guess(2, 1, "ben@example.org", &a));
    room_forget_records();
}

/* A process that is taken over cannot make us grow, nor ask twice under one ticket. */
static void guesses_are_bounded(void **state)
{
    (void)state;
    struct ipc_guess_answer a;
    char name[32];

    for (uint64_t i = 1; i <= LOOKUP_GUESSES_MAX; i++) {
        snprintf(name, sizeof(name), "u%u@example.org", (unsigned)i);
        (void)begin((unsigned char)(i % 250), 1, name, i, &a);
    }
    assert_true(begin(251, 1, "anna@example.org", 100000, &a));
    assert_int_equal(a.result, IPC_GUESS_LATER);
    lookup_guesses_gone(room.lookup, &auths[0]);
    lookup_guesses_gone(room.lookup, &auths[1]);
    assert_true(begin(251, 1, "anna@example.org", 100000, &a));
    assert_int_equal(a.result, IPC_GUESS_ALLOWED);
    assert_true(begin(251, 1, "anna@example.org", 100000, &a));
    assert_int_equal(a.result, IPC_GUESS_LATER);
    end(251, "anna@example.org", 100000, IPC_GUESS_NOT_MADE);
    assert_int_equal(policy_open_used(room.lookup->counters.open), 0);
}

static struct ip ip_at(const char *text)
{
    struct ip ip;

    assert_true(ip_parse(str_from_c(text), &ip));
    return ip;
}

/* The next process, of this configuration or another, reads what this one wrote. */
static void who_is_known_outlives_the_process(void **state)
{
    (void)state;
    struct lookup_logins a = LOOKUP_LOGINS_INIT, b = LOOKUP_LOGINS_INIT;
    int fd = memfd_create("logins", MFD_CLOEXEC);

    assert_int_equal(write(fd, "nonsense", 8), 8);
    lookup_logins_give(&a, dup(fd));
    lookup_logins_note(&a, STR("anna@example.org"), ip_at("2001:db8:1:2::3"), 5000);
    lookup_logins_give(&b, dup(fd));
    assert_true(lookup_logins_know(&b, STR("anna@example.org"), ip_at("2001:db8:1:2:ffff::"), 6000));
    assert_false(lookup_logins_know(&b, STR("anna@example.org"), ip_at("2001:db8:1:3::3"), 6000));
    assert_false(lookup_logins_know(&b, STR("ben@example.org"), ip_at("2001:db8:1:2::3"), 6000));
    /* A clock that went back knows nobody of a time to come. */
    assert_false(lookup_logins_know(&b, STR("anna@example.org"), ip_at("2001:db8:1:2::3"), 4999));
    lookup_logins_note(&b, STR("anna@example.org"), ip_at("2001:db8:1:2::3"), 4000);
    assert_true(lookup_logins_know(&a, STR("anna@example.org"), ip_at("2001:db8:1:2::3"), 4999));
    /* What has no name or no address is not noted. */
    lookup_logins_note(&b, STR_NONE, ip_at("192.0.2.1"), 5000);
    lookup_logins_note(&b, STR("anna@example.org"), (struct ip){ .family = IP_NONE }, 5000);
    assert_false(lookup_logins_know(&b, STR_NONE, ip_at("192.0.2.1"), 5000));
    lookup_logins_done(&a);
    lookup_logins_done(&b);
    close(fd);
}

/* However many log in, the file does not grow beyond its size, and the newest are known. */
static void the_file_of_log_ins_is_bounded(void **state)
{
    (void)state;
    struct lookup_logins l = LOOKUP_LOGINS_INIT;
    char name[32];

    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof(name), "u%d@example.org", i);
        lookup_logins_note(&l, str_from_c(name), ip_at("192.0.2.1"), 1000 + i);
    }
    assert_true(lseek(l.fd, 0, SEEK_END) <= 40 + LOOKUP_LOGINS_BUCKETS * LOOKUP_LOGINS_WAYS * 24);
    for (int i = 199900; i < 200000; i++) {
        snprintf(name, sizeof(name), "u%d@example.org", i);
        assert_true(lookup_logins_know(&l, str_from_c(name), ip_at("192.0.2.1"), 201000));
    }
    lookup_logins_done(&l);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, open_room, close_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(an_account_sends_as_what_is_its_own),
        cmocka_unit_test(what_a_lost_table_might_have_granted_is_for_later),
        IN_ROOM(an_account_and_a_certificate_may_relay),
        IN_ROOM(a_stolen_password_runs_into_the_limit_of_its_account),
        IN_ROOM(what_is_above_a_limit_of_hold_is_taken_and_held),
        IN_ROOM(conditions_of_routes_see_the_account),
        IN_ROOM(guesses_are_slowed_by_address_and_by_account),
        IN_ROOM(who_logged_in_is_not_shut_out_by_others),
        IN_ROOM(wrong_ones_at_once_are_looked_at_up_to_the_limit),
        IN_ROOM(right_ones_at_once_are_all_let_in),
        IN_ROOM(what_comes_to_nothing_gives_its_place_back),
        IN_ROOM(guesses_under_way_end_by_the_counts_they_began_with),
        IN_ROOM(a_guess_without_a_name_is_counted_by_the_one_it_turns_out_to_have),
        IN_ROOM(guesses_are_bounded),
        cmocka_unit_test(who_is_known_outlives_the_process),
        cmocka_unit_test(the_file_of_log_ins_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
