/* deliver/values.h -- what placeholders stand for in a delivery (FACE 1.5). */
#ifndef DELIVER_VALUES_H
#define DELIVER_VALUES_H

#include "config/config.h"
#include "core/id.h"
#include "core/ip.h"
#include "core/str.h"
#include "ipc/message.h"

/* Values that are no texts in a lease. */
struct deliver_texts {
    struct queue_id_text id;
    struct ip_text client;
};

/* HOME stands for {home}. All borrow from what is passed in; fills *texts. */
struct config_values deliver_values(const struct config *config, const struct ipc_lease *lease, struct str home,
                                    struct deliver_texts *texts);

#endif
