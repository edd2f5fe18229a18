/* config/values.h -- the plain values of a configuration, each with its place. Pure. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/place.h"
#include "core/ip.h"
#include "core/str.h"

/* Every value carries the place that says it; a default has CONFIG_PLACE_DEFAULT. Domains: lower case, A-labels. */

struct config_text {
    struct str text; /* empty for none */
    struct config_place place;
};

struct config_number {
    uint64_t n;
    struct config_place place;
};

struct config_flag {
    bool on;
    struct config_place place;
};

/* AUTOMATIC: N is 0, the user of the value finds it out. */
struct config_count {
    bool automatic;
    uint64_t n;
    struct config_place place;
};

struct config_time {
    uint64_t msec;
    struct config_place place;
};

/* N parts of 100 when PERCENT, else octets. */
struct config_share {
    bool percent;
    uint64_t n;
    struct config_place place;
};

/* local@domain; both empty for none. LOCAL as written, quotes included. */
struct config_address {
    struct str local;
    struct str domain;
    struct config_place place;
};

/* For how long, and how much: OFF says nothing is kept. */
struct config_history {
    uint64_t msec;
    uint64_t octets;
    bool off;
    struct config_place place;
};

struct config_ips {
    const struct ip *items;
    size_t n;
    struct config_place place;
};

/* EVERYONE: no restriction was written. Otherwise who is in one of ITEMS; `none` leaves nobody. */
struct config_networks {
    bool everyone;
    const struct ip_network *items;
    const struct config_place *places; /* of each item */
    size_t n;
    struct config_place place;
};

/* A socket's file, its mode, and its group (empty: that of the process). */
struct config_socket {
    struct str path;
    unsigned mode;
    struct str group;
    struct config_place place;
};

struct config_choice {
    int value; /* one of the enum named beside the member */
    struct config_place place;
};

#endif
