/* pam/check.c */
#include "pam/check.h"

#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const system_folders[] = { "/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d" };

static void set(struct pam_outcome *outcome, enum ipc_result status, const char *text)
{
    outcome->status = status;
    snprintf(outcome->text, sizeof(outcome->text), "%s", text);
}

static bool stands_in(const char *folder, const char *service)
{
    char path[PAM_NAME_MAX + 256];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, service);

    return n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0;
}

/* PAM itself would take `other` for a service that is not there, and refuse everybody as if each password were wrong. */
static bool service_exists(const char *service, const char *confdir)
{
    if (confdir)
        return stands_in(confdir, service);
    for (size_t i = 0; i < ARRAY_LEN(system_folders); i++)
        if (stands_in(system_folders[i], service))
            return true;
    return false;
}

/* NULL: nothing to say to that. */
static const char *reply_to(int style, const struct pam_request *request)
{
    if (style == PAM_PROMPT_ECHO_OFF)
        return request->password;
    return style == PAM_PROMPT_ECHO_ON ? request->user : NULL;
}

static int converse(int n, const struct pam_message **messages, struct pam_response **out, void *context)
{
    const struct pam_request *request = context;
    struct pam_response *responses = n > 0 && n <= PAM_MAX_NUM_MSG ? calloc((size_t)n, sizeof(*responses)) : NULL;

    if (!responses)
        return PAM_CONV_ERR;
    for (int i = 0; i < n; i++) {
        const char *reply = reply_to(messages[i]->msg_style, request);
        responses[i].resp = reply ? strdup(reply) : NULL;
    }
    *out = responses;
    return PAM_SUCCESS;
}

static void judge(pam_handle_t *handle, int rc, struct pam_outcome *outcome)
{
    switch (rc) {
    case PAM_SUCCESS:
        set(outcome, IPC_OK, "");
        return;
    case PAM_AUTH_ERR:
    case PAM_USER_UNKNOWN:
    case PAM_MAXTRIES:
    case PAM_CRED_INSUFFICIENT:
        /* Which of them it is would tell who has an account. */
        set(outcome, IPC_PERM, "wrong password");
        return;
    case PAM_ACCT_EXPIRED:
        set(outcome, IPC_PERM, "the account has expired");
        return;
    case PAM_NEW_AUTHTOK_REQD:
    case PAM_AUTHTOK_EXPIRED:
        set(outcome, IPC_PERM, "the password has expired");
        return;
    case PAM_PERM_DENIED:
        set(outcome, IPC_PERM, "the account is locked");
        return;
    default:
        set(outcome, IPC_TEMP, handle ? pam_strerror(handle, rc) : "PAM cannot be started");
    }
}

static int ask(pam_handle_t *handle, const struct pam_request *request)
{
    int rc = PAM_SUCCESS;

    if (request->client[0])
        rc = pam_set_item(handle, PAM_RHOST, request->client);
    if (rc == PAM_SUCCESS)
        rc = pam_set_item(handle, PAM_TTY, "smtp");
    if (rc == PAM_SUCCESS)
        rc = pam_authenticate(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (rc == PAM_SUCCESS)
        rc = pam_acct_mgmt(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    return rc;
}

void pam_check(const struct pam_request *request, const char *confdir, struct pam_outcome *outcome)
{
    struct pam_conv conversation = { .conv = converse, .appdata_ptr = (void *)(uintptr_t)request };
    pam_handle_t *handle = NULL;
    int rc;

    if (!service_exists(request->service, confdir)) {
        outcome->status = IPC_TEMP;
        snprintf(outcome->text, sizeof(outcome->text), "there is no PAM service '%.100s'", request->service);
        return;
    }
    rc = confdir ? pam_start_confdir(request->service, request->user, &conversation, confdir, &handle)
                 : pam_start(request->service, request->user, &conversation, &handle);
    if (rc == PAM_SUCCESS)
        rc = ask(handle, request);
    judge(handle, rc, outcome);
    if (handle)
        pam_end(handle, rc);
}
