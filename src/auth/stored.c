/* auth/stored.c */
#include "auth/stored.h"

#include "core/num.h"

enum { FIELDS_BEFORE_EXTRA = 5 }; /* uid, gid, gecos, home, shell */

/* Names under which Dovecot, too, keeps what crypt(3) reads; the method stands in the hash itself. */
static const char *const crypt_schemes[] = {
    "CRYPT", "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "DES-CRYPT",
};

/* The six bits that C stands for (RFC 4648 4); 64: none. */
static unsigned sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (ascii_is_digit(c))
        return (unsigned)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Is TEXT base64 of MIN to MAX octets, with nothing in the bits that are left over? */
static bool is_base64_of(struct str text, size_t min, size_t max)
{
    size_t pads = str_ends(text, STR("==")) ? 2 : str_ends(text, STR("=")) ? 1 : 0;
    size_t octets = text.n / 4 * 3;

    if (!text.n || text.n % 4 || octets - pads < min || octets - pads > max)
        return false;
    for (size_t i = 0; i < text.n - pads; i++)
        if (sextet(text.p[i]) > 63)
            return false;
    return !pads || sextet(text.p[text.n - pads - 1]) % (pads == 2 ? 16 : 4) == 0;
}

static bool is_key(struct str text)
{
    return is_base64_of(text, AUTH_SCRAM_KEY_OCTETS, AUTH_SCRAM_KEY_OCTETS);
}

bool auth_scram_parse(struct str text, struct auth_scram *out)
{
    struct str rest = text;
    struct str iterations = str_cut(&rest, ',');
    struct auth_scram s = { 0 };
    uint64_t n;

    s.salt = str_cut(&rest, ',');
    s.stored = str_cut(&rest, ',');
    s.server = rest;
    if (!num_parse_u64(iterations, AUTH_SCRAM_ITERATIONS_MAX, &n) || n < AUTH_SCRAM_ITERATIONS_MIN)
        return false;
    if (!is_base64_of(s.salt, 1, AUTH_SCRAM_SALT_MAX) || !is_key(s.stored) || !is_key(s.server))
        return false;
    s.iterations = (uint32_t)n;
    *out = s;
    return true;
}

static bool is_crypt_scheme(struct str scheme)
{
    for (size_t i = 0; i < ARRAY_LEN(crypt_schemes); i++)
        if (str_eq_nocase(scheme, str_from_c(crypt_schemes[i])))
            return true;
    return false;
}

static bool is_lock(struct str s)
{
    return str_starts(s, STR("!")) || str_starts(s, STR("*")) || str_eq(s, STR("x"));
}

static const char *parse_hash(struct str scheme, struct str hash, struct auth_stored *out)
{
    if (is_lock(hash)) {
        out->kind = AUTH_STORED_LOCKED;
    } else if (is_crypt_scheme(scheme) && hash.n && !str_has(hash, '\0')) {
        out->kind = AUTH_STORED_CRYPT;
        out->hash = hash;
    } else if (str_eq_nocase(scheme, STR("SCRAM-SHA-256")) && auth_scram_parse(hash, &out->scram)) {
        out->kind = AUTH_STORED_SCRAM;
        out->has_scram = true;
    } else {
        out->kind = AUTH_STORED_WRONG;
        return is_crypt_scheme(scheme) || str_eq_nocase(scheme, STR("SCRAM-SHA-256"))
                   ? "what follows the scheme is no password of that scheme"
                   : "this password scheme is not known here";
    }
    return NULL;
}

static const char *parse_password(struct str field, struct auth_stored *out)
{
    size_t end = str_find(field, '}');

    if (!field.n)
        return NULL;
    if (field.p[0] != '{')
        return parse_hash(STR("CRYPT"), field, out);
    if (end < field.n)
        return parse_hash(str_slice(field, 1, end), str_skip(field, end + 1), out);
    out->kind = AUTH_STORED_WRONG;
    return "the password scheme has no }";
}

/* Words of the last field, by blanks; those that are not ours are somebody else's. */
static const char *parse_extra(struct str extra, struct auth_stored *out)
{
    const struct str key = STR("scram_sha256=");

    while (extra.n) {
        struct str word = str_cut(&extra, ' ');
        if (!str_starts(word, key))
            continue;
        if (!auth_scram_parse(str_skip(word, key.n), &out->scram))
            return "scram_sha256= has not the form ITERATIONS,SALT,STORED,SERVER";
        out->has_scram = true;
    }
    return NULL;
}

const char *auth_stored_parse(struct str rest, struct auth_stored *out)
{
    struct str extra = str_trim(rest);
    struct str field = str_cut(&extra, ':');
    const char *wrong;

    *out = (struct auth_stored){ .kind = AUTH_STORED_NONE };
    for (int i = 0; i < FIELDS_BEFORE_EXTRA; i++)
        (void)str_cut(&extra, ':');
    wrong = parse_password(field, out);
    if (wrong || out->kind == AUTH_STORED_LOCKED)
        return wrong;
    wrong = parse_extra(extra, out);
    /* "Beside or instead of": keys in extra are enough. */
    if (out->kind == AUTH_STORED_NONE && out->has_scram)
        out->kind = AUTH_STORED_SCRAM;
    return wrong;
}
