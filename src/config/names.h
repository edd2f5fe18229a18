/* config/names.h -- the names a value may be made of: mailboxes, accounts, words. Pure. */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bug.h"
#include "core/ip.h"
#include "core/str.h"

/* A local part: a dot-string or a quoted string (RFC 5321 4.1.2, with UTF-8: RFC 6531 3.3), at most 64 octets. */
bool config_name_is_local_part(struct str s);
/* An account or group of the system, by name: what useradd(8) takes. */
bool config_name_is_account(struct str s);
/* A word to be found again in log and metrics: letters, digits, "." "_" "-". */
bool config_name_is_word(struct str s);
/* All digits and dots: meant as an address, whatever else it may be. */
bool config_name_looks_like_ip(struct str s);

/* Why a text is no network. */
enum config_network_error {
    CONFIG_NETWORK_OK,
    CONFIG_NETWORK_SYNTAX,
    CONFIG_NETWORK_PREFIX,    /* longer than the address */
    CONFIG_NETWORK_HOST_BITS, /* *out is the network they are in */
};

/* "192.0.2.0/24", "2001:db8::/32", "::1", "[::1]", "[2001:db8::]/32". */
enum config_network_error config_name_network(struct str s, struct ip_network *out);
/* "192.0.2.1", "::1", "[::1]". */
MUST_USE bool config_name_ip(struct str s, struct ip *out);

#endif
