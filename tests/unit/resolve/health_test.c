/* When the DNS as a whole counts as failing, and when it no longer does. */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "resolve/health.h"

/* Steps: a question that failed (a letter), one that was answered ("+"), the probe failed ("!") or was answered ("?"). */
static void play(const char *steps, char said[32], struct resolve_health *h)
{
    static const char words[] = { [RESOLVE_NOTHING] = '.', [RESOLVE_PROBE] = 'P', [RESOLVE_SAY_FAILING] = 'F',
                                  [RESOLVE_SAY_WELL] = 'W' };
    size_t n = 0;

    *h = (struct resolve_health){ 0 };
    for (; *steps; steps++)
        said[n++] = words[*steps == '!'   ? resolve_health_probed(h, false)
                          : *steps == '?' ? resolve_health_probed(h, true)
                          : *steps == '+' ? resolve_health_note(h, true)
                                          : resolve_health_note(h, false)];
    said[n] = '\0';
}

static void what_is_said_and_when(void **state)
{
    static const struct {
        const char *steps;
        const char *said;
        enum resolve_state end;
    } cases[] = {
        { "", "", RESOLVE_WELL },
        { "+", ".", RESOLVE_WELL },
        { "a", "P", RESOLVE_SUSPECT },
        { "a?", "P.", RESOLVE_WELL }, /* a broken domain, and servers that answer */
        { "abc", "P..", RESOLVE_SUSPECT }, /* one probe for all */
        { "a!", "PF", RESOLVE_FAILING },
        { "a!bcd", "PF...", RESOLVE_FAILING },
        { "a!b+", "PF.W", RESOLVE_WELL },
        { "a+!", "P..", RESOLVE_WELL }, /* another answer overtakes the probe */
        { "a!+a", "PFWP", RESOLVE_SUSPECT },
        { "a!+a!", "PFWPF", RESOLVE_FAILING },
        { "!", ".", RESOLVE_WELL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct resolve_health h;
        char said[32];
        play(cases[i].steps, said, &h);
        assert_string_equal(said, cases[i].said);
        assert_int_equal(h.state, cases[i].end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_said_and_when) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
