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

/* For client and log: it says nothing that a guesser does not know. */
static struct str words(struct lookup_turn *t, const struct policy_party *party, const struct lookup_verdict *v)
{
    struct ip_text client = ip_text(&party->client);

    if (!v->number)
        return STR_NONE;
    if (v->key == CONFIG_LIMIT_ACCOUNT)
        return arena_printf(t->scratch, "too many failed log-ins to %.*s", STR_ARG(party->account));
    return arena_printf(t->scratch, "too many failed log-ins from %s", client.c);
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
        .detail = words(t, &party, &v),
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
