/* config/value_target.c -- where mail goes: hosts, mailboxes, commands, or nowhere (FACE 1.6). */
#include <string.h>

#include "config/args.h"
#include "config/names.h"
#include "config/parse.h"
#include "core/check.h"
#include "core/num.h"

enum { UNIX_PATH_MAX = 107, SMTP_PORT = 25, SMTPS_PORT = 465, PORT_MAX = 65535, FILE_PATH_MAX = 4095, TEXT_MAX = 400 };

enum target_word {
    TARGET_MX,
    TARGET_MX_OF,
    TARGET_SMTP,
    TARGET_SMTPS,
    TARGET_LMTP,
    TARGET_MAILDIR,
    TARGET_MBOX,
    TARGET_PIPE,
    TARGET_BSMTP,
    TARGET_HOLD,
    TARGET_DISCARD,
    TARGET_FAIL,
    TARGET_DEFER,
};

static const struct config_scheme targets[] = {
    [TARGET_MX] = { STR_INIT("mx"), true, "the MX hosts of the recipient's domain" },
    [TARGET_MX_OF] = { STR_INIT("mx:"), true, "mx:DOMAIN, the MX hosts of DOMAIN" },
    [TARGET_SMTP] = { STR_INIT("smtp:"), true, "smtp://HOST[:PORT], that host; several are tried in turn" },
    [TARGET_SMTPS] = { STR_INIT("smtps:"), true, "smtps://HOST[:PORT], the same with TLS at once; port 465" },
    [TARGET_LMTP] = { STR_INIT("lmtp:"), true, "lmtp://HOST:PORT or lmtp:unix:PATH" },
    [TARGET_MAILDIR] = { STR_INIT("maildir:"), true, "maildir:PATH, a Maildir, made if missing" },
    [TARGET_MBOX] = { STR_INIT("mbox:"), true, "mbox:PATH, a file, made if missing" },
    [TARGET_PIPE] = { STR_INIT("pipe:"), true, "pipe:PATH ARGUMENT…, a command, argv as written, no shell" },
    [TARGET_BSMTP] = { STR_INIT("bsmtp:"), false, NULL, 'C' },
    [TARGET_HOLD] = { STR_INIT("hold"), true, "kept until released" },
    [TARGET_DISCARD] = { STR_INIT("discard"), true, "dropped, with a record" },
    [TARGET_FAIL] = { STR_INIT("fail"), true, "fail \"5.1.6 text\", refused for ever" },
    [TARGET_DEFER] = { STR_INIT("defer"), true, "defer \"4.3.2 text\", refused for now" },
};

const struct config_words config_target_words = { "target", targets, ARRAY_LEN(targets) };

/* ---- texts with placeholders ---- */

/* Which placeholders have their place in a text, and what the text is. */
struct allowance {
    unsigned set; /* of 1 << enum config_placeholder */
    const char *where;
};

#define ALLOW(id) (1U << CONFIG_PLACEHOLDER_##id)

/* What is known of a recipient; who sent the message does not choose the mailbox. */
static const struct allowance in_mailbox = {
    ALLOW(USER) | ALLOW(DETAIL) | ALLOW(DOMAIN) | ALLOW(ADDRESS) | ALLOW(ORIGINAL) | ALLOW(HOME) |
        ALLOW(HOSTNAME),
    "the path of a mailbox",
};
/* A command gets each as one argument, whatever it contains. */
static const struct allowance in_argument = {
    ALLOW(USER) | ALLOW(DETAIL) | ALLOW(DOMAIN) | ALLOW(ADDRESS) | ALLOW(ORIGINAL) | ALLOW(RECIPIENTS) |
        ALLOW(SENDER) | ALLOW(CLIENT) | ALLOW(ID) | ALLOW(HOME) | ALLOW(HOSTNAME),
    "an argument",
};

/* "allowed here: {user} …", and those names. */
static struct str list_allowed(struct config_args *a, const struct allowance *allowed, struct str *names,
                               size_t *n)
{
    struct str list = STR("allowed here:");

    for (unsigned i = 0; i < CONFIG_PLACEHOLDERS_N; i++)
        if (allowed->set & 1U << i) {
            names[*n] = config_placeholder_name((enum config_placeholder)i);
            list = config_say(a->r, "%.*s {%.*s}", STR_ARG(list), STR_ARG(names[*n]));
            ++*n;
        }
    return list;
}

