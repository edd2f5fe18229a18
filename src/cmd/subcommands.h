/* cmd/subcommands.h -- the functions behind the table of subcommands; each is a file of its name. */
#ifndef CMD_SUBCOMMANDS_H
#define CMD_SUBCOMMANDS_H

#include "cmd/cmd.h"

int cmd_run(const struct cmd_call *call);
int cmd_demo(const struct cmd_call *call);
int cmd_status(const struct cmd_call *call);
int cmd_reload(const struct cmd_call *call);
int cmd_stop(const struct cmd_call *call);
int cmd_config_check(const struct cmd_call *call);
int cmd_config_show(const struct cmd_call *call);
int cmd_config_help(const struct cmd_call *call);
int cmd_queue_list(const struct cmd_call *call);
int cmd_queue_shape(const struct cmd_call *call);
int cmd_queue_show(const struct cmd_call *call);
int cmd_queue_edit(const struct cmd_call *call);
int cmd_queue_flush(const struct cmd_call *call);
int cmd_queue_hold(const struct cmd_call *call);
int cmd_queue_release(const struct cmd_call *call);
int cmd_queue_remove(const struct cmd_call *call);
int cmd_site_list(const struct cmd_call *call);
int cmd_site_show(const struct cmd_call *call);
int cmd_user_add(const struct cmd_call *call);
int cmd_user_disable(const struct cmd_call *call);
int cmd_user_list(const struct cmd_call *call);
int cmd_user_passwd(const struct cmd_call *call);
int cmd_user_remove(const struct cmd_call *call);
int cmd_tls_check(const struct cmd_call *call);
int cmd_site_pause(const struct cmd_call *call);
int cmd_site_resume(const struct cmd_call *call);
int cmd_spool_check(const struct cmd_call *call);
int cmd_spool_export(const struct cmd_call *call);
int cmd_spool_import(const struct cmd_call *call);
int cmd_explain(const struct cmd_call *call);
int cmd_trace(const struct cmd_call *call);
int cmd_bench_load(const struct cmd_call *call);
int cmd_bench_sink(const struct cmd_call *call);
int cmd_sendmail(const struct cmd_call *call);
int cmd_version(const struct cmd_call *call);
int cmd_help(const struct cmd_call *call);

#endif
