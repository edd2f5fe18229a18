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
    return v->key == CONFIG_LIMIT_ACCOUNT ? party->account : arena_str(t->scratch, str_from_c(client.c));
}

void lookup_guess(struct lookup_turn *t, const struct ipc_guess_ask *ask, struct ipc_guess_answer *answer)
{
    struct policy_party party = guesser(t, ask->client, ask->listener, ask->account);
    struct lookup_verdict v = { 0 };
    bool ok = lookup_allow(t, &party, CONFIG_MEASURE_AUTH_FAILURES, 1, &v);

    *answer = (struct ipc_guess_answer){
        .ticket = ask->ticket,
        .refused = !ok,
        .number = v.number,
        .detail = whose(t, &party, &v),
        .rule = v.rule,
    };
}

void lookup_guessed(struct lookup_turn *t, const struct ipc_guessed *notice)
{
    struct policy_party party = guesser(t, notice->client, notice->listener, notice->account);

    if (notice->right)
        lookup_logins_note(&t->lookup->logins, notice->account, party.client, t->utc_msec);
    else
        lookup_take(t, &party, CONFIG_MEASURE_AUTH_FAILURES, 1);
}