/* NAME, whose brace stands AT octets behind the beginning of W. */
static bool refuse_placeholder(struct config_args *a, const struct config_word *w,
                               const struct allowance *allowed, struct str name, size_t at)
{
    struct config_mark mark = { .place = config_word_part(w, at, name.n + 2) };
    struct str names[CONFIG_PLACEHOLDERS_N], shown = config_shown(a->r, name);
    enum config_placeholder which = config_placeholder_find(name);
    size_t n = 0;

    if (which == CONFIG_PLACEHOLDER_ACCOUNT && allowed == &in_argument)
        return config_complain(a->r, mark, "'{account}' is not built yet");
    if (allowed->set)
        mark.cure = list_allowed(a, allowed, names, &n);
    size_t near = config_slip_nearest(name, names, n);
    if (near < n)
        mark.hint = config_say(a->r, "did you mean '{%.*s}'?", STR_ARG(names[near]));
    if (which == CONFIG_PLACEHOLDER_NONE)
        return config_complain(a->r, mark, "unknown placeholder '{%.*s}'", STR_ARG(shown));
    return config_complain(a->r, mark, "'{%.*s}' cannot be part of %s", STR_ARG(shown), allowed->where);
}

/* Adds TEXT to the last piece when that is text too, else as a piece of its own. */
static bool add_literal(struct config_args *a, const struct config_word *w, struct config_piece *pieces,
                        size_t *n, struct str text)
{
    if (!text.n)
        return true;
    if (!*n || pieces[*n - 1].placeholder != CONFIG_PLACEHOLDER_NONE) {
        pieces[(*n)++] = (struct config_piece){ .placeholder = CONFIG_PLACEHOLDER_NONE, .literal = text };
        return true;
    }
    struct str *last = &pieces[*n - 1].literal;
    if (last->n > FILE_PATH_MAX)
        return config_complain(a->r, (struct config_mark){ .place = w->place },
                               "the path is longer than %d octets", FILE_PATH_MAX);
    char *p = arena_alloc(a->r->arena, last->n + text.n);
    if (!p)
        return config_exhausted(a->r);
    memcpy(p, last->p, last->n);
    memcpy(p + last->n, text.p, text.n);
    *last = str_of(p, last->n + text.n);
    return true;
}

/* The pieces of W behind its first SKIP octets; PIECES has room for one more than W has parts. */
static bool cut_pieces(struct config_args *a, const struct config_word *w, size_t skip,
                       const struct allowance *allowed, struct config_piece *pieces, size_t *n)
{
    struct config_part whole = { .text = w->text };
    const struct config_part *parts = w->n_parts ? w->parts : &whole;
    size_t n_parts = w->n_parts ? w->n_parts : 1, at = 0;

    for (size_t i = 0; i < n_parts; i++) {
        size_t skipped = parts[i].placeholder ? 0 : size_min(skip, parts[i].text.n);
        enum config_placeholder which = config_placeholder_find(parts[i].text);
        if (!parts[i].placeholder) {
            if (!add_literal(a, w, pieces, n, str_skip(parts[i].text, skipped)))
                return false;
            skip -= skipped;
        } else if (skip || which == CONFIG_PLACEHOLDER_NONE || !(allowed->set & 1U << which)) {
            return refuse_placeholder(a, w, allowed, parts[i].text, at);
        } else {
            pieces[(*n)++] = (struct config_piece){ .placeholder = which };
        }
        at += parts[i].text.n + (parts[i].placeholder ? 2 : 0);
    }
    return true;
}

/* W behind its first SKIP octets as pieces; NULL after a complaint. */
static struct config_piece *new_pieces(struct config_args *a, const struct config_word *w, size_t skip,
                                       const struct allowance *allowed, struct config_template *out)
{
    struct config_piece *pieces = ARENA_NEW_ARRAY(a->r->arena, w->n_parts + 1, struct config_piece);
    size_t n = 0;

    if (!pieces) {
        config_exhausted(a->r);
        return NULL;
    }
    if (!cut_pieces(a, w, skip, allowed, pieces, &n))
        return NULL;
    *out = (struct config_template){ pieces, n };
    return pieces;
}

