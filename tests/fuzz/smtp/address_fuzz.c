/* Addresses alone: the octets are a path; all readers, and the writer undone by reading. */
#include "tests/fuzz/smtp/fuzz.h"

#include "core/arena.h"
#include "core/buf.h"
#include "smtp/address.h"

static void check_again(struct arena *a, const struct smtp_path *path)
{
    struct buf text = BUF_INIT(1 << 16), twice = BUF_INIT(1 << 16);
    struct smtp_path back;

    BUG_ON(!smtp_path_write(&text, path));
    BUG_ON(!str_is_utf8(buf_str(&text)));
    for (size_t i = 0; i < text.n; i++)
        BUG_ON((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f);
    enum smtp_path_result result = smtp_mailbox_parse(a, buf_str(&text), &back);
    if (result == SMTP_PATH_OK) {
        BUG_ON(!str_eq(back.local, path->local) || !str_eq(back.domain, path->domain));
        BUG_ON(!smtp_path_write(&twice, &back) || !str_eq(buf_str(&text), buf_str(&twice)));
    } else {
        BUG_ON(result != SMTP_PATH_TOO_LONG || !(path->flags & SMTP_PATH_UTF8));
    }
    buf_done(&text);
    buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(1 << 20);
    struct str in = str_of((const char *)data, size), domain;
    struct smtp_path path;
    unsigned flags = 0;
    size_t used;

    BUG_ON(!a);
    char *copy = heap_copy(in);
    in.p = copy;
    if (smtp_mailbox_parse(a, in, &path) == SMTP_PATH_OK)
        check_again(a, &path);
    for (int mode = 0; mode < 4; mode++) {
        if (smtp_path_parse(a, in, (enum smtp_path_kind)(mode & 1), (enum smtp_path_syntax)(mode >> 1), &path,
                            &used) != SMTP_PATH_OK)
            continue;
        BUG_ON(used > in.n || !used);
        if (!(path.flags & (SMTP_PATH_NULL | SMTP_PATH_POSTMASTER)))
            check_again(a, &path);
    }
    /* A canonical domain is its own canonical form. */
    if (smtp_domain_parse(a, in, &domain, &flags) == SMTP_PATH_OK) {
        struct str again;
        BUG_ON(smtp_domain_parse(a, domain, &again, &flags) != SMTP_PATH_OK || !str_eq(domain, again));
    }
    free(copy);
    arena_free(a);
    return 0;
}
