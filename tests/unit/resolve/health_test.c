/* When the DNS as a whole counts as failing, and when it no longer does. */
#include "tests/unit/unit.h"

#include "core/bug.h"
#include "resolve/health.h"

/* Steps: a name that failed (a letter), one that was answered ("+"), the probe failed ("!") or was answered ("?"). */
static void play(const char *steps, char said[32], struct resolve_health *h)
{
    static const char words[] = { [RESOLVE_NOTHING] = '.', [RESOLVE_PROBE] = 'P', [RESOLVE_SAY_FAILING] = 'F',
                                  [RESOLVE_SAY_WELL] = 'W' };
    size_t n = 0;

    *h = (struct resolve_health){ 0 };
    for (; *steps; steps++)
        said[n++] = words[*steps == '!'   ? resolve_health_probed(h, false)
                          : *steps == '?' ? resolve_health_probed(h, true)
                          : *steps == '+' ? resolve_health_note(h, 1, true)
                                          : resolve_health_note(h, (uint64_t)*steps, false)];
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
        { "abcd", "....", RESOLVE_WELL },
        { "abcdabcdabcd", "............", RESOLVE_WELL }, /* four broken domains, again and again */
        { "abcd+efgh", ".........", RESOLVE_WELL },       /* an answer between them */
        { "abcde", "....P", RESOLVE_SUSPECT },
        { "abcde?", "....P.", RESOLVE_WELL }, /* five broken domains, and servers that answer */
        { "abcdefghi", "....P....", RESOLVE_SUSPECT },
        { "abcde!", "....PF", RESOLVE_FAILING },
        { "abcde!fghijk", "....PF......", RESOLVE_FAILING },
        { "abcde!f+", "....PF.W", RESOLVE_WELL },
        { "abcde+!", "....P..", RESOLVE_WELL }, /* another answer overtakes the probe */
        { "abcde!+abcd", "....PFW....", RESOLVE_WELL },
        { "abcde!+abcde!", "....PFW....PF", RESOLVE_FAILING },
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
