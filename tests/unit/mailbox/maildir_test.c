/* Maildirs: names, content, finding an earlier attempt's file, staying below the mail root. */
#include "tests/unit/mailbox/box.h"

#include "core/bug.h"

static const struct queue_id id = { 0x123456789abcdef };

static struct maildir_message message_of(const struct str *pieces, size_t n)
{
    return (struct maildir_message){
        .name = maildir_name(1795000000999, id, 2, STR("mail.example.org")),
        .content.pieces = pieces,
        .content.n_pieces = n,
        .content.file = -1,
    };
}

static enum maildir_result deliver(const struct box *b, const char *path, const struct maildir_message *m)
{
    struct mailbox_failure failure = { 0 };
    struct mailbox_store *store = box_store(b, &mailbox_disk_kernel);
    enum maildir_result r = maildir_deliver(store, str_from_c(path), m, &failure);

    mailbox_store_free(store);
    return r;
}

/* As deliver, for what must fail: the code it failed with. */
static const char *deliver_fails(const struct box *b, struct str path)
{
    static struct mailbox_failure failure;
    struct str piece = STR("x\r\n");
    struct maildir_message m = message_of(&piece, 1);
    struct mailbox_store *store = box_store(b, &mailbox_disk_kernel);
    char *copy = exact_copy(path);

    failure = (struct mailbox_failure){ 0 };
    assert_int_equal(maildir_deliver(store, str_of(copy, path.n), &m, &failure), MAILDIR_FAILED);
    assert_int_equal(failure.err.kind, failure.code[0] == '5' ? ERR_PERM : ERR_TEMP);
    assert_true(failure.err.text[0] != '\0');
    free(copy);
    mailbox_store_free(store);
    return failure.code;
}

static void a_file_name_is_the_same_for_each_attempt(void **state)
{
    (void)state;
    assert_string_equal(maildir_name(1795000000999, id, 2, STR("mail.example.org")).c,
                        "1795000000.28T5CY4TQKFF-2.mail");
    assert_string_equal(maildir_name(1795000000001, id, 2, STR("mail")).c, "1795000000.28T5CY4TQKFF-2.mail");
    assert_string_equal(maildir_name(5, id, 4294967295U, STR("a:b/c,d.e")).c, "0.28T5CY4TQKFF-4294967295.a_b_c_d");

    char long_label[300];
    memset(long_label, 'h', sizeof(long_label));
    assert_true(strlen(maildir_name(INT64_MAX, id, 1, str_of(long_label, 300)).c) < MAILDIR_NAME_MAX);
}

static mode_t mode_of(const struct box *b, const char *path)
{
    struct stat st;

    assert_int_equal(fstatat(b->fd, path, &st, 0), 0);
    return st.st_mode & 07777;
}

static void missing_folders_are_made_with_mode_0700(void **state)
{
    struct box b = box_make();
    struct str pieces[] = { STR("Return-Path: <a@b>\r\n"), STR("Subject: x\r\n\r\n"), STR("b\377dy\r\n") };
    struct maildir_message m = message_of(pieces, 3);
    const char *folders[] = { "example.org", "example.org/anna", "example.org/anna/tmp", "example.org/anna/new",
                              "example.org/anna/cur" };
    char name[256];

    (void)state;
    assert_int_equal(deliver(&b, "example.org/anna", &m), MAILDIR_STORED);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        assert_int_equal(mode_of(&b, folders[i]), 0700);
    assert_int_equal(box_count(&b, "example.org/anna/new", name), 1);
    assert_int_equal(box_count(&b, "example.org/anna/tmp", NULL), 0);
    assert_string_equal(name, m.name.c);
    box_assert_file(&b, "example.org/anna/new", name, STR("Return-Path: <a@b>\nSubject: x\n\nb\377dy\n"));
    assert_int_equal(mode_of(&b, "example.org/anna/new/1795000000.28T5CY4TQKFF-2.mail"), 0600);
    box_drop(&b);
}

static void the_mail_root_itself_may_be_the_mailbox(void **state)
{
    struct box b = box_make();
    struct str piece = STR("x\r\n");
    struct maildir_message m = message_of(&piece, 1);

    (void)state;
    assert_int_equal(deliver(&b, "", &m), MAILDIR_STORED);
    assert_int_equal(box_count(&b, "new", NULL), 1);
    box_drop(&b);
}

