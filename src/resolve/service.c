/* resolve/service.c -- in this version nobody asks: it stands in its place and sandbox, and says how it is. */
#include "resolve/service.h"

#include "log/record.h"

static void sandbox(struct worker *w, struct sandbox *box)
{
    (void)w;
    box->network = true;
}

static void status(struct worker *w, struct buf *rows)
{
    struct log_record row;

    log_begin(&row, LOG_EVENT_ROW_PROCESS, LOG_LEVEL_INFO, 0);
    log_text_c(&row, LOG_PROCESS, process_name(PROCESS_RESOLVE));
    log_number(&row, LOG_INSTANCE, w->instance);
    worker_row_add(rows, &row);
}

/* It has nothing in hand, so RETIRE and STOP end it at once, as the life of a worker has it. */
const struct worker_service resolve_service = {
    .kind = PROCESS_RESOLVE,
    .sandbox = sandbox,
    .status = status,
};
