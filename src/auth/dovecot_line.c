/* auth/dovecot_line.c */
#include "auth/dovecot_line.h"

#include <string.h>

#include "core/base64.h"
#include "core/num.h"

enum { PLAIN_MAX = 4096 };

static bool read_number(struct str word, uint32_t *number)
{
    uint64_t n;

    if (!num_parse_u64(word, UINT32_MAX, &n))
        return false;
    *number = (uint32_t)n;
    return true;
}

/* Values with tabs, line ends or \001 in them are escaped by \001: no name of an account has any. */
static void read_parameter(struct str word, struct dovecot_line *out)
{
    if (str_starts(word, STR("user=")) && !str_has(word, '\1') && !str_has(word, '\0'))
        out->user = str_skip(word, 5);
    else if (str_eq(word, STR("temp")) || str_eq(word, STR("code=temp_fail")))
        out->later = true;
    else if (str_eq(word, STR("user_disabled")) || str_eq(word, STR("code=user_disabled")) ||
             str_eq(word, STR("pass_expired")) || str_eq(word, STR("code=pass_expired")) ||
             str_eq(word, STR("authz")) || str_eq(word, STR("code=authz_fail")))
        out->locked = true;
}

static void read_reply(struct str rest, enum dovecot_kind kind, struct dovecot_line *out)
{
    if (!read_number(str_cut(&rest, '\t'), &out->number))
        return;
    out->kind = kind;
    while (rest.p)
        read_parameter(str_cut(&rest, '\t'), out);
}

void dovecot_line_read(struct str line, struct dovecot_line *out)
{
    struct str rest = line;
    struct str word = str_cut(&rest, '\t');

    *out = (struct dovecot_line){ .kind = DOVECOT_NONSENSE };
    if (str_eq(word, STR("OK"))) {
        read_reply(rest, DOVECOT_OK, out);
    } else if (str_eq(word, STR("FAIL"))) {
        read_reply(rest, DOVECOT_FAIL, out);
    } else if (str_eq(word, STR("CONT"))) {
        read_reply(rest, DOVECOT_CONT, out);
    } else if (str_eq(word, STR("VERSION"))) {
        if (read_number(str_cut(&rest, '\t'), &out->number))
            out->kind = DOVECOT_VERSION;
    } else if (str_eq(word, STR("MECH"))) {
        out->kind = DOVECOT_MECH;
        out->mechanism = str_cut(&rest, '\t');
    } else {
        out->kind = str_eq(word, STR("DONE")) ? DOVECOT_DONE : DOVECOT_OTHER;
    }
}

/* Base64 of PLAIN's message. */
static bool add_response(struct buf *out, struct str user, struct str password)
{
    struct buf plain = BUF_INIT(PLAIN_MAX);
    bool ok = buf_room(&plain, user.n + password.n + 2) && buf_add_char(&plain, '\0') && buf_add(&plain, user) &&
              buf_add_char(&plain, '\0') && buf_add(&plain, password) && base64_add(out, buf_str(&plain));

    if (plain.p)
        explicit_bzero(plain.p, plain.cap);
    buf_done(&plain);
    return ok;
}

bool dovecot_line_ask(struct buf *out, uint32_t number, struct str user, struct str password, struct str client)
{
    /* The response has to come last. */
    return buf_printf(out, "AUTH\t%lu\tPLAIN\tservice=smtp\tnologin\tsecured", (unsigned long)number) &&
           (!client.n || (buf_add_c(out, "\trip=") && buf_add(out, client))) && buf_add_c(out, "\tresp=") &&
           add_response(out, user, password) && buf_add_char(out, '\n');
}
