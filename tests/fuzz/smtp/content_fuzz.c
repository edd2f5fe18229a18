/*
 * Content. Oracles: splitting changes nothing; and a model that is as simple as the standard's words: search
 * for CRLF.CRLF, then cut at CRLF, then take dots away.
 */
#include "tests/fuzz/smtp/fuzz.h"

#include "core/buf.h"
#include "smtp/content.h"

enum { PLENTY = 1 << 22 };

struct outcome {
    struct buf content;
    struct smtp_content_facts facts;
    bool ended;
    size_t left;
};

static struct outcome run(struct str in, struct splitter split, const struct smtp_content_limits *limits)
{
    struct outcome o = { .content = BUF_INIT(PLENTY) };
    struct smtp_content c;

    smtp_content_init(&c, limits);
    while (in.n && !o.ended) {
        size_t piece = next_piece(&split, in.n), at = 0;
        char *copy = heap_copy(str_head(in, piece));
        enum smtp_content_step step;
        do {
            struct str span;
            size_t used;
            step = smtp_content_next(&c, str_of(copy + at, piece - at), &span, &used);
            at += used;
            if (step == SMTP_CONTENT_SPAN)
                buf_add(&o.content, span);
        } while (step == SMTP_CONTENT_SPAN);
        o.ended = step == SMTP_CONTENT_END;
        BUG_ON(!o.ended && at != piece);
        in = str_skip(in, at);
        free(copy);
    }
    o.left = in.n;
    o.facts = c.facts;
    return o;
}

/* Octets of content with its last CRLF, stuffed; SIZE_MAX without an end. */
static size_t model_end(struct str in)
{
    if (str_starts(in, STR(".\r\n")))
        return 0;
    const char *hit = in.n ? memmem(in.p, in.n, "\r\n.\r\n", 5) : NULL;
    return hit ? (size_t)(hit - in.p) + 2 : SIZE_MAX;
}

/* Adds the line with bare newlines made CRLF. */
static void model_line(struct str line, bool repair, struct buf *out, bool *bare)
{
    for (size_t i = 0; i < line.n; i++) {
        bool newline = line.p[i] == '\r' || line.p[i] == '\n';
        *bare |= newline;
        if (newline && repair)
            buf_add(out, STR("\r\n"));
        else
            buf_add_char(out, line.p[i]);
    }
    buf_add(out, STR("\r\n"));
}

/* The content meant by STUFFED, which ends in CRLF or is empty. */
static void model(struct str stuffed, bool repair, struct buf *out, bool *bare)
{
    while (stuffed.n) {
        const char *crlf = memmem(stuffed.p, stuffed.n, "\r\n", 2);
        struct str line = str_head(stuffed, (size_t)(crlf - stuffed.p));
        stuffed = str_skip(stuffed, line.n + 2);
        model_line(line.n && line.p[0] == '.' ? str_skip(line, 1) : line, repair, out, bare);
    }
}

static void compare_with_model(struct str in, const struct outcome *o, bool repair)
{
    struct buf want = BUF_INIT(PLENTY);
    size_t end = model_end(in);
    bool bare = false;

    BUG_ON(o->ended != (end != SIZE_MAX));
    if (!o->ended)
        return;
    BUG_ON(o->left != in.n - end - 3);
    model(str_head(in, end), repair, &want, &bare);
    if (repair || o->facts.fault == SMTP_CONTENT_GOOD)
        BUG_ON(!str_eq(buf_str(&want), buf_str(&o->content)));
    bool nul = str_has(str_head(in, end), '\0');
    BUG_ON((o->facts.fault != SMTP_CONTENT_GOOD) != (!repair && (bare || nul)));
    if (o->facts.fault == SMTP_CONTENT_GOOD)
        BUG_ON(o->facts.eight_bit == str_is_ascii(buf_str(&want)) || o->facts.nul != nul);
    buf_done(&want);
}

static void compare(const struct outcome *a, const struct outcome *b)
{
    BUG_ON(a->ended != b->ended || a->left != b->left);
    BUG_ON(a->facts.fault != b->facts.fault || a->facts.fault_line != b->facts.fault_line);
    if (a->facts.fault != SMTP_CONTENT_GOOD)
        return;
    BUG_ON(!str_eq(buf_str(&a->content), buf_str(&b->content)));
    BUG_ON(memcmp(&a->facts, &b->facts, sizeof(a->facts)) != 0);
    BUG_ON(a->facts.size != a->content.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_content_limits limits = { .size_max = PLENTY, .line_max = PLENTY };

    if (size < 2)
        return 0;
    struct str in = str_of((const char *)data + 2, size - 2);
    for (int repair = 0; repair < 2; repair++) {
        limits.newlines = repair ? SMTP_NEWLINES_REPAIR : SMTP_NEWLINES_REJECT;
        struct outcome whole = run(in, (struct splitter){ 0 }, &limits);
        compare_with_model(in, &whole, repair);
        /* And with limits that bite. */
        struct smtp_content_limits tight = limits;
        tight.size_max = data[1] / 2;
        tight.line_max = data[1] % 16;
        struct outcome split = run(in, (struct splitter){ .seed = data[0] }, &limits);
        compare(&whole, &split);
        struct outcome tight_whole = run(in, (struct splitter){ 0 }, &tight);
        struct outcome tight_split = run(in, (struct splitter){ .seed = data[0] }, &tight);
        compare(&tight_whole, &tight_split);
        BUG_ON(tight_whole.ended != whole.ended || tight_whole.left != whole.left);
        BUG_ON(tight_whole.content.n > tight.size_max + 2 * tight_whole.facts.repaired);
        buf_done(&whole.content);
        buf_done(&split.content);
        buf_done(&tight_whole.content);
        buf_done(&tight_split.content);
    }
    return 0;
}
