/* config/args.h -- the words of one statement, taken one after the other by the readers of values. Pure. */
#ifndef CONFIG_ARGS_H
#define CONFIG_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/reading.h"
#include "config/tree.h"

struct config_args {
    struct config_reading *r;
    const struct config_statement *s;
    const struct config_word *items; /* without the name; variables alone already cut when they are a list */
    size_t n;
    size_t at;
};

/* What can be said instead of a word. */
struct config_scheme {
    struct str name; /* "maildir:" or "any" */
    bool built;
    const char *help; /* of what config_words lists, if it is built */
    char stage;       /* with which it comes, if it is not */
};

/* The words that one place of a value chooses from, for `config help` and for cures. */
struct config_words {
    const char *title; /* "measure" */
    const struct config_scheme *items;
    size_t n;
};

enum { CONFIG_LIMIT_WORDS = 3 };

extern const struct config_words config_limit_words[CONFIG_LIMIT_WORDS];
extern const struct config_words config_timeout_words;
extern const struct config_words config_reply_words;
extern const struct config_words config_target_words;
extern const struct config_words config_auth_words;
extern const struct config_words config_mechanism_words;
extern const struct config_words config_send_as_words;
extern const struct config_words config_level_words;
extern const struct config_words config_pattern_words;

/* A reader of one grammar: takes words, fills *out. False after a complaint. */
typedef bool config_value_reader(struct config_args *a, union config_value *out);

/* NULL when all are taken. */
const struct config_word *config_args_next(struct config_args *a);
const struct config_word *config_args_peek(const struct config_args *a);
/* The next word, or a complaint that one is missing; the last is said with the example of the directive. */
const struct config_word *config_args_need(struct config_args *a);

/* W, with the directive's example as cure. */
struct config_mark config_args_mark(struct config_args *a, const struct config_word *w);
/* "'TEXT' is not KIND"; false. */
bool config_args_refuse(struct config_args *a, const struct config_word *w, const char *kind);
/* "'NAME' is not built yet", N octets of W marked, and with which STAGE it comes (0: not said); false. */
bool config_args_not_built(struct config_args *a, const struct config_word *w, size_t n, char stage);
/* Index in SCHEMES of the name W is, or begins with when it ends with ":"; N when it is none. */
size_t config_scheme_find(const struct config_word *w, const struct config_scheme *schemes, size_t n);
/* Complains of a word that is none of SCHEMES, with the nearest of them; false. */
bool config_scheme_refuse(struct config_args *a, const struct config_word *w,
                          const struct config_scheme *schemes, size_t n, struct str cure);
/* Length of the scheme in W up to its ":", or of all of it. */
size_t config_word_scheme(const struct config_word *w);
/* "/x", "./x", "../x": meant as a path, whatever else it may be. */
bool config_word_is_path(struct str s);
/* Complains of the path W, which lacks SCHEME; false. */
bool config_args_bare_path(struct config_args *a, const struct config_word *w, const char *scheme);
/* The path behind "file:". */
bool config_args_file(struct config_args *a, const struct config_word *w, struct str *out);
/* The next word as one of WORDS that is built: its index. False after a complaint that lists them. */
bool config_args_one_of(struct config_args *a, const struct config_words *words, size_t *index);

/* WRITTEN, all or a part of W, as a domain in lower-case A-labels. */
bool config_args_domain(struct config_args *a, const struct config_word *w, struct str written,
                        struct str *out);
/* A time as it is written, within the bounds of the directive. */
bool config_args_time(struct config_args *a, const struct config_word *w, uint64_t *msec);
/* A size or a count, within the bounds of the directive. */
bool config_args_number(struct config_args *a, const struct config_word *w, uint64_t *n);
/* A rate: so many in so many milliseconds. */
bool config_args_rate(struct config_args *a, const struct config_word *w, uint64_t *count, uint64_t *msec);
/* 32 octets of WRITTEN, all or a part of W: hex with or without colons, "sha256:" before it or not. */
bool config_args_hash(struct config_args *a, const struct config_word *w, struct str written, struct str *out);
/* A path seen from its file; complains of an empty one and of one that is too long. */
bool config_args_path(struct config_args *a, const struct config_word *w, struct str path, struct str *out);

/* Does W take all words behind it, or a text, so that a list ends with it: pipe:, fail, defer? */
bool config_target_takes_words(const struct config_word *w);

/* value_mail.c */
config_value_reader config_value_listen, config_value_users, config_value_aliases, config_value_log,
    config_value_history;
/* value_net.c */
config_value_reader config_value_domains, config_value_networks, config_value_relay, config_value_ips,
    config_value_address, config_value_resolver;
/* value_limit.c */
config_value_reader config_value_limit;
/* value_target.c; FIRST is the one where they begin */
config_value_reader config_value_target, config_value_fallback;
bool config_targets_read(struct config_args *a, const struct config_word *first, union config_value *out);
bool config_word_is_target(const struct config_word *w);
/* value_route.c */
config_value_reader config_value_route, config_value_patterns, config_value_accounts, config_value_members,
    config_value_listeners;
/* value_send.c */
config_value_reader config_value_window, config_value_rate, config_value_reuse, config_value_times,
    config_value_bounce;
/* value_tls.c */
config_value_reader config_value_tls, config_value_certificate, config_value_tls_level, config_value_text;
/* value_accounts.c */
config_value_reader config_value_require, config_value_auth, config_value_mechanisms, config_value_send_as,
    config_value_login, config_value_keys, config_value_introspection, config_value_audience;
/* value_reply.c */
config_value_reader config_value_on_reply;

#endif
