/* tests/unit/cmd/demo_test.c -- a demonstration that can fail: its proof and its count see what is wrong. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/demo/letter.h"
#include "cmd/demo/place.h"
#include "cmd/demo/proof.h"
#include "cmd/demo/sweep.h"
#include "cmd/demo/tally.h"

static const char box[] = "mail/example.test/ada";
static const char trace[] = "Return-Path: <bob@example.test>\n"
                            "Delivered-To: ada@example.test\n"
                            "Received: from x ([127.0.0.1])\n\tby mail.example.test with ESMTP id 38G35HZKW000\n"
                            "\tfor <ada@example.test>; Sun, 22 Nov 2026 12:12:57 +0000\n";
static const char id[] = "38G35HZKW000";

/* A demonstration's folder with an empty mailbox of ada, and no server. */
static int set_up(void **state)
{
    static const char *const folders[] = { "mail", "mail/example.test", box, "mail/example.test/ada/new",
                                           "mail/example.test/ada/cur" };
    struct demo_place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    snprintf(place->dir, sizeof(place->dir), "/tmp/veredus-demo-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    assert_int_equal(chmod(place->dir, 0755), 0);
    snprintf(place->shown, sizeof(place->shown), "%s", place->dir);
    place->fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(place->fd >= 0);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        assert_int_equal(mkdirat(place->fd, folders[i], 0755), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct demo_place *place = *state;
    struct err err = { 0 };

    assert_true(demo_sweep(AT_FDCWD, place->dir, &err));
    demo_place_close(place);
    free(place);
    return 0;
}

static void put(const struct demo_place *place, const char *path, struct str text)
{
    int fd = openat(place->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.p, text.n), text.n);
    close(fd);
}

static struct str text_of(const struct demo_place *place, const char *path, char *room, size_t n)
{
    int fd = openat(place->fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, room, n) : 0;

    if (fd >= 0)
        close(fd);
    return str_of(room, got > 0 ? (size_t)got : 0);
}

/* ---- the proof ---- */

/* LETTER as a Maildir has it, below TOP. */
static void put_letter(const struct demo_place *place, const char *path, const char *top, struct str letter)
{
    struct buf file = BUF_INIT(2 * DEMO_LETTER_MAX);

    buf_add_c(&file, top);
    for (size_t i = 0; i < letter.n; i++)
        if (letter.p[i] != '\r')
            buf_add_char(&file, letter.p[i]);
    put(place, path, buf_str(&file));
    buf_done(&file);
}

static void the_same_octets_are_the_same(void **state)
{
    struct demo_place *place = *state;
    struct buf letter = BUF_INIT(DEMO_LETTER_MAX);
    struct demo_compared c = { 0 };
    struct err err = { 0 };

    assert_true(demo_letter_write(&letter, "bob@example.test", "ada@example.test"));
    put_letter(place, "mail/file", trace, buf_str(&letter));
    assert_true(demo_proof_compare(place, "mail/file", buf_str(&letter), &c, &err));
    assert_true(c.same);
    assert_int_equal(c.sent, letter.n);
    assert_int_equal(c.found, letter.n);
    buf_done(&letter);
}

/* Each octet in turn is another one, is missing, or is there twice: never the same. */
static void one_octet_more_less_or_other_is_not_the_same(void **state)
{
    static const char letter[] = "Subject: x\r\n\r\n.\r\nab \r\n\r\n";
    struct demo_place *place = *state;
    struct str sent = str_of(letter, sizeof(letter) - 1);
    char other[sizeof(letter) + 1];
    struct demo_compared c;
    struct err err = { 0 };

    for (size_t i = 0; i < sent.n; i++) {
        if (letter[i] == '\r')
            continue;
        for (int way = 0; way < 3; way++) {
            size_t n = i;
            memcpy(other, letter, i);
            if (way == 0)
                other[n++] = letter[i] == '#' ? '!' : '#';
            if (way == 2)
                other[n++] = letter[i];
            size_t from = way == 2 ? i : i + 1;
            memcpy(other + n, letter + from, sent.n - from);
            put_letter(place, "mail/file", trace, str_of(other, n + sent.n - from));
            assert_true(demo_proof_compare(place, "mail/file", sent, &c, &err));
            assert_false(c.same);
            assert_true(c.differs_at >= 1 && c.differs_at <= sent.n + 1);
        }
    }
}

static void a_file_without_its_trace_fields_is_refused(void **state)
{
    static const char *const tops[] = { "", "Return-Path: <>\n", "Return-Path: <>\nReceived: by x\n",
                                        "X-New: y\nReturn-Path: <>\nDelivered-To: a@b\nReceived: by x\n" };
    struct demo_place *place = *state;
    struct demo_compared c;

    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        struct err err = { 0 };
        put_letter(place, "mail/file", tops[i], STR("Subject: x\r\n\r\n"));
        assert_false(demo_proof_compare(place, "mail/file", STR("Subject: x\r\n\r\n"), &c, &err));
        assert_int_equal(err.kind, ERR_PERM);
    }
}

