/* A message as a pair of files: what is written out is what is read back, whatever octets it has. */
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/spool_file.h"
#include "message/envelope.h"
#include "message/progress.h"

enum { ARENA_MAX = 1 << 20 };

static const unsigned char token[SPOOL_FILE_TOKEN] = "0123456789abcde";

static const struct envelope_recipient three[] = {
    { .number = 1, .local = STR_INIT("ada"), .domain = STR_INIT("example.test"), .original = STR_INIT("a@example.test") },
    { .number = 2, .local = STR_INIT("bob b"), .domain = STR_INIT("example.test"), .has_sender = true },
    { .number = 4, .local = STR_INIT("/usr/bin/x -y"), .domain = STR_INIT("example.test"), .kind = ENVELOPE_COMMAND,
      .sender = STR_INIT("owner@example.test"), .has_sender = true },
};

static const struct progress two[] = {
    { .number = 1, .state = PROGRESS_DELIVERED, .attempts = 1, .last_msec = 1700000000123 },
    { .number = 4, .attempts = 3, .deaths = 1, .first_msec = 1700000000001, .last_msec = 1700000000002,
      .next_msec = 1700000600000, .code = 451, .warned = 1, .from_peer = true, .status = STR_INIT("4.7.1"),
      .text = STR_INIT("caf\xe9 \xff, later"), .host = STR_INIT("mx.example.test"), .peer = STR_INIT("192.0.2.1"),
      .site = STR_INIT("mx"), .reason = STR_INIT("greylist"), .released = true, .early = true },
};

static void fill(struct spool_item *item)
{
    static const char client[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (char)0xff, (char)0xff, (char)192, 0, 2, 7 };
    struct envelope e = {
        .sender = STR("\"odd one\"@example.net"),
        .client = str_of(client, sizeof(client)),
        .client_name = STR("client.example.net"),
        .listener = STR("mx-25"),
        .protocol = STR("ESMTP"),
        .session = STR("7QK2M0X4TB"),
        .uid_plus = 1001,
        .account = STR("anna@example.net"),
        .held = STR("limit account messages 3/h"),
        .release_msec = 1700086400123,
        .release_request = STR("until;2023-11-15T22:13:20Z"),
        .recipients = three,
        .n_recipients = ARRAY_LEN(three),
    };

    *item = SPOOL_ITEM_INIT;
    item->id.n = 12345;
    item->held = true;
    item->accepted_msec = 1699999999999;
    item->size = 100;
    assert_true(envelope_encode(&item->envelope, &e) && progress_encode(&item->state, two, ARRAY_LEN(two)));
    assert_true(buf_add(&item->hold, STR("see ticket 4411")));
}

static const struct spool_content_facts facts = { .size = 100, .lines = 5, .longest_line = 40, .header_octets = 30 };

static void all_but_what_is_done_comes_back(void **state)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct spool_item item, back = SPOOL_ITEM_INIT;
    struct buf got = BUF_INIT(100);
    struct envelope e;
    struct progress *items;
    struct err err = { 0 };
    size_t n;

    (void)state;
    fill(&item);
    json_t *file = spool_file_json(&item, token);
    char *text = json_dumps(file, 0); /* all of it is text */
    assert_non_null(text);
    json_t *again = json_loads(text, 0, NULL);
    if (!spool_file_read(again, &facts, a, &back, &got, &err))
        fail_msg("%s", err.text);
    assert_str_is(buf_str(&got), str_of((const char *)token, sizeof(token)));
    assert_int_equal(back.accepted_msec, item.accepted_msec);
    assert_true(back.held);
    assert_str_is(buf_str(&back.hold), STR("see ticket 4411"));

    assert_true(envelope_decode(buf_str(&back.envelope), a, &e, &err));
    assert_str_is(e.sender, STR("\"odd one\"@example.net"));
    assert_int_equal(e.client.n, 16);
    assert_int_equal(e.uid_plus, 1001);
    assert_str_is(e.account, STR("anna@example.net"));
    assert_str_is(e.held, STR("limit account messages 3/h"));
    assert_true(e.release_msec == 1700086400123);
    assert_str_is(e.release_request, STR("until;2023-11-15T22:13:20Z"));
    assert_int_equal(e.size, 100);
    assert_int_equal(e.n_recipients, 2);
    assert_int_equal(e.recipients[0].number, 2);
    assert_str_is(e.recipients[0].local, STR("bob b"));
    assert_true(e.recipients[0].has_sender && !e.recipients[0].sender.n);
    assert_int_equal(e.recipients[1].kind, ENVELOPE_COMMAND);
    assert_str_is(e.recipients[1].local, STR("/usr/bin/x -y"));
    assert_str_is(e.recipients[1].sender, STR("owner@example.test"));

    assert_true(progress_decode(buf_str(&back.state), a, &items, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(items[0].number, 4);
    assert_int_equal(items[0].attempts, 3);
    assert_int_equal(items[0].first_msec, 1700000000001);
    assert_int_equal(items[0].next_msec, 1700000600000);
    assert_true(items[0].from_peer && items[0].released && items[0].early);
    assert_str_is(items[0].text, two[1].text);
    assert_str_is(items[0].reason, STR("greylist"));
    json_decref(file);
    json_decref(again);
    free(text);
    buf_done(&got);
    spool_item_done(&item);
    spool_item_done(&back);
    arena_free(a);
}

static void a_damaged_one_is_not_taken_as_it_is(void **state)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct spool_item item, back = SPOOL_ITEM_INIT;
    struct buf got = BUF_INIT(100);
    struct err err = { 0 };

    (void)state;
    fill(&item);
    item.damaged = true;
    buf_clear(&item.envelope); /* nothing of it can be read: still there is a file */
    json_t *file = spool_file_json(&item, token);
    assert_non_null(file);
    assert_false(spool_file_read(file, &facts, a, &back, &got, &err));
    assert_int_equal(err.kind, ERR_PERM);
    json_decref(file);
    buf_done(&got);
    spool_item_done(&item);
    spool_item_done(&back);
    arena_free(a);
}

