/* route/fault.c -- kept in a fixed room: a file of nothing but errors costs no more than one of a few. */
#include "route/fault.h"

enum { ABOUT_MAX = 60 };

static size_t append(struct route_fault *f, size_t at, struct str text)
{
    for (size_t i = 0; i < text.n && at + 1 < sizeof(f->text); i++) {
        unsigned char c = (unsigned char)text.p[i];
        f->text[at++] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    f->text[at] = '\0';
    return at;
}

void route_fault_add(struct route_faults *faults, uint32_t line, struct str about, const char *what)
{
    size_t at = 0;

    faults->total++;
    if (faults->n == ROUTE_FAULTS_MAX)
        return;
    struct route_fault *f = &faults->items[faults->n++];
    f->line = line;
    if (about.n) {
        at = append(f, at, STR("'"));
        at = append(f, at, str_head(about, ABOUT_MAX));
        at = append(f, at, about.n > ABOUT_MAX ? STR("...': ") : STR("': "));
    }
    append(f, at, str_from_c(what));
}