static void a_message_is_found_by_its_id_and_no_other(void **state)
{
    struct demo_place *place = *state;
    char path[DEMO_PATH_MAX];

    assert_false(demo_proof_find(place, id, 1795349577000, path));
    put(place, "mail/example.test/ada/new/1795349577.38G35HZKW001-1.mail", STR("x"));
    assert_false(demo_proof_find(place, id, 1795349577000, path));
    put(place, "mail/example.test/ada/new/1795349577.38G35HZKW000-1.mail", STR("x"));
    assert_true(demo_proof_find(place, id, 1795349577900, path));
    assert_string_equal(path, "mail/example.test/ada/new/1795349577.38G35HZKW000-1.mail");
    /* Where the guess is wrong, every name is looked at. */
    assert_true(demo_proof_find(place, id, 0, path));
    assert_string_equal(path, "mail/example.test/ada/new/1795349577.38G35HZKW000-1.mail");
}

static void a_message_that_was_read_is_found(void **state)
{
    struct demo_place *place = *state;
    char path[DEMO_PATH_MAX];

    put(place, "mail/example.test/ada/cur/1795349577.38G35HZKW000-1.mail:2,S", STR("x"));
    assert_true(demo_proof_find(place, id, 1795349577000, path));
}

static void a_field_is_unfolded_and_only_of_the_header(void **state)
{
    struct demo_place *place = *state;
    struct buf value = BUF_INIT(256);

    put(place, "mail/file", STR("subject:  a\n\tb\n  c\nTo: x\n\nX-Body: no\n"));
    assert_true(demo_proof_field(place, "mail/file", "Subject", &value));
    assert_str_is(buf_str(&value), STR("a b c"));
    assert_false(demo_proof_field(place, "mail/file", "X-Body", &value));
    assert_false(demo_proof_field(place, "mail/none", "Subject", &value));
    buf_done(&value);
}

/* ---- the count ---- */

static void put_mail(const struct demo_place *place, const char *name, const char *message_id)
{
    char path[DEMO_PATH_MAX], text[128];

    snprintf(path, sizeof(path), "%s/%s", box, name);
    snprintf(text, sizeof(text), "Subject: x\nMessage-ID: <%s>\n\n", message_id);
    put(place, path, str_from_c(text));
}

static void lost_twice_and_unasked_are_counted(void **state)
{
    struct demo_place *place = *state;
    struct demo_tally t = { 0 };
    struct err err = { 0 };

    put(place, "ledger", STR("a@x\nb@x\nc@x\nd@x\ncut@"));
    put_mail(place, "new/1", "a@x");
    put_mail(place, "cur/2:2,S", "b@x");
    put_mail(place, "new/3", "c@x");
    put_mail(place, "cur/4", "c@x");
    put_mail(place, "new/5", "e@x");
    assert_true(demo_tally_add_ledger(&t, place, "ledger", &err));
    assert_true(demo_tally_add_mailbox(&t, place, "ada", &err));
    struct demo_sums sums = demo_tally_sums(&t);
    assert_int_equal(sums.acknowledged, 4);
    assert_int_equal(sums.lost, 1);
    assert_int_equal(sums.twice, 1);
    assert_int_equal(sums.unasked, 1);
    demo_tally_done(&t);
}

static void many_messages_are_counted(void **state)
{
    enum { MANY = 20000 };
    struct demo_place *place = *state;
    struct buf ledger = BUF_INIT(1 << 20);
    struct demo_tally t = { 0 };
    struct err err = { 0 };

    for (int i = 0; i < MANY; i++)
        buf_printf(&ledger, "%d@x\n", i);
    put(place, "ledger", buf_str(&ledger));
    assert_true(demo_tally_add_ledger(&t, place, "ledger", &err));
    assert_int_equal(demo_tally_sums(&t).lost, MANY);
    demo_tally_done(&t);
    buf_done(&ledger);
}

static void a_message_without_its_id_is_no_count(void **state)
{
    struct demo_place *place = *state;
    struct demo_tally t = { 0 };
    struct err err = { 0 };

    put(place, "mail/example.test/ada/new/1", STR("Subject: x\n\n"));
    assert_false(demo_tally_add_mailbox(&t, place, "ada", &err));
    demo_tally_done(&t);
}

/* ---- the folder ---- */

