/* route/table.h -- one version of a file that decides about addresses, read and indexed. Pure. */
#ifndef ROUTE_TABLE_H
#define ROUTE_TABLE_H

#include "route/aliases.h"
#include "route/fault.h"
#include "route/names.h"
#include "route/senders.h"

enum route_form {
    ROUTE_FORM_USERS,   /* passwd form: names */
    ROUTE_FORM_SYSTEM,  /* /etc/passwd: names of people */
    ROUTE_FORM_ALIASES, /* aliases(5) */
    ROUTE_FORM_LIST,    /* a file of :include: */
    ROUTE_FORM_CLIENTS, /* addresses of clients */
    ROUTE_FORM_SENDERS, /* what accounts may send as */
    ROUTE_FORMS,
};

/* Where `users system` is read from. */
#define ROUTE_SYSTEM_PATH STR("/etc/passwd")

struct route_table {
    enum route_form form;
    struct route_names names;     /* USERS, SYSTEM, CLIENTS */
    struct route_aliases aliases; /* ALIASES, LIST */
    struct route_senders senders; /* SENDERS */
    struct route_faults faults;
};

static inline void route_table_init(struct route_table *t, enum route_form form)
{
    *t = (struct route_table){
        .form = form, .names = ROUTE_NAMES_INIT, .aliases = ROUTE_ALIASES_INIT, .senders = ROUTE_SENDERS_INIT
    };
}

static inline void route_table_done(struct route_table *t)
{
    route_names_done(&t->names);
    route_aliases_done(&t->aliases);
    route_senders_done(&t->senders);
}

#endif
