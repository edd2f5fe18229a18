/* deliver/path.c -- placeholders to values, absolute to relative. */
#include "deliver/path.h"

#include <limits.h>
#include <string.h>

#include "deliver/values.h"

/* The next component that is one: "//" and "/./" of a directive mean nothing. False at the end. */
static bool next_component(struct str *rest, struct str *component)
{
    while (rest->p) {
        *component = str_cut(rest, '/');
        if (component->n && !str_eq(*component, STR(".")))
            return true;
    }
    return false;
}

static bool below_root(struct str full, struct str root, struct str *rest)
{
    struct str want, have;

    if (!str_starts(full, STR("/")))
        return false;
    *rest = full;
    while (next_component(&root, &want))
        if (!next_component(rest, &have) || !str_eq(have, want))
            return false;
    return true;
}

static bool relative(struct str full, struct str root, struct arena *arena, struct str *path,
                     struct mailbox_failure *failure)
{
    struct str rest, component;
    size_t n = 0;
    char *p = arena_alloc(arena, full.n + 1);

    if (!p)
        return mailbox_fail(failure, "4.3.1", "out of memory");
    if (!below_root(full, root, &rest))
        return mailbox_fail(failure, "4.3.5", "the mailbox is not below the mail root");
    while (next_component(&rest, &component)) {
        if (str_eq(component, STR("..")))
            return mailbox_fail(failure, "4.3.5", "the directive deliver has '..' in its path");
        if (n)
            p[n++] = '/';
        memcpy(p + n, component.p, component.n);
        n += component.n;
    }
    *path = str_of(p, n);
    return true;
}

bool deliver_path(const struct config *config, const struct ipc_lease *lease, struct str root, struct arena *arena,
                  struct str *path, struct mailbox_failure *failure)
{
    struct deliver_texts texts;
    struct config_values values = deliver_values(config, lease, root, &texts);
    struct buf full = BUF_INIT(PATH_MAX);
    struct err err = { 0 };
    bool ok;

    if (lease->route >= config->n_routes)
        return mailbox_fail(failure, "4.3.5", "the configuration has changed");

    const struct config_template *t = &config->routes[lease->route].targets[0].path;
    if (config_template_expand(t, &values, CONFIG_EXPAND_PATH, &full, &err))
        ok = relative(buf_str(&full), root, arena, path, failure);
    else
        ok = mailbox_fail(failure, err.kind == ERR_PERM || full.failed ? "5.1.3" : "4.3.1", "%s", err.text);
    buf_done(&full);
    return ok;
}
