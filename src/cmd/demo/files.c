/* cmd/demo/files.c -- a first configuration, and what it names: users, a certificate, folders for mail. */
#include "cmd/demo/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/demo/certificate.h"
#include "cmd/user.h"
#include "core/buf.h"
#include "io/fd.h"
#include "ipc/process.h"

enum { CONFIG_MAX = 8192, CERTIFICATE_MAX = 16 * 1024 };

static bool write_file_as(struct demo_place *place, const char *name, mode_t mode, int how, struct str text,
                          struct err *err)
{
    int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | how, mode);

    if (fd < 0 && errno == EEXIST)
        return true;
    bool ok = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n;
    int error = errno;
    fd_close(&fd);
    return ok || err_sys(err, error, "%s/%s", place->shown, name);
}

static bool write_file(struct demo_place *place, const char *name, int how, struct str text, struct err *err)
{
    return write_file_as(place, name, 0644, how, text, err);
}

/* Is the certificate of an earlier demonstration still good? Read whole: it is of our making, and small. */
static bool has_certificate(struct demo_place *place)
{
    char pem[CERTIFICATE_MAX];
    int fd = openat(place->fd, "tls.pem", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, pem, sizeof(pem)) : -1;

    fd_close(&fd);
    return n > 0 && demo_certificate_is_good(str_of(pem, (size_t)n));
}

/* Chain and key in one file, which nobody else may read. */
static bool write_certificate(struct demo_place *place, struct err *err)
{
    struct buf pem = BUF_INIT(CERTIFICATE_MAX);
    bool ok;

    if (has_certificate(place))
        return true;
    ok = demo_certificate_make(&pem, err) && write_file_as(place, "tls.pem", 0600, O_TRUNC, buf_str(&pem), err);
    if (pem.n)
        explicit_bzero(pem.p, pem.n);
    buf_done(&pem);
    return ok;
}

/* Those of an installation: one for each kind of process, and one for mailboxes. */
static bool accounts_are_there(void)
{
    for (unsigned kind = 0; kind < PROCESS_KINDS; kind++)
        if (process_account(kind) && !getpwnam(process_account(kind)))
            return false;
    return getpwnam("vmail") != NULL;
}

/* The first configuration that a newcomer reads: each line says what it is for. */
static const char config_text[] = "%s, and written again each time it starts. Copy it to begin one of your own.\n"
    "\n"
    "hostname mail.example.test;                # our name, in greetings and in Received fields\n"
    "%-42s # takes mail here; the port of real mail is 25\n"
    "%-42s # users log in here, with STARTTLS first; usually 587\n"
    "%-42s # and here, with TLS from the first octet; usually 465\n"
    "tls { certificate tls.pem; }               # chain and key; this one is signed by itself, as real ones are not\n"
    "relay-from 127.0.0.1 ::1;                  # programs on this machine may send to anyone, nobody else may\n"
    "\n"
    "spool spool;                               # the queue: what was taken and is not delivered yet\n"
    "state state;                               # what it remembers beside the queue\n"
    "control control;                           # where veredus status, queue and the others ask\n"
    "log file:log json debug;                   # one line for each event\n"
    "%s"
    "\n"
    "%-42s # all other mail; without this line it goes to the hosts of its domains\n"
    "route slow@elsewhere.test smtp://127.0.0.1:%u; # the nearest pattern decides; what is slow here delays no other\n"
    "retry 2s 5s 10s;                           # waits before it is tried again; usually 1m 5m 15m 30m 1h 2h 4h\n"
    "dead-host 2s;                              # how long to leave a host alone that is not there; usually 5m\n"
    "expire 1h;                                 # when to give up and tell the sender; usually 5d\n"
    "\n"
    "domain example.test {                      # mail for this domain is ours\n"
    "    users file:users;                      # its mailboxes, a name on each line\n"
    "    aliases file:aliases;                  # other names that lead to them\n"
    "    deliver maildir:mail/{domain}/{user};  # a Maildir for each, made with the first message\n"
    "}\n";
static const char run_as_nobody[] =
    "run-as nobody;                             # all of it; installed, each process has an account of its own\n";

struct listen_line {
    char c[96];
};

static struct listen_line listen_line(const struct demo_place *place, uint16_t port, const char *role)
{
    struct listen_line line;
    char second[32] = "";

    if (place->ipv6)
        snprintf(second, sizeof(second), " [::1]:%u", port);
    snprintf(line.c, sizeof(line.c), "listen 127.0.0.1:%u%s%s;", port, second, role);
    return line;
}

bool demo_files_write_config(struct demo_place *place, struct err *err)
{
    struct buf text = BUF_INIT(CONFIG_MAX);
    char route[64];
    bool nobody = geteuid() == 0 && !accounts_are_there();

    snprintf(route, sizeof(route), "route * smtp://127.0.0.1:%u;", place->elsewhere);
    bool ok = buf_printf(&text, config_text, DEMO_FILES_MARK, listen_line(place, place->port, "").c,
                         listen_line(place, place->port_login, " submission").c,
                         listen_line(place, place->port_tls, " submission tls").c, nobody ? run_as_nobody : "", route,
                         place->elsewhere)
                  ? write_file(place, "veredus.conf", O_TRUNC, buf_str(&text), err)
                  : err_temp(err, "out of memory");
    buf_done(&text);
    return ok;
}

const struct passwd *demo_place_account(void)
{
    return getpwnam(accounts_are_there() ? "vmail" : "nobody");
}

/* One for mail: that of deliveries, that of all other hosts. */
static bool make_mail_folder(struct demo_place *place, const char *name, struct err *err)
{
    const struct passwd *account;

    if (mkdirat(place->fd, name, 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make %s/%s", place->shown, name);
    if (geteuid() != 0)
        return true;
    account = demo_place_account();
    if (!account)
        return err_perm(err, "there is no account nobody on this machine");
    return fchownat(place->fd, name, account->pw_uid, account->pw_gid, AT_SYMLINK_NOFOLLOW) == 0 ||
           err_sys(err, errno, "cannot give %s/%s to %s", place->shown, name, account->pw_name);
}

/* The password of ada is no secret: it stands on the screen. */
static bool write_users(struct demo_place *place, struct err *err)
{
    static const struct auth_text tea = { "tea" };
    struct buf hash = BUF_INIT(CONFIG_MAX), scram = BUF_INIT(CONFIG_MAX), ada = BUF_INIT(CONFIG_MAX),
               both = BUF_INIT(CONFIG_MAX);
    bool ok = user_hash(&tea, &hash, &scram) &&
              users_add(&ada, STR_NONE, STR("ada"), buf_str(&hash), buf_str(&scram)) &&
              users_add(&both, buf_str(&ada), STR("bob"), STR_NONE, STR_NONE);

    ok = ok ? write_file(place, "users", O_EXCL, buf_str(&both), err) : err_temp(err, "out of memory");
    buf_done(&hash);
    buf_done(&scram);
    buf_done(&ada);
    buf_done(&both);
    return ok;
}

/* What a newcomer may have added to users and aliases stays. */
bool demo_files_write(struct demo_place *place, struct err *err)
{
    return demo_files_write_config(place, err) && write_certificate(place, err) && write_users(place, err) &&
           write_file(place, "aliases", O_EXCL, STR("# name: address, address\npostmaster: ada\n"), err) &&
           write_file(place, "log", O_APPEND, STR_NONE, err) && make_mail_folder(place, "mail", err) &&
           make_mail_folder(place, "elsewhere", err);
}
