/* Lines of the log: the sample records of the reference, quoting, and that no value can look like another field. */
#include "tests/unit/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "log/render.h"

static int64_t msec_of(const char *text)
{
    struct tm tm = { 0 };
    int msec = 0;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    assert_non_null(rest);
    if (*rest == '.')
        assert_int_equal(sscanf(rest, ".%3d", &msec), 1);
    return (int64_t)timegm(&tm) * 1000 + msec;
}

static enum log_field field_of(const char *name)
{
    for (enum log_field f = 0; f < LOG_FIELDS; f++)
        if (!strcmp(log_field_name(f), name))
            return f;
    fail_msg("no field %s", name);
    return LOG_FIELDS;
}

static void begin_from(struct log_record *r, json_t *object)
{
    const char *event = json_string_value(json_object_get(object, "event"));
    const char *level = json_string_value(json_object_get(object, "level"));
    enum log_event e = 0;
    enum log_level l = 0;

    while (strcmp(log_event_name(e), event))
        assert_true(++e < LOG_EVENTS);
    while (strcmp(log_level_name(l), level))
        l++;
    log_begin(r, e, l, msec_of(json_string_value(json_object_get(object, "time"))));
}

static void add_from(struct log_record *r, enum log_field f, json_t *value)
{
    struct str items[8];

    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            items[i] = str_from_c(json_string_value(json_array_get(value, i)));
        log_list(r, f, items, json_array_size(value));
    } else if (json_is_real(value)) {
        log_seconds(r, f, (int64_t)(json_real_value(value) * 1000000 + 0.5));
    } else if (json_is_integer(value)) {
        log_number(r, f, json_integer_value(value));
    } else if (json_is_boolean(value)) {
        log_flag(r, f, json_is_true(value));
    } else if (f == LOG_NEXT || f == LOG_RUNNING) {
        log_time(r, f, msec_of(json_string_value(value)));
    } else {
        log_text_c(r, f, json_string_value(value));
    }
}

static void assert_line(const struct log_record *r, enum log_form form, bool plain, const char *want)
{
    struct buf out = BUF_INIT(LOG_LINE_MAX);

    assert_true(log_render(log_octets(r), form, plain, &out));
    assert_str_is(buf_str(&out), str_from_c(want));
    buf_done(&out);
}

/* Each pair of lines of records.txt: the JSON one is read by jansson into a record, which must give both again. */
static void the_sample_records_are_reproduced_octet_by_octet(void **state)
{
    FILE *file = fopen(*state, "r");
    char kv[2048], json[2048];
    int pairs = 0;

    assert_non_null(file);
    for (; fgets(kv, sizeof(kv), file) && fgets(json, sizeof(json), file); pairs++) {
        struct log_record r;
        const char *key;
        json_t *value, *object = json_loads(json, 0, NULL);
        kv[strcspn(kv, "\n")] = '\0';
        json[strcspn(json, "\n")] = '\0';
        assert_non_null(object);
        begin_from(&r, object);
        json_object_foreach(object, key, value)
            if (strcmp(key, "time") && strcmp(key, "level") && strcmp(key, "event"))
                add_from(&r, field_of(key), value);
        assert_line(&r, LOG_KV, false, kv);
        assert_line(&r, LOG_JSON, false, json);
        json_decref(object);
    }
    assert_true(pairs >= 20);
    fclose(file);
}