/* What is known before there is any mail. */
static bool has_no_placeholders(struct config_args *a, const struct config_word *w, const char *where)
{
    const struct allowance none = { 0, where };
    size_t at = 0;

    for (size_t i = 0; i < w->n_parts; i++) {
        if (w->parts[i].placeholder)
            return refuse_placeholder(a, w, &none, w->parts[i].text, at);
        at += w->parts[i].text.n;
    }
    return true;
}

/* ---- mailboxes ---- */

/* {home} is a whole path: it can only begin one. */
static bool check_home(struct config_args *a, const struct config_word *w, const struct config_template *t)
{
    struct config_mark mark = { .place = w->place,
                                .cure = STR("write it like this: deliver maildir:{home}/Maildir;") };

    for (size_t i = 0; i < t->n; i++)
        if (t->pieces[i].placeholder == CONFIG_PLACEHOLDER_HOME &&
            (i || (t->n > 1 && !str_starts(t->pieces[1].literal, STR("/")))))
            return config_complain(a->r, mark, "'{home}' can only be the beginning of a path");
    return true;
}

/* A path that is seen from the file, and whose folder is one that can be given to the delivery alone. */
static bool check_root(struct config_args *a, const struct config_word *w, struct config_template *t,
                       struct config_piece *pieces)
{
    struct config_mark mark = { .place = w->place };

    if (!t->n)
        return config_complain(a->r, mark, "the path is empty");
    if (pieces[0].placeholder == CONFIG_PLACEHOLDER_HOME)
        return check_home(a, w, t);
    if (pieces[0].placeholder == CONFIG_PLACEHOLDER_NONE)
        pieces[0].literal = config_path_from(a->r, w->place, pieces[0].literal);
    if (pieces[0].literal.n > FILE_PATH_MAX)
        return config_complain(a->r, mark, "the path is longer than %d octets", FILE_PATH_MAX);
    mark.cure = STR("put a folder first, such as /var/mail");
    if (!config_template_root(t).n)
        return config_complain(a->r, mark, "mailboxes need a folder of their own");
    return check_home(a, w, t);
}

static bool read_mailbox(struct config_args *a, const struct config_word *w, enum target_word which,
                         struct config_target *out)
{
    struct config_piece *pieces = new_pieces(a, w, targets[which].name.n, &in_mailbox, &out->path);

    out->kind = which == TARGET_MBOX ? CONFIG_TARGET_MBOX : CONFIG_TARGET_MAILDIR;
    if (!pieces || !check_root(a, w, &out->path, pieces))
        return false;
    struct str last = out->path.pieces[out->path.n - 1].literal;
    if (out->kind == CONFIG_TARGET_MBOX && str_ends(last, STR("/")))
        return config_complain(a->r, (struct config_mark){ .place = w->place },
                               "an mbox is a file, not a folder");
    return true;
}

/* ---- commands ---- */

static bool is_recipients(const struct config_piece *piece)
{
    return piece->placeholder == CONFIG_PLACEHOLDER_RECIPIENTS;
}

static bool read_argument(struct config_args *a, const struct config_word *w, struct config_template *out)
{
    struct config_mark mark = { .place = w->place,
                                .cure = STR("write it as an argument of its own: {recipients}") };

    if (!new_pieces(a, w, 0, &in_argument, out))
        return false;
    for (size_t i = 0; i < out->n; i++)
        if (is_recipients(&out->pieces[i]) && out->n > 1)
            return config_complain(a->r, mark, "'{recipients}' is one argument for each recipient");
    return true;
}

