/* pam/check.h -- one password, asked of PAM, in a process that does nothing else. */
#ifndef PAM_CHECK_H
#define PAM_CHECK_H

#include "ipc/message.h"

enum { PAM_NAME_MAX = 255, PAM_PASSWORD_MAX = 1023, PAM_TEXT_MAX = 200 };

/* NUL-terminated. */
struct pam_request {
    char service[PAM_NAME_MAX + 1];
    char user[PAM_NAME_MAX + 1];
    char password[PAM_PASSWORD_MAX + 1];
    char client[PAM_NAME_MAX + 1]; /* text of its address; empty: none */
};

struct pam_outcome {
    enum ipc_result status; /* PERM: not with that, or not now for this account; TEMP: PAM cannot say */
    char text[PAM_TEXT_MAX];
};

/*
 * Is the password right, and may the account be used now? Modules run here: they may block, fork, and leave what they
 * like behind, so the caller is a process to be thrown away. CONFDIR: folder of service files; NULL: the system's.
 */
void pam_check(const struct pam_request *request, const char *confdir, struct pam_outcome *outcome);

#endif
