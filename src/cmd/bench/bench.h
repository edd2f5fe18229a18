/* cmd/bench/bench.h -- veredus bench load and veredus bench sink: how fast a mail server is. */
#ifndef CMD_BENCH_BENCH_H
#define CMD_BENCH_BENCH_H

/*
 * Sends generated messages over many sessions at once and prints the rate, how long the replies to the final dot
 * took, and what was refused. ARGV[0] is not looked at. Returns the exit status: 0 every message was acknowledged,
 * 1 some were not, 64 usage, 69 no session could be opened.
 */
int bench_load_main(int argc, char **argv);

/*
 * Takes mail, counts it and forgets it, until SIGTERM or SIGINT; then prints the sums. Returns 0, 64 for usage,
 * 69 when the address cannot be listened on.
 */
int bench_sink_main(int argc, char **argv);

#endif