/* The path is what is run: neither a message nor the place of a file may choose it. */
static bool read_command(struct config_args *a, const struct config_word *w, struct config_target *out)
{
    struct str path = str_skip(w->text, targets[TARGET_PIPE].name.n);
    struct config_mark mark = config_args_mark(a, w);

    mark.cure = STR("write it like this: deliver pipe:/usr/local/bin/command {user};");
    if (!has_no_placeholders(a, w, "the path of a command"))
        return false;
    if (!str_starts(path, STR("/")) || str_starts(path, STR("//")) || str_ends(path, STR("/")))
        return config_complain(a->r, mark, "a command is written with its whole path");
    struct config_piece *piece = ARENA_NEW(a->r->arena, struct config_piece);
    struct config_template *args = ARENA_NEW_ARRAY(a->r->arena, a->n - a->at, struct config_template);
    if (!piece || !args)
        return config_exhausted(a->r);
    *piece = (struct config_piece){ .placeholder = CONFIG_PLACEHOLDER_NONE, .literal = path };
    out->kind = CONFIG_TARGET_PIPE;
    out->path = (struct config_template){ piece, 1 };
    out->args = args;
    while ((w = config_args_next(a)))
        if (!read_argument(a, w, &args[out->n_args++]))
            return false;
    return path.n <= FILE_PATH_MAX ||
           config_complain(a->r, mark, "the path is longer than %d octets", FILE_PATH_MAX);
}

/* ---- hosts ---- */

/* Cuts ":PORT" off *host; false when what stands there is no port. */
static bool cut_port(struct str *host, uint16_t *port)
{
    size_t colon = str_rfind(*host, ':'), bracket = str_rfind(*host, ']');
    uint64_t n;

    *port = 0;
    if (colon == host->n || (bracket < host->n && colon < bracket))
        return true;
    if (!num_parse_u64(str_skip(*host, colon + 1), PORT_MAX, &n) || !n)
        return false;
    *host = str_head(*host, colon);
    *port = (uint16_t)n;
    return true;
}

/* What is meant by a host that is none. */
static bool refuse_host(struct config_args *a, const struct config_word *w, struct str written)
{
    struct str shown = config_shown(a->r, written);
    struct config_mark mark = { .place = w->place };
    struct ip ip;

    if (ip_parse(written, &ip) && ip.family == IP_V6)
        mark.hint = config_say(a->r, "did you mean '[%.*s]'?", STR_ARG(shown));
    else if (str_has(written, '@'))
        mark.cure = STR("name and password are no part of a host");
    else if (str_has(written, '/'))
        mark.cure = STR("nothing stands behind a host but its port");
    else
        mark.cure = STR("write HOST, HOST:PORT, 192.0.2.1:PORT or [2001:db8::1]:PORT");
    return config_complain(a->r, mark, "'%.*s' is not a host with a port", STR_ARG(shown));
}

/* "HOST[:PORT]" */
static bool read_host_port(struct config_args *a, const struct config_word *w, struct str written,
                           struct config_target *out)
{
    struct str host = written;
    struct err err = { 0 };
    struct ip ip;

    if (ip_parse(written, &ip) && ip.family == IP_V6)
        return refuse_host(a, w, written);
    if (!cut_port(&host, &out->port))
        return refuse_host(a, w, written);
    if (config_name_ip(host, &ip)) {
        out->host = config_say(a->r, "%s", ip_text(&ip).c);
        return out->host.n > 0;
    }
    if (config_name_looks_like_ip(host))
        return refuse_host(a, w, written);
    if (config_domain_normal(host, a->r->arena, &out->host, &err))
        return true;
    return err.kind == ERR_TEMP ? config_exhausted(a->r) : refuse_host(a, w, written);
}

/* After a scheme "//" names a host on the network; without it that was probably meant (FACE 1.6). */
static bool needs_slashes(struct config_args *a, const struct config_word *w, struct str rest)
{
    struct config_mark mark = { .place = w->place };
    struct str scheme = str_head(w->text, w->text.n - rest.n), shown = config_shown(a->r, rest);

    if (str_starts(rest, STR("//")))
        return true;
    if (str_starts(rest, STR("/")) && str_eq(scheme, STR("lmtp:")))
        mark.hint = config_say(a->r, "did you mean 'lmtp:unix:%.*s'?", STR_ARG(shown));
    else
        mark.hint = config_say(a->r, "did you mean '%.*s//%.*s'?", STR_ARG(scheme), STR_ARG(shown));
    return config_complain(a->r, mark, "a host stands behind '//'");
}

static bool read_smtp(struct config_args *a, const struct config_word *w, struct config_target *out)
{
    struct str rest = str_skip(w->text, targets[TARGET_SMTP].name.n);

    out->kind = CONFIG_TARGET_SMTP;
    return needs_slashes(a, w, rest) && read_host_port(a, w, str_skip(rest, 2), out);
}

