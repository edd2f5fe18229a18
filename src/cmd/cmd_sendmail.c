/* cmd/cmd_sendmail.c -- veredus sendmail: the program of that name, where nothing of that name is installed. */
#include "cmd/sendmail/sendmail.h"
#include "cmd/subcommands.h"

int cmd_sendmail(const struct cmd_call *call)
{
    return sendmail_main(call->argc, call->argv);
}
