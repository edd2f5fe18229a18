/* smtp/argument.c -- words behind the verb, one by one. */
#include "smtp/argument.h"

#include "core/num.h"
#include "core/utc.h"
#include "smtp/address.h"

bool smtp_ehlo_argument_ok(struct str argument, enum smtp_ehlo_check check)
{
    if (!argument.n || argument.n > SMTP_DOMAIN_MAX)
        return false;
    if (check == SMTP_EHLO_OFF || smtp_literal_is_address(argument))
        return true;
    return smtp_domain_is_ldh(argument) && (check == SMTP_EHLO_SYNTAX || str_has(argument, '.'));
}

/* One esmtp-param of RFC 5321 4.1.2. */
struct parameter {
    struct str whole;
    struct str keyword;
    bool has_value;
    struct str value;
};

static bool is_keyword(struct str s)
{
    if (!s.n || !ascii_is_alnum(s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

/* Also UTF-8 (RFC 6531 3.3). */
static bool is_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c == '=' || c == 0x7f)
            return false;
    }
    return s.n && str_is_utf8(s);
}

/* Takes the next word off *rest; false when there is none. */
static bool next_parameter(struct str *rest, struct parameter *p)
{
    while (rest->n && rest->p[0] == ' ')
        *rest = str_skip(*rest, 1);
    if (!rest->n)
        return false;
    struct str whole = str_cut(rest, ' ');
    struct str value = whole;
    struct str keyword = str_cut(&value, '=');
    *p = (struct parameter){ .whole = whole, .keyword = keyword, .has_value = value.p, .value = value };
    return true;
}

static bool is_well_formed(const struct parameter *p)
{
    return is_keyword(p->keyword) && (!p->has_value || is_value(p->value));
}

/* 1 to 20 digits (RFC 1870 3), so it may pass 64 bits. */
static bool read_size(const struct parameter *p, struct smtp_mail_params *params)
{
    uint64_t size = UINT64_MAX;

    if (params->has_size || !p->has_value || p->value.n > 20)
        return false;
    for (size_t i = 0; i < p->value.n; i++)
        if (!ascii_is_digit(p->value.p[i]))
            return false;
    if (!num_parse_u64(p->value, UINT64_MAX, &size))
        size = UINT64_MAX;
    params->has_size = true;
    params->size = size;
    return true;
}

static enum smtp_reply_name read_body(const struct parameter *p, struct smtp_mail_params *params)
{
    if (params->body != SMTP_BODY_NONE || !p->has_value)
        return SMTP_REPLY_PARAMETER_BAD;
    if (str_eq_nocase(p->value, STR("7BIT")))
        params->body = SMTP_BODY_7BIT;
    else if (str_eq_nocase(p->value, STR("8BITMIME")))
        params->body = SMTP_BODY_8BITMIME;
    else if (str_eq_nocase(p->value, STR("BINARYMIME")))
        return SMTP_REPLY_PARAMETER_UNKNOWN; /* RFC 3030, not offered */
    else
        return SMTP_REPLY_PARAMETER_BAD;
    return SMTP_REPLY_NONE;
}

static bool read_smtputf8(const struct parameter *p, struct smtp_mail_params *params)
{
    if (params->smtputf8 || p->has_value)
        return false;
    params->smtputf8 = true;
    return true;
}

static int hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* xtext of RFC 4954 8 undone into TO, which has room for IN; empty: it is none. */
static struct str read_xtext(char *to, struct str in)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c <= ' ' || c > '~' || c == '=')
            return STR_NONE;
        if (c == '+') {
            int high = i + 2 < in.n ? hex_value(in.p[i + 1]) : -1;
            int low = i + 2 < in.n ? hex_value(in.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return STR_NONE;
            c = (char)(high << 4 | low);
            i += 2;
        }
        to[n++] = c;
    }
    return str_of(to, n);
}