/* TLS from the first octet has a port of its own (RFC 8314 3.3). */
static bool read_smtps(struct config_args *a, const struct config_word *w, struct config_target *out)
{
    struct str rest = str_skip(w->text, targets[TARGET_SMTPS].name.n);

    out->kind = CONFIG_TARGET_SMTP;
    out->tls_at_once = true;
    if (!needs_slashes(a, w, rest) || !read_host_port(a, w, str_skip(rest, 2), out))
        return false;
    out->port = out->port ? out->port : SMTPS_PORT;
    return true;
}

static bool read_lmtp(struct config_args *a, const struct config_word *w, struct config_target *out)
{
    struct str rest = str_skip(w->text, targets[TARGET_LMTP].name.n), shown = config_shown(a->r, w->text);
    struct config_mark mark = { .place = w->place };

    if (str_starts(rest, STR("unix:"))) {
        out->kind = CONFIG_TARGET_LMTP_UNIX;
        return config_args_path(a, w, str_skip(rest, 5), &out->host) &&
               (out->host.n <= UNIX_PATH_MAX ||
                config_complain(a->r, mark, "the path of a socket has at most %d octets", UNIX_PATH_MAX));
    }
    out->kind = CONFIG_TARGET_LMTP;
    if (!needs_slashes(a, w, rest) || !read_host_port(a, w, str_skip(rest, 2), out))
        return false;
    if (out->port == SMTP_PORT)
        return config_complain(a->r, mark, "LMTP is never spoken on port 25 (RFC 2033 5)");
    if (out->port)
        return true;
    mark.hint = config_say(a->r, "did you mean '%.*s:24'?", STR_ARG(shown));
    return config_complain(a->r, mark, "LMTP has no port of its own (RFC 2033 5)");
}

/* ---- nowhere ---- */

static size_t count_digits(struct str s)
{
    size_t n = 0;

    while (n < s.n && ascii_is_digit(s.p[n]))
        n++;
    return n;
}

/* Length of "5.1.6" at the front of S (RFC 3463 2: class, then two numbers of at most three digits), 0 for none. */
static size_t status_length(struct str s)
{
    size_t at = 0;

    for (int part = 0; part < 3; part++) {
        size_t digits = count_digits(str_skip(s, at));
        bool ends = part == 2;
        if (!digits || digits > (part ? 3 : 1) || (digits > 1 && s.p[at] == '0'))
            return 0;
        at += digits;
        if (ends ? at < s.n && s.p[at] != ' ' : at == s.n || s.p[at] != '.')
            return 0;
        at += !ends;
    }
    return at;
}

/* It becomes a reply: one line of ASCII, with room for the code (RFC 5321 4.5.3.1.5). */
static bool check_reply(struct config_args *a, const struct config_word *w, struct str text)
{
    struct config_mark mark = config_args_mark(a, w);

    mark.cure = STR("write it like this: fail \"5.1.6 this person has moved to example.net\";");
    if (!text.n)
        return config_complain(a->r, mark, "the text says nothing to who sent the message");
    if (text.n > TEXT_MAX)
        return config_complain(a->r, mark, "the text is longer than %d octets", TEXT_MAX);
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] > '~')
            return config_complain(a->r, mark, "the text of a reply is one line of ASCII");
    return true;
}

static bool read_refusal(struct config_args *a, enum target_word which, struct config_target *out)
{
    char class = which == TARGET_FAIL ? '5' : '4';
    const struct config_word *w = config_args_need(a);

    if (!w || !has_no_placeholders(a, w, "a reply"))
        return false;
    size_t n = status_length(w->text);
    out->kind = which == TARGET_FAIL ? CONFIG_TARGET_FAIL : CONFIG_TARGET_DEFER;
    out->status = n ? str_head(w->text, n) : which == TARGET_FAIL ? STR("5.7.1") : STR("4.3.2");
    out->text = str_trim(str_skip(w->text, n));
    if (out->status.p[0] == class)
        return check_reply(a, w, out->text);
    struct config_mark mark = { .place = config_word_part(w, 0, n) };
    mark.hint = config_say(a->r, "did you mean '%c%.*s'?", class, STR_ARG(str_skip(out->status, 1)));
    return config_complain(a->r, mark, "the status of '%.*s' begins with %c", STR_ARG(targets[which].name),
                           class);
}

