/*
 * Commands and their arguments. Oracle: splitting changes nothing; a path that was read, written and read
 * again is the same; what was refused left its outputs alone.
 */
#include "tests/fuzz/smtp/fuzz.h"

#include "core/arena.h"
#include "core/buf.h"
#include "smtp/address.h"
#include "smtp/argument.h"
#include "smtp/command.h"

enum { PLENTY = 1 << 22 };

static void check_path_again(struct arena *a, const struct smtp_path *path)
{
    struct buf text = BUF_INIT(PLENTY);
    struct smtp_path back;

    BUG_ON(!smtp_path_write(&text, path));
    if (!(path->flags & (SMTP_PATH_NULL | SMTP_PATH_POSTMASTER))) {
        enum smtp_path_result result = smtp_mailbox_parse(a, buf_str(&text), &back);
        /* An A-label may be longer than what it was made of; nothing else may fail. */
        BUG_ON(result != SMTP_PATH_OK && !(result == SMTP_PATH_TOO_LONG && (path->flags & SMTP_PATH_UTF8)));
        BUG_ON(result == SMTP_PATH_OK && !str_eq(back.local, path->local));
        BUG_ON(result == SMTP_PATH_OK && !str_eq(back.domain, path->domain));
        bool literal = path->flags & SMTP_PATH_LITERAL;
        BUG_ON(literal ? !smtp_literal_is_address(path->domain) : !smtp_domain_is_ldh(path->domain));
    }
    buf_done(&text);
}

static void check_path(struct str argument, enum smtp_path_kind kind)
{
    struct arena *a = arena_new(PLENTY);
    struct smtp_path path = { .flags = ~0U };
    struct smtp_mail_params params = { .size = 77 };
    const struct smtp_mail_terms terms = { .auth = true, .keeps_auth = true, .hold_max_sec = 3600, .now_msec = 1000 };
    struct str bad = STR_NONE;
    size_t used = SIZE_MAX;

    BUG_ON(!a);
    for (int syntax = SMTP_PATH_STRICT; syntax <= SMTP_PATH_LENIENT; syntax++) {
        char *copy = heap_copy(argument);
        struct str in = str_of(copy, argument.n);
        if (smtp_path_parse(a, in, kind, (enum smtp_path_syntax)syntax, &path, &used) == SMTP_PATH_OK) {
            BUG_ON(used > in.n);
            check_path_again(a, &path);
            enum smtp_reply_name fault = smtp_mail_params_parse(a, str_skip(in, used), &terms, &params, &bad);
            BUG_ON(fault != SMTP_REPLY_NONE && params.size != 77);
            (void)smtp_rcpt_params_parse(str_skip(in, used), &bad);
            params.size = 77;
        } else {
            BUG_ON(syntax == SMTP_PATH_STRICT && (used != SIZE_MAX || path.flags != ~0U));
        }
        free(copy);
    }
    arena_free(a);
}

static void check_command(const struct smtp_command *cmd)
{
    const struct str from = STR("FROM:"), to = STR("TO:");

    if (cmd->verb == SMTP_VERB_MAIL && str_starts_nocase(cmd->argument, from))
        check_path(str_skip(cmd->argument, from.n), SMTP_PATH_REVERSE);
    if (cmd->verb == SMTP_VERB_RCPT && str_starts_nocase(cmd->argument, to))
        check_path(str_skip(cmd->argument, to.n), SMTP_PATH_FORWARD);
    if (cmd->verb == SMTP_VERB_EHLO)
        for (int check = SMTP_EHLO_OFF; check <= SMTP_EHLO_FQDN; check++)
            (void)smtp_ehlo_argument_ok(cmd->argument, (enum smtp_ehlo_check)check);
}

/* The results in a row, one after the other: verb, length and octets of the argument. */
static void scan_all(struct str in, struct splitter split, struct buf *seen, bool check)
{
    struct smtp_scanner sc = { 0 };
    struct buf held = BUF_INIT(PLENTY);
    enum smtp_scan scan = SMTP_SCAN_MORE;

    while (in.n && scan != SMTP_SCAN_FLOOD) {
        size_t piece = next_piece(&split, in.n);
        buf_add(&held, str_head(in, piece));
        in = str_skip(in, piece);
        do {
            struct smtp_command cmd;
            size_t used;
            char *copy = heap_copy(buf_str(&held));
            scan = smtp_scan_command(&sc, str_of(copy, held.n), &cmd, &used);
            if (scan != SMTP_SCAN_MORE)
                buf_add_char(seen, (char)scan);
            if (scan == SMTP_SCAN_COMMAND) {
                buf_printf(seen, "%d %zu:", cmd.verb, cmd.argument.n);
                buf_add(seen, cmd.argument);
                if (check)
                    check_command(&cmd);
            }
            free(copy);
            buf_eat(&held, used);
        } while (scan != SMTP_SCAN_MORE && scan != SMTP_SCAN_FLOOD);
    }
    buf_done(&held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT(PLENTY), split = BUF_INIT(PLENTY);

    if (!size)
        return 0;
    struct str in = str_of((const char *)data + 1, size - 1);
    scan_all(in, (struct splitter){ 0 }, &whole, true);
    scan_all(in, (struct splitter){ .seed = data[0] }, &split, false);
    BUG_ON(!str_eq(buf_str(&whole), buf_str(&split)));
    buf_done(&whole);
    buf_done(&split);
    return 0;
}
