/* spool/segments.c -- the files of the log. */
#include "spool/segments.h"

#include <stdlib.h>
#include <string.h>

void segments_done(struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        free(segments->at[i]);
    free(segments->at);
    *segments = (struct segments){ 0 };
}

/* Index of the first that is not below NUMBER. */
static size_t place(const struct segments *segments, uint32_t number)
{
    size_t low = 0, high = segments->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (segments->at[mid]->number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct segment *segments_find(const struct segments *segments, uint32_t number)
{
    size_t i = place(segments, number);

    return i < segments->count && segments->at[i]->number == number ? segments->at[i] : NULL;
}

struct segment *segments_add(struct segments *segments, uint32_t number)
{
    size_t i = place(segments, number);
    struct segment *segment = malloc(sizeof(*segment));

    BUG_ON(i < segments->count && segments->at[i]->number == number);
    if (!segment)
        return NULL;
    if (segments->count == segments->room) {
        size_t room = segments->room ? segments->room * 2 : 16;
        struct segment **at = realloc(segments->at, room * sizeof(struct segment *));
        if (!at) {
            free(segment);
            return NULL;
        }
        segments->at = at;
        segments->room = room;
    }
    *segment = (struct segment){ .number = number, .state = SEGMENT_RAW };
    memmove(segments->at + i + 1, segments->at + i, (segments->count - i) * sizeof(struct segment *));
    segments->at[i] = segment;
    segments->count++;
    return segment;
}

void segments_remove(struct segments *segments, struct segment *segment)
{
    size_t i = place(segments, segment->number);

    BUG_ON(i == segments->count || segments->at[i] != segment);
    segments->count--;
    memmove(segments->at + i, segments->at + i + 1, (segments->count - i) * sizeof(struct segment *));
    free(segment);
}

size_t segments_in(const struct segments *segments, enum segment_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < segments->count; i++)
        n += segments->at[i]->state == state;
    return n;
}

static size_t spare_beside(size_t used)
{
    return used > 1 ? 3 : 2;
}

static size_t in_use(const struct segments *segments)
{
    return segments_in(segments, SEGMENT_ACTIVE) + segments_in(segments, SEGMENT_SEALED);
}

size_t segments_spare(const struct segments *segments)
{
    return spare_beside(in_use(segments));
}

bool segments_reserve_whole(const struct segments *segments)
{
    return segments_in(segments, SEGMENT_FREE) + 1 >= spare_beside(in_use(segments) - 1);
}

bool segments_lack(const struct segments *segments)
{
    return segments_in(segments, SEGMENT_FREE) < segments_spare(segments);
}

struct segment *segments_free(const struct segments *segments, uint32_t blocks)
{
    struct segment *best = NULL;

    for (size_t i = 0; i < segments->count; i++) {
        struct segment *s = segments->at[i];
        if (s->state == SEGMENT_FREE && s->blocks >= blocks && (!best || s->life < best->life))
            best = s;
    }
    return best;
}

uint32_t segments_next_number(const struct segments *segments)
{
    uint32_t number = 1;

    for (size_t i = 0; i < segments->count && segments->at[i]->number == number; i++)
        number++;
    return number;
}