/* What was cut off or changed on its way goes out under nobody's name; without the two it was changed on purpose. */
static void another_content_is_not_taken(void **state)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct spool_item item, back = SPOOL_ITEM_INIT;
    struct spool_content_facts f = facts;
    struct buf got = BUF_INIT(100);
    struct err err = { 0 };

    (void)state;
    fill(&item);
    json_t *file = spool_file_json(&item, token);
    f.size = 99;
    assert_false(spool_file_read(file, &f, a, &back, &got, &err));
    assert_non_null(strstr(err.text, "99 octets, not the 100 that were exported"));
    f.size = 100;
    f.sum[SPOOL_FILE_SUM - 1] = 1;
    assert_false(spool_file_read(file, &f, a, &back, &got, &err));
    assert_non_null(strstr(err.text, "is not what was exported"));
    json_object_set_new(file, "sha256", json_integer(0));
    assert_false(spool_file_read(file, &f, a, &back, &got, &err));
    json_object_del(file, "sha256");
    assert_true(spool_file_read(file, &f, a, &back, &got, &err));
    json_decref(file);
    buf_done(&got);
    spool_item_done(&item);
    spool_item_done(&back);
    arena_free(a);
}

/* However the file is cut into reads: here whole, as the pass reads 64 KiB at a time. */
static bool look(struct str content, struct spool_content_facts *f, struct err *err)
{
    struct arena *a = arena_new(ARENA_MAX);
    int fd = memfd_create("content", MFD_CLOEXEC);

    assert_int_equal(write(fd, content.p, content.n), content.n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    bool ok = spool_content_look(fd, a, f, err);
    close(fd);
    arena_free(a);
    return ok;
}

static void the_facts_of_a_content_are_found(void **state)
{
    struct spool_content_facts f;
    struct err err = { 0 };

    (void)state;
    assert_true(look(STR("Subject: x\r\n\r\n.dot\r\n..\r\nlonger \xe9\r\n"), &f, &err));
    assert_int_equal(f.size, 34);
    assert_int_equal(f.lines, 5);
    assert_int_equal(f.longest_line, 10);
    assert_int_equal(f.leading_dots, 2);
    assert_int_equal(f.header_octets, 14);
    assert_true(f.eight_bit && !f.header_eight_bit);
}

/* A CR and its LF may stand in two reads (RFC 5321 2.3.8). */
static void a_line_end_across_two_reads_is_one(void **state)
{
    enum { PIECE = 64 * 1024 };
    struct spool_content_facts f;
    struct err err = { 0 };
    char *content = malloc(PIECE + 1);

    (void)state;
    memset(content, 'x', PIECE);
    content[PIECE - 1] = '\r';
    content[PIECE] = '\n';
    assert_true(look(str_of(content, PIECE + 1), &f, &err));
    assert_int_equal(f.lines, 1);
    assert_int_equal(f.longest_line, PIECE - 1);
    content[PIECE] = 'x';
    assert_false(look(str_of(content, PIECE + 1), &f, &err));
    assert_non_null(strstr(err.text, "line 1 of its content does not end in CRLF"));
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_but_what_is_done_comes_back),
        cmocka_unit_test(a_damaged_one_is_not_taken_as_it_is),
        cmocka_unit_test(another_content_is_not_taken),
        cmocka_unit_test(the_facts_of_a_content_are_found),
        cmocka_unit_test(a_line_end_across_two_reads_is_one),
    };

    return cmocka_run_group_tests_name("cmd/spool_file", tests, NULL, NULL);
}
