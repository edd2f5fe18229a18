/* cmd/cmd_demo.c -- veredus demo: a whole server on loopback ports. */
#include "cmd/demo/demo.h"
#include "cmd/subcommands.h"

int cmd_demo(const struct cmd_call *call)
{
    return demo_main(call);
}