static void quoting_is_as_the_reference_says(void **state)
{
    static const struct {
        struct str value;
        const char *kv, *json;
    } rows[] = {
        { STR_INIT(""), "\"\"", "\"\"" },
        { STR_INIT("plain"), "plain", "\"plain\"" },
        { STR_INIT("a b"), "\"a b\"", "\"a b\"" },
        { STR_INIT("a=b"), "\"a=b\"", "\"a=b\"" },
        { STR_INIT("a\"b"), "\"a\\\"b\"", "\"a\\\"b\"" },
        { STR_INIT("a\\b"), "\"a\\\\b\"", "\"a\\\\b\"" },
        { STR_INIT("a\nb"), "\"a\\nb\"", "\"a\\nb\"" },
        { STR_INIT("a\r\tb"), "\"a\\x0D\\x09b\"", "\"a\\u000d\\u0009b\"" },
        { STR_INIT("a\0b"), "\"a\\x00b\"", "\"a\\u0000b\"" },
        { STR_INIT("\x7f"), "\"\\x7F\"", "\"\\u007f\"" },
        { STR_INIT("\xc3\xa4\xf0\x9f\x93\xa7"), "\xc3\xa4\xf0\x9f\x93\xa7", "\"\xc3\xa4\xf0\x9f\x93\xa7\"" },
        { STR_INIT("a\xff"), "\"a\\xFF\"", "\"a\xef\xbf\xbd\"" },
        { STR_INIT("\xe2\x82"), "\"\\xE2\\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { STR_INIT("\xc2\x9b"), "\"\\xC2\\x9B\"", "\"\\u009b\"" },
        { STR_INIT("\xe2\x80\xae"), "\"\\xE2\\x80\\xAE\"", "\"\\u202e\"" },
        { STR_INIT("\xe2\x80\xa8"), "\"\\xE2\\x80\\xA8\"", "\"\\u2028\"" },
        { STR_INIT("a\xc2\xa0" "b"), "\"a\xc2\xa0" "b\"", "\"a\xc2\xa0" "b\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *copy = exact_copy(rows[i].value), want[128];
        struct log_record r;
        log_begin(&r, LOG_EVENT_DONE, LOG_LEVEL_INFO, 0);
        log_text(&r, LOG_TO, str_of(copy, rows[i].value.n));
        snprintf(want, sizeof(want), "event=done to=%s", rows[i].kv);
        assert_line(&r, LOG_KV, true, want);
        snprintf(want, sizeof(want), "{\"event\":\"done\",\"to\":%s}", rows[i].json);
        assert_line(&r, LOG_JSON, true, want);
        free(copy);
    }
}

static void lists_are_one_value_or_an_array(void **state)
{
    static const struct {
        struct str items[2];
        size_t n;
        const char *kv, *json;
    } rows[] = {
        { { STR_INIT("a"), STR_INIT("b") }, 2, "a,b", "[\"a\",\"b\"]" },
        { { STR_INIT("a"), STR_INIT("b c") }, 2, "\"a,b c\"", "[\"a\",\"b c\"]" },
        { { STR_INIT("\"") }, 1, "\"\\\"\"", "[\"\\\"\"]" },
        { { STR_INIT("") }, 1, "\"\"", "[\"\"]" },
        { { STR_INIT(""), STR_INIT("") }, 2, ",", "[\"\",\"\"]" },
        { { STR_INIT("") }, 0, "\"\"", "[]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct log_record r;
        char want[128];
        log_begin(&r, LOG_EVENT_DONE, LOG_LEVEL_INFO, 0);
        log_list(&r, LOG_TO, rows[i].items, rows[i].n);
        snprintf(want, sizeof(want), "event=done to=%s", rows[i].kv);
        assert_line(&r, LOG_KV, true, want);
        snprintf(want, sizeof(want), "{\"event\":\"done\",\"to\":%s}", rows[i].json);
        assert_line(&r, LOG_JSON, true, want);
    }
}

static void seconds_are_plain_decimals(void **state)
{
    static const struct {
        int64_t usec;
        const char *text;
    } rows[] = {
        { 0, "0.0" },           { 1900, "0.0019" },   { 6696656000, "6696.656" }, { 1, "0.000001" },
        { 432004780000, "432004.78" }, { -500000, "-0.5" }, { 60000000, "60.0" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct log_record r;
        char want[64];
        log_begin(&r, LOG_EVENT_DONE, LOG_LEVEL_INFO, 0);
        log_seconds(&r, LOG_DELAY, rows[i].usec);
        snprintf(want, sizeof(want), "event=done delay=%s", rows[i].text);
        assert_line(&r, LOG_KV, true, want);
    }
}

/* ---- what a peer sends ---- */

static uint64_t random_of(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Octets a hostile peer would choose: much of the syntax of lines, something of everything. */
static size_t hostile_text(char *at, size_t max, uint64_t *seed)
{
    static const struct str pieces[] = {
        STR_INIT(" "),       STR_INIT("="),       STR_INIT("\""),          STR_INIT("\\"),
        STR_INIT("\\\""),    STR_INIT("\n"),      STR_INIT("\r\n"),        STR_INIT("event=accept"),
        STR_INIT(" id="),    STR_INIT("\\x22"),   STR_INIT("\xc2\x85"),    STR_INIT("\xe2\x80\xa8"),
        STR_INIT("\xff"),    STR_INIT("\xe2\x82"), STR_INIT("\0"),         STR_INIT("\xe3\x80\x80"),
        STR_INIT("\",\"id\":\""), STR_INIT("}\n{"), STR_INIT("\xed\xa0\x80"), STR_INIT("a"),
    };
    size_t n = 0, want = random_of(seed) % max;

    while (n < want) {
        struct str piece = pieces[random_of(seed) % ARRAY_LEN(pieces)];
        char any = (char)random_of(seed);
        if (random_of(seed) % 4 == 0)
            piece = str_of(&any, 1);
        if (piece.n > max - n)
            break;
        memcpy(at + n, piece.p, piece.n);
        n += piece.n;
    }
    return n;
}

static int hex_value(char c)
{
    return ascii_is_digit(c) ? c - '0' : c - 'A' + 10;
}

/* A reader of key=value lines that knows nothing of us: takes one field off the front of LINE. */
static bool read_field(struct str *line, struct str *name, struct buf *value)
{
    bool quoted;

    if (!line->n)
        return false;
    *name = str_cut(line, '=');
    assert_true(name->n > 0);
    quoted = line->n && line->p[0] == '"';
    if (quoted)
        *line = str_skip(*line, 1);
    for (;;) {
        if (!line->n) {
            assert_false(quoted);
            return true;
        }
        char c = line->p[0];
        *line = str_skip(*line, 1);
        if (!quoted && c == ' ')
            return true;
        if (quoted && c == '"') {
            assert_true(!line->n || line->p[0] == ' ');
            *line = str_skip(*line, 1);
            return true;
        }
        if (quoted && c == '\\') {
            c = line->p[0];
            size_t skip = 1;
            if (c == 'x') {
                c = (char)(hex_value(line->p[1]) << 4 | hex_value(line->p[2]));
                skip = 3;
            } else if (c == 'n') {
                c = '\n';
            }
            *line = str_skip(*line, skip);
        }
        assert_true(buf_add_char(value, c));
    }
}

static void assert_kv_gives_back(struct str line, const struct log_record *r)
{
    struct log_view view;
    struct log_value v;
    struct str name;
    struct buf value = BUF_INIT(LOG_RECORD_MAX);

    assert_false(str_has(line, '\n') || str_has(line, '\r'));
    assert_true(str_is_utf8(line));
    assert_true(log_view_open(log_octets(r), &view));
    for (int front = 0; front < 3; front++)
        assert_true(read_field(&line, &name, &value));
    while (log_view_next(&view, &v)) {
        buf_clear(&value);
        assert_true(read_field(&line, &name, &value));
        assert_str_is(name, str_from_c(log_field_name(v.field)));
        assert_str_is(buf_str(&value), v.octets);
    }
    assert_false(read_field(&line, &name, &value));
    buf_done(&value);
}

static void assert_json_gives_back(struct str line, const struct log_record *r)
{
    json_t *object = json_loadb(line.p, line.n, JSON_ALLOW_NUL, NULL);
    struct log_view view;
    struct log_value v;
    size_t fields = 3;

    assert_non_null(object);
    assert_true(str_is_utf8(line));
    assert_false(str_has(line, '\n') || str_has(line, '\r'));
    assert_true(log_view_open(log_octets(r), &view));
    for (; log_view_next(&view, &v); fields++) {
        json_t *value = json_object_get(object, log_field_name(v.field));
        if (str_is_utf8(v.octets))
            assert_str_is(str_of(json_string_value(value), json_string_length(value)), v.octets);
        else
            assert_true(json_is_string(value));
    }
    assert_int_equal(json_object_size(object), fields);
    json_decref(object);
}

static void nothing_a_peer_sends_can_look_like_another_field(void **state)
{
    static const enum log_field peers[] = { LOG_FROM, LOG_TO, LOG_EHLO, LOG_REPLY, LOG_ERROR };
    struct buf line = BUF_INIT(LOG_LINE_MAX);
    uint64_t seed = 0x9e3779b97f4a7c15;

    (void)state;
    for (int round = 0; round < 1500; round++) {
        struct log_record r;
        log_begin(&r, LOG_EVENT_REJECT, LOG_LEVEL_INFO, 1795340467341);
        for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
            char text[LOG_VALUE_MAX + 100];
            size_t n = hostile_text(text, sizeof(text), &seed);
            char *copy = exact_copy(str_of(text, n));
            log_text(&r, peers[i], str_of(copy, n));
            free(copy);
        }
        buf_clear(&line);
        assert_true(log_render(log_octets(&r), LOG_KV, false, &line));
        assert_kv_gives_back(buf_str(&line), &r);
        buf_clear(&line);
        assert_true(log_render(log_octets(&r), LOG_JSON, false, &line));
        assert_json_gives_back(buf_str(&line), &r);
    }
    buf_done(&line);
}

/* The longest record there can be has a line of at most LOG_LINE_MAX, in each form. */
static void the_longest_record_has_room(void **state)
{
    struct buf out = BUF_INIT(LOG_LINE_MAX);
    char worst[LOG_VALUE_MAX];
    struct log_record r;

    (void)state;
    memset(worst, 1, sizeof(worst));
    for (size_t step = 0; step <= sizeof(worst); step += sizeof(worst) / 2) {
        log_begin(&r, LOG_EVENT_REJECT, LOG_LEVEL_INFO, 1795340467341);
        for (size_t was = 0; was != r.n;) {
            was = r.n;
            log_text(&r, LOG_RECIPIENTS, str_of(worst, step));
        }
        for (int form = LOG_KV; form <= LOG_JSON; form++) {
            buf_clear(&out);
            assert_true(log_render(log_octets(&r), form, false, &out));
        }
    }
    buf_done(&out);
}

static void what_does_not_fit_leaves_nothing_behind(void **state)
{
    struct log_record r;

    (void)state;
    log_begin(&r, LOG_EVENT_DONE, LOG_LEVEL_INFO, 1795340467341);
    log_text(&r, LOG_TO, STR("bob@example.net"));
    for (size_t max = 4; max < 100; max++) {
        struct buf out = BUF_INIT(max);
        assert_true(buf_add(&out, STR("kept")));
        if (!log_render(log_octets(&r), LOG_JSON, false, &out))
            assert_str_is(buf_str(&out), STR("kept"));
        assert_false(out.failed);
        buf_done(&out);
    }
}

/* ---- the journal ---- */

static void the_journal_gets_each_field(void **state)
{
    static const struct str items[] = { STR_INIT("one"), STR_INIT("two") };
    struct buf out = BUF_INIT(LOG_LINE_MAX);
    struct log_record r;

    (void)state;
    log_begin(&r, LOG_EVENT_DEFER, LOG_LEVEL_WARNING, 1795340467341);
    log_text(&r, LOG_ID, STR("3591TJHR6EY3"));
    log_number(&r, LOG_ATTEMPT, 6);
    log_list(&r, LOG_INTO, items, 2);
    log_text(&r, LOG_REPLY, STR("4.7.1 greylisted\nMESSAGE=forged"));
    assert_true(log_render_journal(log_octets(&r), LOG_KV, &out));
    assert_str_is(buf_str(&out),
                  STR("SYSLOG_IDENTIFIER=veredus\nPRIORITY=4\n"
                      "MESSAGE=event=defer id=3591TJHR6EY3 attempt=6 into=one,two "
                      "reply=\"4.7.1 greylisted\\nMESSAGE=forged\"\n"
                      "VEREDUS_EVENT=defer\nVEREDUS_ID=3591TJHR6EY3\nVEREDUS_ATTEMPT=6\nVEREDUS_INTO=one\n"
                      "VEREDUS_INTO=two\nVEREDUS_REPLY\n\x1f\0\0\0\0\0\0\0"
                      "4.7.1 greylisted\nMESSAGE=forged\n"));
    buf_done(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(the_sample_records_are_reproduced_octet_by_octet, argc > 1 ? argv[1] : NULL),
        cmocka_unit_test(quoting_is_as_the_reference_says),
        cmocka_unit_test(lists_are_one_value_or_an_array),
        cmocka_unit_test(seconds_are_plain_decimals),
        cmocka_unit_test(nothing_a_peer_sends_can_look_like_another_field),
        cmocka_unit_test(the_longest_record_has_room),
        cmocka_unit_test(what_does_not_fit_leaves_nothing_behind),
        cmocka_unit_test(the_journal_gets_each_field),
    };

    if (argc < 2)
        return 2;
    return cmocka_run_group_tests_name("log/render", tests, NULL, NULL);
}
