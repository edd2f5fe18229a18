/* config/value_tls.c -- certificates, fingerprints, and how sure of a peer we must be (FACE 1.7, 1.9). */
#include <string.h>

#include "config/args.h"

enum { HASH_OCTETS = 32, HASH_HEX = 2 * HASH_OCTETS, CIPHERS_MAX = 4096 };

/* ---- certificates ---- */

/* Chain, then key; what stands alone is both. */
bool config_value_certificate(struct config_args *a, union config_value *out)
{
    struct config_certificate *certificate = &out->certificate;
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    certificate->place = config_statement_place(a->s);
    if (!config_args_path(a, w, w->text, &certificate->chain))
        return false;
    certificate->key = certificate->chain;
    w = config_args_next(a);
    return !w || config_args_path(a, w, w->text, &certificate->key);
}

/* A block, or `none`, which takes away what stands outside. */
bool config_value_tls(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_next(a);
    struct config_mark mark = { .place = config_statement_place(a->s) };

    (void)out;
    if (!w)
        return true;
    if (!str_eq(w->text, STR("none")))
        return config_args_refuse(a, w, "'none', the only word that may stand here");
    return !a->s->block || config_complain(a->r, mark, "'tls none' takes no block");
}

/* ---- fingerprints ---- */

static bool is_hex(char c)
{
    return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/* The hex digits of S, which may have colons between two and two; SIZE_MAX when anything else is in it. */
static size_t pick_digits(struct str s, char digits[HASH_HEX])
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ':' && n && n % 2 == 0 && s.p[i - 1] != ':' && i + 1 < s.n)
            continue;
        if (!is_hex(s.p[i]) || n == HASH_HEX)
            return SIZE_MAX;
        digits[n++] = s.p[i];
    }
    return n;
}

static unsigned char digit_of(char c)
{
    return (unsigned char)(ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10);
}

bool config_args_hash(struct config_args *a, const struct config_word *w, struct str written, struct str *out)
{
    struct config_mark mark = { .place = w->place,
                                .cure = STR("ask for it: openssl x509 -in FILE -noout -fingerprint -sha256") };
    struct str hex = str_starts(written, STR("sha256:")) ? str_skip(written, 7) : written;
    struct str shown = config_shown(a->r, written);
    char digits[HASH_HEX];

    if (pick_digits(hex, digits) != HASH_HEX)
        return config_complain(a->r, mark, "'%.*s' is not a SHA-256, 64 digits of hex", STR_ARG(shown));
    char *octets = arena_alloc(a->r->arena, HASH_OCTETS);
    if (!octets)
        return config_exhausted(a->r);
    for (size_t i = 0; i < HASH_OCTETS; i++)
        octets[i] = (char)(digit_of(digits[2 * i]) << 4 | digit_of(digits[2 * i + 1]));
    *out = str_of(octets, HASH_OCTETS);
    return true;
}

/* ---- tls-level ---- */

/* In the order of enum config_tls_level; what is not built comes last. */
static const struct config_scheme levels[] = {
    { STR_INIT("auto"), true, "dane, then an enforced MTA-STS policy, then may; until those are built: may" },
    { STR_INIT("none"), true, "no TLS" },
    { STR_INIT("may"), true, "TLS if the peer offers it; a failed handshake is repeated in clear" },
    { STR_INIT("encrypt"), true, "TLS, with any certificate" },
    { STR_INIT("verify"), true, "verify [NAME…]: a certificate for one of the names, by default the host's" },
    { STR_INIT("secure"), true, "secure [NAME…]: the same, names from here or the recipient's domain only" },
    { STR_INIT("fingerprint"), true, "fingerprint HASH…: this certificate or key, sha256:…" },
    { STR_INIT("dane"), false },
    { STR_INIT("dane-only"), false },
};

const struct config_words config_level_words = { "level", levels, ARRAY_LEN(levels) };

static bool read_names(struct config_args *a, struct config_tls_demand *out)
{
    struct str *names = ARENA_NEW_ARRAY(a->r->arena, a->n, struct str);
    const struct config_word *w;
    bool ok = true;

    if (!names)
        return config_exhausted(a->r);
    out->names = names;
    while ((w = config_args_next(a)))
        ok &= config_args_domain(a, w, w->text, &names[out->n_names++]);
    return ok;
}

static bool read_hashes(struct config_args *a, struct config_tls_demand *out)
{
    struct str *hashes = ARENA_NEW_ARRAY(a->r->arena, a->n, struct str);
    const struct config_word *w = config_args_need(a);
    bool ok = true;

    if (!hashes)
        return config_exhausted(a->r);
    out->hashes = hashes;
    if (!w)
        return false;
    for (; w; w = config_args_next(a))
        ok &= config_args_hash(a, w, w->text, &hashes[out->n_hashes++]);
    return ok;
}

bool config_value_tls_level(struct config_args *a, union config_value *out)
{
    struct config_tls_demand *demand = &out->demand;
    size_t level;

    if (!config_args_one_of(a, &config_level_words, &level))
        return false;
    *demand = (struct config_tls_demand){ .level = (enum config_tls_level)level, .place = a->items[0].place };
    if (demand->level == CONFIG_TLS_VERIFY || demand->level == CONFIG_TLS_SECURE)
        return read_names(a, demand);
    return demand->level != CONFIG_TLS_FINGERPRINT || read_hashes(a, demand);
}

/* ---- texts for others to judge ---- */

bool config_value_text(struct config_args *a, union config_value *out)
{
    const struct config_word *w = config_args_need(a);

    if (!w)
        return false;
    out->text = (struct config_text){ .text = w->text, .place = w->place };
    for (size_t i = 0; i < w->text.n; i++)
        if (w->text.p[i] <= ' ' || w->text.p[i] > '~')
            return config_args_refuse(a, w, "one row of ASCII characters");
    return (w->text.n && w->text.n <= CIPHERS_MAX) || config_args_refuse(a, w, "of a length that can be meant");
}