static void sweeping_follows_no_link(void **state)
{
    struct demo_place *place = *state;
    struct err err = { 0 };
    struct stat st;

    put(place, "kept", STR("kept"));
    assert_int_equal(mkdirat(place->fd, "kept-folder", 0755), 0);
    assert_int_equal(symlinkat("../../../kept", place->fd, "mail/example.test/ada/link"), 0);
    assert_int_equal(symlinkat("../../../kept-folder", place->fd, "mail/example.test/ada/folder"), 0);
    assert_true(demo_sweep(place->fd, "mail", &err));
    assert_true(demo_sweep(place->fd, "mail", &err));
    assert_int_equal(fstatat(place->fd, "mail", &st, 0), -1);
    assert_int_equal(fstatat(place->fd, "kept", &st, 0), 0);
    assert_int_equal(fstatat(place->fd, "kept-folder", &st, 0), 0);
}

static void a_second_start_keeps_what_was_added(void **state)
{
    const struct demo_place *outer = *state;
    struct demo_place place;
    struct err err = { 0 };
    char room[4096];

    assert_true(demo_place_inside(&place, outer, "demo", &err));
    assert_true(demo_place_open(&place, false, &err));
    struct str users = text_of(&place, "users", room, sizeof(room));
    /* Only ada logs in. */
    assert_true(str_starts(users, STR("ada:{CRYPT}$")));
    assert_true(str_ends(users, STR("\nbob\n")));
    put(&place, "users", STR("kim\n"));
    demo_place_close(&place);

    assert_true(demo_place_open(&place, false, &err));
    assert_str_is(text_of(&place, "users", room, sizeof(room)), STR("kim\n"));
    demo_place_close(&place);
    assert_true(demo_place_open(&place, true, &err));
    assert_true(str_ends(text_of(&place, "users", room, sizeof(room)), STR("\nbob\n")));
    demo_place_close(&place);
}

static void a_folder_of_something_else_is_not_touched(void **state)
{
    struct demo_place *place = *state, again;
    struct err err = { 0 };
    char room[64];

    put(place, "users", STR("mine"));
    put(place, "veredus.conf", STR("hostname mine.example;\n"));
    again = *place;
    assert_false(demo_place_open(&again, true, &err));
    assert_int_equal(err.kind, ERR_PERM);
    demo_place_close(&again);
    assert_str_is(text_of(place, "users", room, sizeof(room)), STR("mine"));
}

static void two_never_share_a_folder(void **state)
{
    const struct demo_place *outer = *state;
    struct demo_place place, second;
    struct err err = { 0 };

    assert_true(demo_place_inside(&place, outer, "demo", &err));
    second = place;
    assert_true(demo_place_open(&place, false, &err));
    assert_false(demo_place_open(&second, false, &err));
    assert_int_equal(err.kind, ERR_TEMP);
    demo_place_close(&second);
    demo_place_close(&place);
}

/* ---- the letter ---- */

static void the_first_message_is_valid_and_hard(void **state)
{
    struct buf letter = BUF_INIT(DEMO_LETTER_MAX);

    (void)state;
    assert_true(demo_letter_write(&letter, "bob@example.test", "ada@example.test"));
    for (struct str rest = buf_str(&letter); rest.n;) {
        size_t n = str_find(rest, '\n');
        assert_true(n < rest.n && n > 0 && rest.p[n - 1] == '\r');
        assert_true(n <= 999); /* 998 and CR: RFC 5322 2.1.1 */
        rest = str_skip(rest, n + 1);
    }
    assert_true(str_contains(buf_str(&letter), STR("\r\n.\r\n")));
    assert_true(str_is_utf8(buf_str(&letter)) && !str_is_ascii(buf_str(&letter)));
    buf_done(&letter);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(the_same_octets_are_the_same),
        IN_FOLDER(one_octet_more_less_or_other_is_not_the_same),
        IN_FOLDER(a_file_without_its_trace_fields_is_refused),
        IN_FOLDER(a_message_is_found_by_its_id_and_no_other),
        IN_FOLDER(a_message_that_was_read_is_found),
        IN_FOLDER(a_field_is_unfolded_and_only_of_the_header),
        IN_FOLDER(lost_twice_and_unasked_are_counted),
        IN_FOLDER(many_messages_are_counted),
        IN_FOLDER(a_message_without_its_id_is_no_count),
        IN_FOLDER(sweeping_follows_no_link),
        IN_FOLDER(a_second_start_keeps_what_was_added),
        IN_FOLDER(a_folder_of_something_else_is_not_touched),
        IN_FOLDER(two_never_share_a_folder),
        cmocka_unit_test(the_first_message_is_valid_and_hard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
