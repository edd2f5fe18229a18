/* cmd/sendmail/newaliases.c -- newaliases, sendmail -bi: there is nothing to compile, so it checks what there is. */
#include <stdio.h>

#include "cmd/needs.h"
#include "cmd/sendmail/sendmail.h"
#include "cmd/settings.h"

int sendmail_newaliases(const struct sendmail_options *o)
{
    struct cmd_call call = { .words = "newaliases", .config = o->config };
    struct settings s;
    struct needs_report report = { .diag = &s.diag, .lines = BUF_INIT(1 << 20) };
    struct buf out = BUF_INIT(1 << 20);
    int status = settings_read(&s, &call);

    if (status == CMD_OK && !s.config) {
        config_diagnostics_render(&s.diag, &out);
        status = CMD_CONFIG;
    } else if (status == CMD_OK) {
        /* What else the configuration needs is not asked here. */
        for (size_t i = 0; i < s.config->n_domains; i++)
            for (size_t k = 0; k < s.config->domains[i].n_aliases; k++)
                (void)needs_table(&report, ROUTE_FORM_ALIASES, s.config->domains[i].aliases[k].text,
                                  s.config->domains[i].aliases[k].place);
        addresses_check(s.config, &report);
        config_diagnostics_render(&s.diag, &out);
        buf_add(&out, buf_str(&report.lines));
        status = s.diag.errors || report.errors ? CMD_INPUT : CMD_OK;
    }
    fprintf(stderr, "%.*s", STR_ARG(buf_str(&out)));
    buf_done(&out);
    needs_done(&report);
    settings_done(&s);
    return status;
}