/* Content longer than a block, from memory and from a file, with CRLF on every block border in turn. */
static void long_content_is_octet_exact_C094(void **state)
{
    enum { SIZE = 200000 };
    char *in = malloc(SIZE);
    char *out = malloc(SIZE);
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        in[i] = i % 2 ? '\n' : '\r';
    for (size_t i = 70000; i < SIZE; i++)
        in[i] = (char)(i % 251 == '\r' ? 'r' : i % 251);
    for (size_t i = 0; i < SIZE; i++)
        if (i >= 70000 || in[i] == '\n')
            out[n++] = in[i];
    for (size_t shift = 0; shift < 3; shift++) {
        struct box b = box_make();
        struct str pieces[] = { str_of("xyz", shift), str_of(in, SIZE) };
        struct maildir_message m = message_of(pieces, 2);
        box_make_file(&b, "content", str_of(in, SIZE));
        assert_int_equal(deliver(&b, "memory", &m), MAILDIR_STORED);
        m.content.n_pieces = 1;
        m.content.file = openat(b.fd, "content", O_RDONLY);
        m.content.file_size = SIZE;
        assert_int_equal(deliver(&b, "file", &m), MAILDIR_STORED);
        for (int k = 0; k < 2; k++) {
            struct str got = box_read(&b, k ? "file/new" : "memory/new", m.name.c);
            assert_str_is(str_head(got, shift), str_of("xyz", shift));
            assert_int_equal(got.n, n + shift);
            assert_memory_equal(got.p + shift, out, n);
            free((char *)(uintptr_t)got.p);
        }
        /* A file shorter than it was said to be is no content. */
        m.content.file_size = SIZE + 1;
        assert_int_equal(deliver(&b, "short", &m), MAILDIR_FAILED);
        assert_int_equal(box_count(&b, "short/new", NULL) + box_count(&b, "short/tmp", NULL), 0);
        close(m.content.file);
        box_drop(&b);
    }
    free(in);
    free(out);
}

static void an_earlier_attempts_file_is_found_wherever_its_reader_put_it(void **state)
{
    const char *suffixes[] = { "", ":2,", ":2,FRS", ",S=4401,W=4500:2,S", ",S=4401" };
    struct str piece = STR("again\r\n");
    struct maildir_message m = message_of(&piece, 1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        struct box b = box_make();
        char path[300];
        snprintf(path, sizeof(path), "u/cur/%s%s", m.name.c, suffixes[i]);
        m.look = false;
        assert_int_equal(deliver(&b, "u", &m), MAILDIR_STORED);
        assert_int_equal(deliver(&b, "u", &m), MAILDIR_FOUND);
        m.look = true;
        assert_int_equal(deliver(&b, "u", &m), MAILDIR_FOUND);
        snprintf(path, sizeof(path), "%s/u/cur/%s%s", b.root, m.name.c, suffixes[i]);
        char from[300];
        snprintf(from, sizeof(from), "%s/u/new/%s", b.root, m.name.c);
        assert_int_equal(rename(from, path), 0);
        assert_int_equal(deliver(&b, "u", &m), MAILDIR_FOUND);
        assert_int_equal(box_count(&b, "u/new", NULL) + box_count(&b, "u/tmp", NULL), 0);
        assert_int_equal(box_count(&b, "u/cur", NULL), 1);
        box_drop(&b);
    }
}

static void a_longer_name_is_somebody_elses_file(void **state)
{
    struct box b = box_make();
    struct str piece = STR("mine\r\n");
    struct maildir_message m = message_of(&piece, 1);
    char path[300];

    (void)state;
    m.look = true;
    assert_int_equal(deliver(&b, "u", &m), MAILDIR_STORED);
    snprintf(path, sizeof(path), "u/cur/%s0:2,S", m.name.c);
    box_make_file(&b, path, STR("other"));
    snprintf(path, sizeof(path), "%s/u/new/%s", b.root, m.name.c);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(deliver(&b, "u", &m), MAILDIR_STORED);
    box_drop(&b);
}

