/* message/progress.c -- one record a recipient: u32 number, u8 state, u32 attempts, u32 deaths, i64 time, two texts. */
#include "message/progress.h"

#include "core/check.h"
#include "core/num.h"

enum { FIXED = 21, TEXT_HEAD = 2 };

static void put_text(struct buf *out, struct str s)
{
    char head[TEXT_HEAD];

    s = str_head(s, PROGRESS_TEXT_MAX);
    le16_put(head, (uint16_t)s.n);
    buf_add(out, str_of(head, sizeof(head)));
    buf_add(out, s);
}

bool progress_encode(struct buf *out, const struct progress *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char fixed[FIXED];

        le32_put(fixed, items[i].number);
        fixed[4] = (char)items[i].state;
        le32_put(fixed + 5, items[i].attempts);
        le32_put(fixed + 9, items[i].deaths);
        le64_put(fixed + 13, (uint64_t)items[i].last_msec);
        buf_add(out, str_of(fixed, sizeof(fixed)));
        put_text(out, items[i].status);
        put_text(out, items[i].text);
    }
    return !out->failed;
}

static bool get_text(struct str *rest, struct str *out)
{
    if (rest->n < TEXT_HEAD || le16_get(rest->p) > rest->n - TEXT_HEAD)
        return false;
    *out = str_slice(*rest, TEXT_HEAD, TEXT_HEAD + (size_t)le16_get(rest->p));
    *rest = str_skip(*rest, TEXT_HEAD + out->n);
    return true;
}

static bool get_one(struct str *rest, struct progress *p)
{
    if (rest->n < FIXED || (unsigned char)rest->p[4] > PROGRESS_EXPANDED)
        return false;
    *p = (struct progress){
        .number = le32_get(rest->p),
        .state = (enum progress_state)rest->p[4],
        .attempts = le32_get(rest->p + 5),
        .deaths = le32_get(rest->p + 9),
        .last_msec = (int64_t)le64_get(rest->p + 13),
    };
    *rest = str_skip(*rest, FIXED);
    return get_text(rest, &p->status) && get_text(rest, &p->text);
}

bool progress_decode(struct str in, struct arena *a, struct progress **items, size_t *n, struct err *err)
{
    /* No record is shorter than FIXED and two empty texts: this bounds the array by the octets there are. */
    struct progress *all = ARENA_NEW_ARRAY(a, in.n / (FIXED + 2 * TEXT_HEAD) + 1, struct progress);
    size_t count = 0;

    if (!all)
        return err_temp(err, "recipient states: out of memory");
    while (in.n)
        if (!get_one(&in, &all[count++]))
            return err_perm(err, "recipient states: malformed");
    *items = all;
    *n = count;
    return true;
}
