/* config/builder.h -- what the parts of building share: the tree that was checked, and what holds where. Pure. */
#ifndef CONFIG_BUILDER_H
#define CONFIG_BUILDER_H

#include <stdbool.h>

#include "config/config.h"
#include "config/reading.h"
#include "config/tree.h"

enum {
    CONFIG_LIMIT_KEYS = CONFIG_LIMIT_ALL + 1,
    CONFIG_LIMIT_MEASURES = CONFIG_MEASURE_UNKNOWN_RECIPIENTS + 1,
};

/* The strongest limit for each key and measure so far; NULL for none. */
struct config_limit_slots {
    const struct config_limit *of[CONFIG_LIMIT_KEYS][CONFIG_LIMIT_MEASURES];
};

struct config_builder {
    struct config_reading *r;
    const struct config_tree *tree;
    struct config *c;
    struct config_limit *limits;
    struct config_route *routes;
    struct config_certificate *certificates;
    struct config_limit_slots outer; /* built in, and what stands at the top */
};

/* What is said of ID in BLOCK (NULL: none), else at the top, else by default; NULL when nothing is. */
const struct config_statement *config_said(const struct config_builder *b, const struct config_block *block,
                                           enum config_directive_id id);
/* As config_said(), of a directive that has a default. */
const union config_value *config_said_value(const struct config_builder *b, const struct config_block *block,
                                            enum config_directive_id id);
struct config_time config_said_timeout(const struct config_builder *b, const struct config_block *block,
                                       enum config_timeout_kind kind);

/* Room for c->certificates, before anything that names one is built. */
MUST_USE bool config_certificates_begin(struct config_builder *b);
/* The certificate that S, of CERTIFICATE, says: perhaps one that another said before. */
const struct config_certificate *config_certificate_of(struct config_builder *b, const struct config_statement *s);
/* What BLOCK, of a listener of ROLE, says of TLS, else the top. */
MUST_USE bool config_build_tls(struct config_builder *b, const struct config_block *block, enum config_role role,
                               struct config_tls *out);

/* c->oauths, and what each `auth` says of them. False without memory, or after a complaint. */
MUST_USE bool config_build_oauths(struct config_builder *b);
/* Where passwords are checked, by BLOCK, else the top, else as for ROLE. */
struct config_auths config_build_auth(const struct config_builder *b, const struct config_block *block,
                                      enum config_role role);
/* The same for log-ins with a name of the domain of BLOCK, where a listener says `users`. */
struct config_auths config_build_domain_auth(const struct config_block *block);
/* What a client of L, whose block is BLOCK, must have; complains of what nobody could have. */
void config_build_require(struct config_builder *b, const struct config_statement *s, struct config_listener *l);

/* What BLOCK says of sending (NULL: the top, which is the first to be built), else the top, else by default. */
MUST_USE bool config_build_sending(struct config_builder *b, const struct config_block *block,
                                   struct config_sending *out);

/* c->sites and the names of their members. False without memory, or after a complaint. */
MUST_USE bool config_build_sites(struct config_builder *b);

/* The elements of c->routes: `deliver` of each domain as it is built, then `route`s, then the last one. */
MUST_USE bool config_routes_begin(struct config_builder *b);
/* Of the domain block S, whose names D has already; fills d->route. */
MUST_USE bool config_routes_deliver(struct config_builder *b, const struct config_statement *s,
                                    struct config_domain *d);
/* False without memory, or after a complaint of routes that are twice there, or can never match. */
MUST_USE bool config_routes_end(struct config_builder *b);

#endif
