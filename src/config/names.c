/* config/names.c -- domains, mailboxes, accounts, networks as they are written in a configuration. */
#include "config/names.h"

#include <idn2.h>

#include "config/parse.h"
#include "core/num.h"

enum {
    LABEL_MAX = 63,            /* RFC 1035 2.3.4 */
    DOMAIN_MAX = 253,          /* RFC 1035 2.3.4, as text without the last dot */
    WRITTEN_DOMAIN_MAX = 1000, /* U-labels take more octets than what they become */
    LOCAL_PART_MAX = 64,       /* RFC 5321 4.5.3.1.1 */
    ACCOUNT_MAX = 32,
    WORD_MAX = 64,
};

static bool is_letter_digit_hyphen(char c)
{
    return ascii_is_alnum(c) || c == '-';
}

/* RFC 1123 2.1 and RFC 5321 4.1.2: labels of letters, digits and hyphens, the last not at either end. */
static bool check_label(struct str label, struct err *err)
{
    if (!label.n)
        return err_perm(err, "a label of it is empty");
    if (label.n > LABEL_MAX)
        return err_perm(err, "a label of it is longer than %d octets", LABEL_MAX);
    if (label.p[0] == '-' || label.p[label.n - 1] == '-')
        return err_perm(err, "a label of it begins or ends with '-'");
    for (size_t i = 0; i < label.n; i++)
        if (!is_letter_digit_hyphen(label.p[i]))
            return err_perm(err, "'%c' has no place in it",
                            label.p[i] > ' ' && label.p[i] < 0x7f ? label.p[i] : '?');
    return true;
}

static bool check_labels(struct str domain, struct err *err)
{
    if (!domain.n)
        return err_perm(err, "it is empty");
    if (domain.n > DOMAIN_MAX)
        return err_perm(err, "it is longer than %d octets", DOMAIN_MAX);
    for (struct str rest = domain; rest.p;)
        if (!check_label(str_cut(&rest, '.'), err))
            return false;
    return true;
}

/* U-labels to A-labels; *out lives in ARENA. */
static bool to_a_labels(struct str written, struct arena *arena, struct str *out, struct err *err)
{
    uint8_t *ascii = NULL;
    char *c = arena_cstr(arena, written);

    if (!c)
        return str_has(written, '\0') ? err_perm(err, "it holds a NUL") : err_temp(err, "out of memory");
    int rc = idn2_lookup_u8((const uint8_t *)c, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc == IDN2_MALLOC)
        return err_temp(err, "out of memory");
    if (rc != IDN2_OK)
        return err_perm(err, "it is not an internationalised domain name (RFC 5891)");
    *out = arena_str(arena, str_from_c((const char *)ascii));
    idn2_free(ascii);
    return out->p || err_temp(err, "out of memory");
}

bool config_domain_normal(struct str written, struct arena *arena, struct str *out, struct err *err)
{
    struct str domain = written;

    if (written.n > WRITTEN_DOMAIN_MAX)
        return err_perm(err, "it is longer than %d octets", DOMAIN_MAX);
    if (!str_is_ascii(written) && !to_a_labels(written, arena, &domain, err))
        return false;
    if (!check_labels(domain, err))
        return false;
    char *p = arena_alloc(arena, domain.n);
    if (!p)
        return err_temp(err, "out of memory");
    for (size_t i = 0; i < domain.n; i++)
        p[i] = ascii_lower(domain.p[i]);
    *out = str_of(p, domain.n);
    return true;
}

/* RFC 5322 3.2.3, and what is not ASCII (RFC 6532 3.2). */
static bool is_atext(char c)
{
    return (unsigned char)c > 0x7f || ascii_is_alnum(c) || (c && str_has(STR("!#$%&'*+-/=?^_`{|}~"), c));
}

static bool is_dot_string(struct str s)
{
    for (struct str rest = s; rest.p;) {
        struct str atom = str_cut(&rest, '.');
        if (!atom.n)
            return false;
        for (size_t i = 0; i < atom.n; i++)
            if (!is_atext(atom.p[i]))
                return false;
    }
    return s.n > 0;
}

static bool is_quoted_string(struct str s)
{
    if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
        return false;
    for (size_t i = 1; i < s.n - 1; i++) {
        bool escaped = s.p[i] == '\\';
        if ((escaped && ++i == s.n - 1) || (!escaped && s.p[i] == '"'))
            return false;
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    }
    return true;
}

bool config_name_is_local_part(struct str s)
{
    return s.n <= LOCAL_PART_MAX && (is_dot_string(s) || is_quoted_string(s));
}

bool config_name_is_account(struct str s)
{
    if (!s.n || s.n > ACCOUNT_MAX || !(ascii_is_alpha(s.p[0]) || s.p[0] == '_'))
        return false;
    return config_name_is_word(s);
}

bool config_name_is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_letter_digit_hyphen(s.p[i]) && s.p[i] != '.' && s.p[i] != '_')
            return false;
    return s.n && s.n <= WORD_MAX;
}

bool config_name_looks_like_ip(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_digit(s.p[i]) && s.p[i] != '.')
            return false;
    return s.n > 0;
}

/* Takes "[...]" off the front of *s; false when a "[" is not closed. */
static bool cut_brackets(struct str *s, struct str *inside)
{
    if (!str_starts(*s, STR("["))) {
        size_t end = str_find(*s, '/');
        *inside = str_head(*s, end);
        *s = str_skip(*s, end);
        return true;
    }
    size_t close = str_find(*s, ']');
    *inside = str_slice(*s, 1, close);
    bool closed = close < s->n;
    *s = str_skip(*s, close + 1);
    return closed && str_has(*inside, ':');
}

bool config_name_ip(struct str s, struct ip *out)
{
    struct str inside;

    return cut_brackets(&s, &inside) && !s.n && ip_parse(inside, out);
}

enum config_network_error config_name_network(struct str s, struct ip_network *out)
{
    struct str inside;
    struct ip a;
    uint64_t bits;

    if (!cut_brackets(&s, &inside) || !ip_parse(inside, &a))
        return CONFIG_NETWORK_SYNTAX;
    bits = ip_bits(a.family);
    if (s.n && (s.p[0] != '/' || !num_parse_u64(str_skip(s, 1), UINT32_MAX, &bits)))
        return CONFIG_NETWORK_SYNTAX;
    if (bits > ip_bits(a.family))
        return CONFIG_NETWORK_PREFIX;
    *out = (struct ip_network){ .base = ip_mask(a, (unsigned)bits), .bits = (unsigned)bits };
    return ip_eq(&out->base, &a) ? CONFIG_NETWORK_OK : CONFIG_NETWORK_HOST_BITS;
}
