/* cmd/commands.c -- the table of subcommands (FACE 2.1). */
#include <stddef.h>

#include "cmd/select.h"
#include "cmd/subcommands.h"

/* Known by name, so that a typing error and something that comes later are told apart. */
#define LATER(name, text)                                                                                   \
    {                                                                                                       \
        .words = name, .summary = text                                                                      \
    }

#define SAYS_YES "  -y             does not ask when it is more than one message\n"

const struct cmd_command cmd_commands[] = {
    {
        .words = "run",
        .run = cmd_run,
        .values = " -o ",
        .usage = "[-o DIRECTIVES]... [--hold]",
        .summary = "the server, in the foreground",
        .details = "  -o DIRECTIVES  replaces what the file says; may be given more than once\n"
                   "  --hold         what is in the spool now is held: of a restored backup, of a clone\n",
    },
    {
        .words = "demo",
        .run = cmd_demo,
        .values = " --dir ",
        .usage = "[once|crash] [--dir FOLDER] [--fresh]",
        .summary = "a whole server on loopback ports; nothing leaves this machine",
        .details = "  once           one message, its proof, and out\n"
                   "  crash          kill -9 under load, ten times, and count\n"
                   "  --dir FOLDER   where it keeps everything, instead of ./veredus-demo\n"
                   "  --fresh        begin anew: what an earlier demonstration left there is removed\n",
    },
    {
        .words = "status",
        .run = cmd_status,
        .summary = "one screen: is it well, what is not, since when",
    },
    {
        .words = "reload",
        .run = cmd_reload,
        .summary = "read the configuration again",
    },
    {
        .words = "stop",
        .run = cmd_stop,
        .summary = "end in order",
    },
    {
        .words = "config check",
        .run = cmd_config_check,
        .usage = "[FILE]",
        .summary = "all that is wrong with a configuration, or cannot be had",
    },
    {
        .words = "config show",
        .run = cmd_config_show,
        .usage = "[NAME]",
        .summary = "effective values, each with its place",
    },
    {
        .words = "config help",
        .run = cmd_config_help,
        .usage = "[NAME]",
        .summary = "what a directive means, and an example",
    },
    {
        .words = "queue list",
        .run = cmd_queue_list,
        .values = SELECT_VALUES,
        .usage = "[SELECT]",
        .summary = "what waits",
        .details = SELECT_HELP,
    },
    {
        .words = "queue show",
        .run = cmd_queue_show,
        .usage = "ID [--all] [--content]",
        .summary = "one message",
        .details = "  --all          every attempt, not the first and the last ones alone\n"
                   "  --content      also the first lines of what it says\n",
    },
    {
        .words = "queue shape",
        .run = cmd_queue_shape,
        .values = SELECT_VALUES "--rows ",
        .usage = "[SELECT] [--sender|--sites] [--rows COUNT]",
        .summary = "number by age and destination",
        .details = "  --sender       by who sends, instead of by the recipients' domains\n"
                   "  --sites        by sites: domains that share their hosts count as one\n"
                   "  --rows COUNT   so many of the largest (30); with --json all\n" SELECT_HELP,
    },
    {
        .words = "queue flush",
        .run = cmd_queue_flush,
        .values = SELECT_VALUES,
        .usage = "SELECT [-y]",
        .summary = "try now",
        .details = SELECT_HELP SAYS_YES,
    },
    {
        .words = "queue hold",
        .run = cmd_queue_hold,
        .values = SELECT_VALUES,
        .usage = "SELECT [--note TEXT] [-y]",
        .summary = "keep",
        .details = SELECT_HELP "  --note TEXT    why; the queue shows it\n" SAYS_YES,
    },
    {
        .words = "queue release",
        .run = cmd_queue_release,
        .values = SELECT_VALUES,
        .usage = "SELECT [-y]",
        .summary = "let go",
        .details = SELECT_HELP SAYS_YES,
    },
    {
        .words = "queue remove",
        .run = cmd_queue_remove,
        .values = SELECT_VALUES,
        .usage = "[--bounce] SELECT [-y]",
        .summary = "delete",
        .details = SELECT_HELP "  --bounce       the senders get a report\n" SAYS_YES,
    },
    {
        .words = "queue edit",
        .run = cmd_queue_edit,
        .values = " --sender --recipient --route ",
        .usage = "ID [--sender A] [--recipient OLD=NEW]... [--route TARGET]",
        .summary = "other addresses or another route for what still waits",
        .details = "  --sender A     another reverse-path; '<>' for none\n"
                   "  --recipient OLD=NEW\n"
                   "                 NEW in place of OLD; may be given more than once\n"
                   "  --route TARGET smtp://HOST, lmtp://HOST:PORT, mx, mx:DOMAIN for those recipients, without\n"
                   "                 any for all that wait; default: as the configuration says, again\n",
    },
    {
        .words = "explain",
        .run = cmd_explain,
        .values = " --client --sender --message --account ",
        .usage = "ADDRESS [--client IP] [--sender A] [--account NAME] [--message FILE] | ID [--all]",
        .summary = "every decision from RCPT to next hop; why a message waits; sends nothing",
        .details = "  --client IP    as if it came from there; else from a stranger\n"
                   "  --sender A     as if MAIL named that address; else the null reverse-path\n"
                   "  --account NAME as if it had logged in\n"
                   "  --message FILE its size and form are judged, too\n"
                   "  ID             why that message has not gone, what comes next, and when\n"
                   "  --all          all of its recipients, however differently they wait\n",
    },
    {
        .words = "trace",
        .run = cmd_trace,
        .usage = "ID|ADDRESS|SESSION [--live]",
        .summary = "what happened to a message, by an address, in a session",
        .details = "  --live         dialogues as they go on: of a session, of a client or host by its IP\n"
                   "                 address, or of a sender or recipient; until it is interrupted\n",
    },
    {
        .words = "site list",
        .run = cmd_site_list,
        .values = " --rows ",
        .usage = "[--rows COUNT]",
        .summary = "destinations, their windows, what slows them",
        .details = "  --rows COUNT   so many of those with the most mail (30); with --json all\n",
    },
    {
        .words = "site show",
        .run = cmd_site_show,
        .usage = "NAME",
        .summary = "one destination, with all sets of hosts it has",
    },
    {
        .words = "site pause",
        .run = cmd_site_pause,
        .usage = "NAME [TIME]",
        .summary = "nothing goes there, for a while or until it is resumed",
    },
    {
        .words = "site resume",
        .run = cmd_site_resume,
        .usage = "NAME",
        .summary = "what was paused goes on",
    },
    {
        .words = "tls check",
        .run = cmd_tls_check,
        .usage = "DOMAIN | HOST:PORT",
        .summary = "what a delivery there would see of TLS, host by host; sends nothing",
    },
    {
        .words = "spool check",
        .run = cmd_spool_check,
        .summary = "is all there that was acknowledged, octet for octet",
        .details = "  asks the server, or looks at the folder while none runs; changes nothing\n",
    },
    {
        .words = "spool export",
        .run = cmd_spool_export,
        .values = SELECT_VALUES " --id ",
        .usage = "[DIR] [--id ID]... [SELECT] [--salvage]",
        .summary = "messages as files ID.eml and ID.json; the queue keeps them",
        .details = "  --id ID        that message; may be given more than once; else all\n"
                   "  --salvage      search the log for them, when the spool cannot be opened any more\n" SELECT_HELP,
    },
    {
        .words = "spool import",
        .run = cmd_spool_import,
        .usage = "DIR",
        .summary = "takes such files in, and moves them to DIR/done",
    },
    {
        .words = "bench load",
        .run = cmd_bench_load,
        .usage = "...",
        .summary = "load generator",
        .raw = true,
    },
    {
        .words = "bench sink",
        .run = cmd_bench_sink,
        .usage = "...",
        .summary = "counting sink",
        .raw = true,
    },
    {
        .words = "sendmail",
        .run = cmd_sendmail,
        .usage = "...",
        .summary = "hands over a message on standard input, as sendmail(8) does",
        .raw = true,
    },
    {
        .words = "user list",
        .run = cmd_user_list,
        .summary = "accounts in the users files, and whether they can log in",
    },
    {
        .words = "user add",
        .run = cmd_user_add,
        .usage = "NAME [--no-password]",
        .summary = "a mailbox, and a password to log in with",
        .details = "  --no-password  a mailbox that nobody logs in to\n",
    },
    {
        .words = "user passwd",
        .run = cmd_user_passwd,
        .usage = "NAME",
        .summary = "another password",
    },
    {
        .words = "user disable",
        .run = cmd_user_disable,
        .usage = "NAME [--hold]",
        .summary = "it cannot log in any more",
        .details = "  --hold         what waits of its mail is held\n",
    },
    {
        .words = "user remove",
        .run = cmd_user_remove,
        .usage = "NAME",
        .summary = "out of the users file",
    },
    {
        .words = "version",
        .run = cmd_version,
        .summary = "the version of this program",
    },
    {
        .words = "help",
        .run = cmd_help,
        .usage = "[COMMAND]",
        .summary = "this, or more of one subcommand",
    },
    LATER("bsmtp", "takes batch SMTP in"),
    LATER("send", "sends one message, shows the dialogue"),
    LATER("spf check", "the walk and the result"),
    LATER("dkim", "signing keys"),
    LATER("dmarc check", "verify a message"),
    LATER("domain", "what to publish, whether it is published"),
    LATER("reports", "figures from received reports"),
    LATER("top", "live view"),
    LATER("tenant", "tenants"),
    LATER("table get", "one look-up, as the server does it"),
    LATER("init", "first set-up"),
    LATER("import postfix", "a configuration from another server's"),
    { .words = NULL },
};