static void a_left_over_in_tmp_is_replaced(void **state)
{
    struct box b = box_make();
    struct str piece = STR("whole\r\n");
    struct maildir_message m = message_of(&piece, 1);
    char path[300];

    (void)state;
    assert_int_equal(mkdirat(b.fd, "u", 0700) | mkdirat(b.fd, "u/tmp", 0700), 0);
    snprintf(path, sizeof(path), "u/tmp/%s", m.name.c);
    box_make_file(&b, path, STR("a longer text that was not finis"));
    assert_int_equal(deliver(&b, "u", &m), MAILDIR_STORED);
    box_assert_file(&b, "u/new", m.name.c, STR("whole\n"));
    assert_int_equal(box_count(&b, "u/tmp", NULL), 0);
    box_drop(&b);
}

static void hostile_names_never_leave_the_mail_root(void **state)
{
    const struct str names[] = {
        STR_INIT(".."),      STR_INIT("../x"),    STR_INIT("a/../../x"), STR_INIT("/etc"),  STR_INIT("a//b"),
        STR_INIT("."),       STR_INIT("a/."),     STR_INIT("a/"),        STR_INIT("/"),     STR_INIT("a\0b"),
        STR_INIT("\0"),      STR_INIT("../../.."), STR_INIT("x/..\0"),
    };
    struct box b = box_make();
    char long_name[5000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_string_equal(deliver_fails(&b, names[i]), "5.1.3");
    memset(long_name, 'a', sizeof(long_name));
    assert_string_equal(deliver_fails(&b, str_of(long_name, 256)), "5.1.3");
    assert_string_equal(deliver_fails(&b, str_of(long_name, 5000)), "5.1.3");
    assert_int_equal(box_count(&b, ".", NULL), 0);
    box_drop(&b);
}

static void symbolic_links_below_the_mail_root_are_refused(void **state)
{
    struct box b = box_make();
    struct box outside = box_make();

    (void)state;
    assert_int_equal(symlinkat(outside.root, b.fd, "out"), 0);
    assert_int_equal(mkdirat(b.fd, "u", 0700), 0);
    assert_int_equal(symlinkat(outside.root, b.fd, "u/new"), 0);
    assert_string_equal(deliver_fails(&b, STR("out")), "4.3.5");
    assert_string_equal(deliver_fails(&b, STR("out/u")), "4.3.5");
    assert_string_equal(deliver_fails(&b, STR("u")), "4.3.5");
    assert_int_equal(box_count(&outside, ".", NULL), 0);
    box_drop(&outside);
    box_drop(&b);
}

static void a_file_in_the_way_is_a_fault_of_the_system(void **state)
{
    struct box b = box_make();

    (void)state;
    box_make_file(&b, "u", STR(""));
    assert_string_equal(deliver_fails(&b, STR("u")), "4.3.5");
    box_drop(&b);
}

static void a_mailbox_removed_while_it_is_kept_open_is_made_again(void **state)
{
    struct box b = box_make();
    struct str piece = STR("x\r\n");
    struct maildir_message m = message_of(&piece, 1);
    struct mailbox_failure failure = { 0 };
    struct mailbox_store *store = box_store(&b, &mailbox_disk_kernel);
    char path[100];

    (void)state;
    assert_int_equal(maildir_deliver(store, STR("u"), &m, &failure), MAILDIR_STORED);
    snprintf(path, sizeof(path), "%s/u", b.root);
    assert_int_equal(nftw(path, box_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(maildir_deliver(store, STR("u"), &m, &failure), MAILDIR_STORED);
    assert_int_equal(box_count(&b, "u/new", NULL), 1);
    mailbox_store_free(store);
    box_drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_name_is_the_same_for_each_attempt),
        cmocka_unit_test(missing_folders_are_made_with_mode_0700),
        cmocka_unit_test(the_mail_root_itself_may_be_the_mailbox),
        cmocka_unit_test(long_content_is_octet_exact_C094),
        cmocka_unit_test(an_earlier_attempts_file_is_found_wherever_its_reader_put_it),
        cmocka_unit_test(a_longer_name_is_somebody_elses_file),
        cmocka_unit_test(a_left_over_in_tmp_is_replaced),
        cmocka_unit_test(hostile_names_never_leave_the_mail_root),
        cmocka_unit_test(symbolic_links_below_the_mail_root_are_refused),
        cmocka_unit_test(a_file_in_the_way_is_a_fault_of_the_system),
        cmocka_unit_test(a_mailbox_removed_while_it_is_kept_open_is_made_again),
    };

    return cmocka_run_group_tests_name("mailbox/maildir", tests, NULL, NULL);
}
