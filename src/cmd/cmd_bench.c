/* cmd/cmd_bench.c -- veredus bench load|sink: the measuring programs read their own options. */
#include "cmd/bench/bench.h"
#include "cmd/subcommands.h"

int cmd_bench_load(const struct cmd_call *call)
{
    return bench_load_main(call->argc, call->argv);
}

int cmd_bench_sink(const struct cmd_call *call)
{
    return bench_sink_main(call->argc, call->argv);
}
