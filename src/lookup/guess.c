/* lookup/guess.c -- guesses at passwords, slowed by the address that guesses and by the account (FACE 1.8). */
#include "lookup/verdict.h"

static struct policy_party guesser(struct lookup_turn *t, struct str client, uint32_t listener, struct str account)
{
    struct lookup_who who = { .client = client, .listener = listener };
    struct policy_party party = lookup_party(t, &who);

    /* It claims to be that account; what it may send is not asked yet. */
    party.account = account;
    party.known = lookup_logins_know(&t->lookup->logins, account, party.client, t->utc_msec);
    return party;
}

/* Whose guesses are too many: the client, or the account; the reply names it, and a guesser knows it. */
static struct str whose(struct lookup_turn *t, const struct policy_party *party, const struct lookup_verdict *v)
{
    struct ip_text client = ip_text(&party->client);

    if (!v->number)
        return STR_NONE;
    return v->key == CONFIG_LIMIT_ACCOUNT ? arena_str(t->scratch, party->account)
                                          : arena_str(t->scratch, str_from_c(client.c));
}

/*
 * What its limits say now. Those under way count as if they were wrong, or all that is sent at once would be tried; who
 * is one too many only by them waits, or a hundred users of one gateway who all know their passwords would be refused.
 */
static bool judge(struct lookup_turn *t, struct lookup_guess *g, struct ipc_guess_answer *answer)
{
    const struct policy_counters *counters = &t->lookup->counters;
    struct lookup_verdict v = { 0 };
    struct policy_excess over;

    *answer = (struct ipc_guess_answer){ .ticket = g->key.ticket };
    switch (policy_limits_judge(counters, &g->party, CONFIG_MEASURE_AUTH_FAILURES, 1, t->now_msec, &over)) {
    case POLICY_WAITS:
        policy_limits_wait(counters, &g->party, &over, &g->waits);
        return false;
    case POLICY_REFUSED:
        lookup_refuse(t, &over, &v);
        answer->result = IPC_GUESS_LIMITED;
        answer->number = v.number;
        answer->detail = whose(t, &g->party, &v);
        answer->rule = v.rule;
        lookup_guesses_remove(&t->lookup->guesses, g);
        return true;
    case POLICY_ALLOWED:
    case POLICY_HELD: /* what is taken can be held; a guess cannot */
        break;
    }
    policy_limits_open(counters, &g->party, CONFIG_MEASURE_AUTH_FAILURES);
    g->under_way = true;
    answer->result = IPC_GUESS_ALLOWED;
    return true;
}

bool lookup_guess(struct lookup_turn *t, struct ipc_channel *from, const struct ipc_guess_ask *ask,
                  struct ipc_guess_answer *answer)
{
    struct policy_party party = guesser(t, ask->client, ask->listener, ask->account);
    struct lookup_guess *g = lookup_guesses_add(&t->lookup->guesses, from, ask->ticket, &party);

    if (g)
        return judge(t, g, answer);
    *answer = (struct ipc_guess_answer){ .ticket = ask->ticket, .result = IPC_GUESS_LATER };
    return true;
}

struct ipc_channel *lookup_guess_next(struct lookup_turn *t, struct ipc_guess_answer *answer)
{
    struct lookup_guesses *guesses = &t->lookup->guesses;
    struct list *node;

    while ((node = list_take(&guesses->woken)) != NULL) {
        struct lookup_guess *g = CONTAINER_OF(node, struct lookup_guess, waits);
        struct ipc_channel *from = g->from;
        if (!g->given_up) {
            if (judge(t, g, answer))
                return from;
            continue;
        }
        *answer = (struct ipc_guess_answer){ .ticket = g->key.ticket, .result = IPC_GUESS_LATER };
        lookup_guesses_remove(guesses, g);
        return from;
    }
    return NULL;
}

/* It is under way no more: whoever waited for that may come in its place. */
static void finish(struct lookup *l, struct lookup_guess *g)
{
    if (g->under_way)
        policy_limits_close(&l->counters, &g->party, CONFIG_MEASURE_AUTH_FAILURES, &l->guesses.woken);
    lookup_guesses_remove(&l->guesses, g);
}

/* Each question is answered, also of one who has given up. */
static void give_up(struct lookup_guesses *guesses, struct lookup_guess *g)
{
    g->given_up = true;
    list_remove(&g->waits);
    list_append(&guesses->woken, &g->waits);
}

static void count(struct lookup_turn *t, const struct policy_party *party, const struct ipc_guessed *notice)
{
    if (notice->end == IPC_GUESS_RIGHT)
        lookup_logins_note(&t->lookup->logins, notice->account, party->client, t->utc_msec);
    else if (notice->end == IPC_GUESS_WRONG)
        lookup_take(t, party, CONFIG_MEASURE_AUTH_FAILURES, 1);
}

void lookup_guessed(struct lookup_turn *t, struct ipc_channel *from, const struct ipc_guessed *notice)
{
    struct policy_party party = guesser(t, notice->client, notice->listener, notice->account);
    struct lookup_guess *g = lookup_guesses_find(&t->lookup->guesses, from, notice->ticket);

    if (g && !g->under_way) {
        give_up(&t->lookup->guesses, g);
        return;
    }
    /* By the counts by which it began; whose it was may not have been known then. */
    if (g && g->party.account.n)
        party = g->party;
    count(t, &party, notice);
    if (g)
        finish(t->lookup, g);
}

void lookup_guesses_gone(struct lookup *l, const struct ipc_channel *from)
{
    struct lookup_guess *g;

    while ((g = lookup_guesses_of(&l->guesses, from)) != NULL)
        finish(l, g);
}