/* A mailbox or <> (RFC 4954 5); whoever is not trusted has said <>. */
static enum smtp_reply_name read_auth(struct arena *arena, const struct parameter *p,
                                      const struct smtp_mail_terms *terms, struct smtp_mail_params *params)
{
    struct smtp_path path;

    if (params->has_auth || !p->has_value)
        return SMTP_REPLY_PARAMETER_BAD;
    char *room = arena_alloc(arena, p->value.n);
    if (!room)
        return SMTP_REPLY_MEMORY_SHORT;
    struct str value = read_xtext(room, p->value);
    bool nobody = str_eq(value, STR("<>"));
    enum smtp_path_result result = nobody ? SMTP_PATH_OK : smtp_mailbox_parse(arena, value, &path);
    if (result == SMTP_PATH_NO_MEMORY)
        return SMTP_REPLY_MEMORY_SHORT;
    if (result != SMTP_PATH_OK)
        return SMTP_REPLY_PARAMETER_BAD;
    params->has_auth = true;
    params->auth = terms->keeps_auth && !nobody ? value : STR_NONE;
    return SMTP_REPLY_NONE;
}

/* 1 to 999999999 seconds (RFC 4865 3). */
static enum smtp_reply_name read_hold_for(const struct parameter *p, const struct smtp_mail_terms *terms,
                                          struct smtp_mail_params *params)
{
    uint64_t sec;

    if (params->has_hold || !p->has_value || p->value.n > 9 || p->value.p[0] == '0' ||
        !num_parse_u64(p->value, UINT64_MAX, &sec))
        return SMTP_REPLY_PARAMETER_BAD;
    if (sec > terms->hold_max_sec)
        return SMTP_REPLY_HOLD_TOO_LONG;
    params->has_hold = true;
    params->hold_for_sec = sec;
    return SMTP_REPLY_NONE;
}

/* What is past is no fault: the message goes at once. */
static enum smtp_reply_name read_hold_until(const struct parameter *p, const struct smtp_mail_terms *terms,
                                            struct smtp_mail_params *params)
{
    int64_t msec;

    if (params->has_hold || !p->has_value || !utc_parse(p->value, &msec))
        return SMTP_REPLY_PARAMETER_BAD;
    if (msec > terms->now_msec + (int64_t)terms->hold_max_sec * 1000)
        return SMTP_REPLY_HOLD_TOO_LONG;
    params->has_hold = true;
    params->hold_until_msec = msec;
    return SMTP_REPLY_NONE;
}

static enum smtp_reply_name read_mail_parameter(struct arena *arena, const struct parameter *p,
                                                const struct smtp_mail_terms *terms,
                                                struct smtp_mail_params *params)
{
    if (!is_well_formed(p))
        return SMTP_REPLY_PARAMETER_BAD;
    if (str_eq_nocase(p->keyword, STR("AUTH")) && terms->auth)
        return read_auth(arena, p, terms, params);
    if (str_eq_nocase(p->keyword, STR("HOLDFOR")) && terms->hold_max_sec)
        return read_hold_for(p, terms, params);
    if (str_eq_nocase(p->keyword, STR("HOLDUNTIL")) && terms->hold_max_sec)
        return read_hold_until(p, terms, params);
    if (str_eq_nocase(p->keyword, STR("BODY")))
        return read_body(p, params);
    if (str_eq_nocase(p->keyword, STR("SIZE")))
        return read_size(p, params) ? SMTP_REPLY_NONE : SMTP_REPLY_PARAMETER_BAD;
    if (str_eq_nocase(p->keyword, STR("SMTPUTF8")))
        return read_smtputf8(p, params) ? SMTP_REPLY_NONE : SMTP_REPLY_PARAMETER_BAD;
    return SMTP_REPLY_PARAMETER_UNKNOWN;
}

enum smtp_reply_name smtp_mail_params_parse(struct arena *arena, struct str in, const struct smtp_mail_terms *terms,
                                            struct smtp_mail_params *params, struct str *bad)
{
    struct smtp_mail_params found = { 0 };
    struct parameter p;

    while (next_parameter(&in, &p)) {
        enum smtp_reply_name fault = read_mail_parameter(arena, &p, terms, &found);
        if (fault != SMTP_REPLY_NONE) {
            *bad = p.whole;
            return fault;
        }
    }
    *params = found;
    return SMTP_REPLY_NONE;
}

enum smtp_reply_name smtp_rcpt_params_parse(struct str in, struct str *bad)
{
    struct parameter p;

    if (!next_parameter(&in, &p))
        return SMTP_REPLY_NONE;
    *bad = p.whole;
    return is_well_formed(&p) ? SMTP_REPLY_PARAMETER_UNKNOWN : SMTP_REPLY_PARAMETER_BAD;
}
