/* spool/check_row.h -- what a check found, as rows of an answer: by a server or by its folder alone. */
#ifndef SPOOL_CHECK_ROW_H
#define SPOOL_CHECK_ROW_H

#include "log/record.h"
#include "spool/check.h"

/* Of a message also its sender and how many recipients it has, where they can be read. */
void spool_finding_row(struct log_record *row, const struct spool_finding *finding);
/* How far it is; with OVER also which invariants were looked at and hold. */
void spool_figures_row(struct log_record *row, const struct spool_check_figures *figures, bool over);

#endif
