/* core/bug.h -- our own mistakes, and results that must be used. Pure. */
#ifndef CORE_BUG_H
#define CORE_BUG_H

/* A failed promise of our own code. Never reachable from a peer, a file or a lesser process. */
#define BUG_ON(x) ((x) ? bug_stop(#x, __FILE__, __LINE__) : (void)0)

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of TYPE whose MEMBER is at P. */
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))

/* Writes the place to standard error and aborts. */
_Noreturn void bug_stop(const char *what, const char *file, int line);

#endif