/* ---- all ---- */

static bool read_target(struct config_args *a, const struct config_word *w, enum target_word which,
                        struct config_target *out)
{
    *out = (struct config_target){ .place = w->place };
    switch (which) {
    case TARGET_MAILDIR:
    case TARGET_MBOX:
        return read_mailbox(a, w, which, out);
    case TARGET_PIPE:
        return read_command(a, w, out);
    case TARGET_FAIL:
    case TARGET_DEFER:
        return read_refusal(a, which, out);
    case TARGET_MX_OF:
        out->kind = CONFIG_TARGET_MX;
        return has_no_placeholders(a, w, "a domain") &&
               config_args_domain(a, w, str_skip(w->text, targets[which].name.n), &out->host);
    case TARGET_SMTP:
        return has_no_placeholders(a, w, "a host") && read_smtp(a, w, out);
    case TARGET_SMTPS:
        return has_no_placeholders(a, w, "a host") && read_smtps(a, w, out);
    case TARGET_LMTP:
        return has_no_placeholders(a, w, "a host") && read_lmtp(a, w, out);
    case TARGET_MX:
        out->kind = CONFIG_TARGET_MX;
        return true;
    case TARGET_HOLD:
        out->kind = CONFIG_TARGET_HOLD;
        return true;
    case TARGET_DISCARD:
        out->kind = CONFIG_TARGET_DISCARD;
        return true;
    case TARGET_BSMTP:
        break;
    }
    return config_args_not_built(a, w, config_word_scheme(w), targets[which].stage);
}

static bool refuse_target(struct config_args *a, const struct config_word *w)
{
    struct str name = a->s->directive->name;

    if (config_word_is_path(w->text))
        return config_args_bare_path(a, w, "maildir:");
    return config_scheme_refuse(a, w, targets, ARRAY_LEN(targets),
                                config_say(a->r, "%.*s takes mx smtp:// lmtp:// maildir: …", STR_ARG(name)));
}

/* Several are tried in turn when a host cannot be reached: with a mailbox there is no such case. */
static bool refuse_company(struct config_args *a, const struct config_target *items, size_t n)
{
    for (size_t i = 0; n > 1 && i < n; i++)
        if (!config_target_is_remote(items[i].kind))
            return config_complain(a->r, (struct config_mark){ .place = items[i].place },
                                   "this target stands alone: only hosts are tried in turn");
    return true;
}

bool config_word_is_target(const struct config_word *w)
{
    return config_scheme_find(w, targets, ARRAY_LEN(targets)) < ARRAY_LEN(targets);
}

bool config_target_takes_words(const struct config_word *w)
{
    size_t which = config_scheme_find(w, targets, ARRAY_LEN(targets));

    return which == TARGET_PIPE || which == TARGET_FAIL || which == TARGET_DEFER;
}

bool config_targets_read(struct config_args *a, const struct config_word *first, union config_value *out)
{
    struct config_target *items = ARENA_NEW_ARRAY(a->r->arena, a->n, struct config_target);
    bool ok = true;
    size_t n = 0;

    if (!items)
        return config_exhausted(a->r);
    for (const struct config_word *w = first; w; w = config_args_next(a)) {
        size_t which = config_scheme_find(w, targets, ARRAY_LEN(targets));
        if (which == ARRAY_LEN(targets))
            ok = refuse_target(a, w);
        else
            ok &= read_target(a, w, (enum target_word)which, &items[n++]);
    }
    out->route.targets = items;
    out->route.n = n;
    return ok && refuse_company(a, items, n);
}

bool config_value_target(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    return w && config_targets_read(a, w, out);
}

/* Where a mailbox would be, nothing could be unreachable. */
bool config_value_fallback(struct config_args *a, union config_value *out)
{
    struct config_mark mark = { .cure = STR("such as: fallback smtp://backup.example.org;") };

    if (!config_value_target(a, out))
        return false;
    mark.place = out->route.targets[0].place;
    return config_target_is_remote(out->route.targets[0].kind) ||
           config_complain(a->r, mark, "a fallback is a host");
}
