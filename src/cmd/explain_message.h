/* cmd/explain_message.h -- what a server of this configuration would say of a message itself (explain
 * --message). */
#ifndef CMD_EXPLAIN_MESSAGE_H
#define CMD_EXPLAIN_MESSAGE_H

#include <jansson.h>

#include "config/config.h"
#include "core/str.h"

/*
 * Add to DECISIONS a row { name, value, text, rule } for each thing that is looked at: size, line ends, the
 * longest line, header, Received fields, and whether it was delivered to ADDRESS before. Octets are those of
 * a file: when no line of it ends in CRLF its LFs are taken for line ends. *size: as SMTP counts it. False:
 * it would be refused.
 */
bool explain_message(const struct config *config, struct str octets, struct str address, json_t *decisions,
                     uint64_t *size);

#endif
