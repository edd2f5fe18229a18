/* main/config_disk.h -- the configuration's octets from the real disk and environment. */
#ifndef MAIN_CONFIG_DISK_H
#define MAIN_CONFIG_DISK_H

#include "config/source.h"

/*
 * A reader of files, patterns and variables as they are now. Its facts were asked when it was made, and have the
 * life of the process: the host's name, full where /etc/hosts knows the full one (no DNS is asked, a start must not
 * wait for that), and whether standard error is the journal's (JOURNAL_STREAM, sd_journal_stream_fd(3)).
 */
struct config_reader config_disk_reader(void);

#endif
