/* receive/session.h -- one client: its connection, its dialogue, the question it waits for (RFC 5321 3). */
#ifndef RECEIVE_SESSION_H
#define RECEIVE_SESSION_H

#include "core/arena.h"
#include "core/ip.h"
#include "log/log.h"
#include "message/envelope.h"
#include "message/header.h"
#include "message/submission.h"
#include "receive/receive.h"

/* What a session waits for; one at a time. */
enum question {
    QUESTION_NONE,
    QUESTION_CONNECT, /* lookup: may this client talk to us */
    QUESTION_MAIL,    /* lookup: limits */
    QUESTION_IDS,     /* queue: ids to give at MAIL */
    QUESTION_RCPT,    /* lookup */
    QUESTION_PLAN,    /* resolve: where the next hop is that knows the recipient (`users ask`) */
    QUESTION_VERIFY,  /* send: does it take it */
    QUESTION_VRFY,    /* lookup */
    QUESTION_FILE,    /* queue: a file for large content */
    QUESTION_EXPAND,  /* lookup: what the recipients become */
    QUESTION_COMMIT,  /* queue: make it durable */
    QUESTION_TOKEN,   /* a new queue: did the former make it durable */
    QUESTION_SIGN,    /* key: the handshake's signature */
    QUESTION_LOGIN,   /* auth: what the client said to AUTH, or to a challenge */
};

/* An accepted recipient. Texts live in the transaction's arena. */
struct receive_recipient {
    struct list node;
    struct str local;
    struct str domain;
    struct str original; /* as given, least-quoted */
    struct str sender;   /* of a list */
    bool has_sender;
    bool plain;
};

/* From MAIL to its end; lives in ARENA, dropped as one. */
struct transaction {
    struct arena *arena;
    struct queue_id id;
    int64_t began_msec; /* loop time of MAIL */
    int64_t began_usec;
    int64_t rcpt_usec; /* when the last recipient was taken */
    struct str sender; /* least-quoted, no brackets; empty: null */
    struct list recipients;
    uint32_t n_recipients;
    size_t recipients_octets; /* of the envelope, as RCPT gave them */
    uint64_t max_size; /* the least of the recipients' domains; 0: none of their own */
    struct str held;   /* the limit for whose sake it is taken and kept; empty: none */
    struct message_header_scan *header;
    struct message_submission *mends; /* its header is completed; NULL: it passes as it is */
    uint64_t lines_in, lines_out;     /* of the header, before and after; the longest of the latter */
    uint64_t longest_out;
    const struct smtp_content_facts *facts;
    unsigned char token[16];
    struct envelope_recipient *final; /* what the recipients became */
    uint32_t n_final;
};

/* Who is at the other end. */
struct session_client {
    struct ip address; /* IP_NONE: a unix socket */
    uint16_t port;
    uint32_t uid_plus;          /* of this machine: the uid + 1; 0: not known, or not of this machine */
    const unsigned char *token; /* of its message's commit, 16 octets; NULL: a random one */
};

/* A recipient that only the next hop knows, while it is asked (verify.c). */
struct receive_verify {
    bool plain;
    uint64_t max_size;
    uint32_t route;
    struct str rule;       /* of `users`; in the transaction's arena */
    int64_t deadline_msec; /* loop time: both questions together */
    struct buf plan;       /* route/plan.h */
};

/* TLS begins; gone when it has. */
struct receive_handshake {
    uint64_t ticket; /* of tls_signed() */
    struct tls_signature what;
    struct buf octets; /* of WHAT */
};

/* From AUTH to its end. What the client says is wiped as soon as it is sent on. */
struct receive_login {
    uint64_t ticket;   /* names it at auth */
    uint32_t instance; /* of the auth process that has it; 0: none yet */
    bool begun;        /* it knows of it: steps go there, and nowhere else */
    char mechanism[32];
    bool has_initial;
    struct buf said; /* not sent yet */
};

struct session {
    struct receive *receive;
    struct receive_listener *listener;
    uint32_t slot;
    uint32_t serial; /* of the question: answers to a former one are not ours */
    int fd;
    struct io_watch watch;
    struct io_timer timer;
    int64_t deadline_msec;
    int64_t progress_octets; /* content since the deadline was last moved */
    struct arena *arena;
    struct smtp_server *smtp;
    struct tls_stream *tls; /* NULL: in clear */
    struct tls_owner tls_owner;
    struct receive_handshake *handshake; /* NULL: none goes on */
    struct smtp_server_tls secure;       /* what TLS it has; views into TLS */
    bool shakes;                         /* a handshake begins when the 220 has left */
    bool relays;                         /* `relay-from` names its address */
    bool has_certificate;                /* the client showed one */
    bool vouched;                        /* which a CA of ours signed, with an address in it */
    unsigned char certificate[64];       /* its hash, and that of its key */
    struct receive_login *login;         /* NULL: no AUTH under way */
    struct str account;                  /* who logged in, canonical; empty: nobody */
    uint32_t account_from;               /* instance of the auth process that said so */
    struct list account_node;            /* of receive.accounts */
    enum log_reason account_ended;       /* NONE: the log-in holds */
    struct list unread;                  /* of receive.unread */
    struct transaction *tx;
    const struct smtp_path *path; /* of RCPT or VRFY, while that question is open */
    struct receive_verify verify;
    struct buf in;  /* octets not used yet; empty most of the time */
    struct buf out; /* replies the client has not taken */
    struct buf content;
    size_t content_counted; /* of receive->content_memory */
    uint64_t file;          /* own file of the content; 0: none */
    int file_fd;
    uint64_t file_octets;
    bool content_failed; /* it cannot be stored: swallowed, 451 at its end */
    bool content_full;   /* the same, for want of space: 452 */
    bool progressed; /* the last octets completed a command */
    bool counts_in_content;
    enum question question;
    bool question_sent;
    int64_t handed_usec; /* io_clock_usec(): the message was given to the queue */
    bool looked_again;   /* for an answer that waits since then */
    int64_t file_until_msec; /* loop time: a file is not waited for any longer */
    uint32_t lookup_instance; /* the lookup that counts us as connected; 0: none */
    bool blocked;    /* the client takes no more now; out waits for it */
    bool closing;    /* close when out is taken */
    bool lingering;  /* all is said; what it still sends is not looked at */
    size_t lingered; /* octets of that */
    bool delayed;    /* error-delay */
    bool finished;   /* gone at the end of this turn */
    struct io_task reaper;
    const char *end_reason;
    struct session_id id;
    struct live_dialogue dialogue;
    struct ip client;
    unsigned char client_octets[16];
    size_t client_n; /* 16, or 0 for a unix socket */
    uint16_t client_port;
    uint32_t uid_plus; /* of sendmail(1): uid + 1 */
    bool has_token;    /* the commit has TOKEN, not a random one */
    unsigned char token[16];
    int64_t began_usec;
    uint64_t octets_in;
    uint64_t octets_out;
    uint64_t undeclared_octets; /* of content, beyond what SIZE said: counted at the end */
    uint32_t messages;
    uint32_t rejected;
};

/* A client on FD (taken over). */
void session_begin(struct receive *r, struct receive_listener *l, int fd, const struct session_client *client);
/* Tell it 421 and close; a message under way to the disk is answered first. */
void session_shutdown(struct session *s);
/* Say ROW, a 421, and close. */
void session_goodbye(struct session *s, enum smtp_reply_name row, const struct smtp_slots *slots);
void session_end(struct session *s, const char *reason);
/* A client's connection; LOCAL: of this machine. */
void session_close(struct receive *r, bool local, int *fd);
/* Frees it, at the end of a turn. */
void session_reap(struct io_task *t);
/* Go on with what was read after an answer: drives the dialogue, sends replies. */
void session_go_on(struct session *s);
/* The client may come in: greet it, or begin TLS first. */
void session_welcome(struct session *s);
/* `relay-from` of the listener's own block names it, by address or by certificate: it needs no AUTH (FACE 1.9). */
bool session_relays_here(const struct session *s);
/* Sessions with octets that no descriptor tells of. */
void sessions_read_on(struct io_timer *t);
/* Not yet, where TLS comes first. */
bool session_may_speak(const struct session *s);
/* Empty, or as MAIL_ASK has it. */
struct str session_certificate(const struct session *s);

/* ---- octets (stream.c) ---- */

/* What the client said, in the shared room; empty: nothing now, or the session is at its end. */
struct str stream_read(struct session *s);
/* What is in the shared buffer goes to this client, behind what it has not got yet. */
void session_send(struct session *s);
/* What it sends though all is said is thrown away. */
void stream_linger(struct session *s);
/* Wake us when the client says something; what TLS has already is read soon. */
void stream_listen(struct session *s);
/*
 * To what was read there is no reply yet: it is acknowledged now, not after the 40 ms for which the kernel waits for one.
 * A client that writes content and final dot apart, and does not turn Nagle's algorithm off, waits for that each time.
 */
void stream_acknowledge(struct session *s);
/* Wake us when it takes replies again, or not at all. */
void stream_rest(struct session *s);

/* ---- TLS (handshake.c, offer.c) ---- */

enum { HANDSHAKE_NAMES_MAX = 16 * 1024 };

void handshake_begin(struct session *s);
void handshake_go_on(struct session *s);
void handshake_overdue(struct session *s);
void handshake_drop(struct session *s);
bool handshake_sign(struct tls_signer *signer, uint64_t ticket, const struct tls_signature *what);
bool handshake_send(struct session *s, struct ipc_channel *key, uint64_t ticket);
void handshake_signed(struct session *s, const struct ipc_sign_answer *a);
/* The dialogue knows what its listener has, at the beginning and when that changes. */
void offer_to(struct session *s);
void offer_mechanisms(struct session *s);

/* ---- AUTH (login.c) ---- */

void login_begin(struct session *s, const struct smtp_event *ev);
void login_step(struct session *s, const struct smtp_event *ev);
/* The client gave up, or is gone. */
void login_drop(struct session *s);
/* The auth process that has the exchange, or is to have it; NULL: there is none. */
struct ipc_channel *login_channel(struct session *s);
bool login_send(struct session *s, struct ipc_channel *auth);
void login_answered(struct session *s, const struct ipc_login_answer *a);
/* The session that has that exchange; NULL: it is gone, or has moved on. */
struct session *login_by_ticket(struct receive *r, uint64_t ticket);
/* Nobody can say now: 454. */
void login_unanswered(struct session *s);
/* FROM says that an account was changed: those who logged in as it leave, as soon as their message is in or refused. */
void login_ended(struct receive *r, const struct ipc_channel *from, const struct ipc_login_ended *m);
/* FROM, of a newer configuration, wants to know who is logged in. */
void logins_wanted(struct receive *r, struct ipc_channel *from);
/* Nobody is any more, and nobody will be: the newest configuration has no log-ins. */
void logins_over(struct receive *r);
/* Its log-in is over, and nothing of a message is under way: 421. False: it goes on. */
bool login_leaves(struct session *s);

/* ---- time (deadline.c) ---- */

void session_deadline(struct session *s, int64_t msec);
/* The next command, but no longer than the whole message may take. */
void deadline_command(struct session *s);
void session_time_is_up(struct io_timer *t);

/* ---- those who watch (watched.c) ---- */

/* Replies that are not told of yet, in the shared buffer. */
void watched_replies(struct session *s);
/* The machine used OCTETS; it was in content BEFORE. */
void watched_octets(struct session *s, struct str octets, bool before);

/* ---- what the dialogue itself said (refused.c) ---- */

/* The reason of `disconnect` where the last reply was REPLY. */
const char *session_close_reason(enum smtp_reply_name reply);
/* A command or content that the machine answered with a 4yz or 5yz: counted and logged. */
void session_refused(struct session *s, const struct smtp_event *ev);

/* The answer to ask.c's question SLOT/SERIAL, NULL when the session is gone or has moved on. */
struct session *session_by_ticket(struct receive *r, uint64_t ticket, enum question q);

/* ---- questions (ask.c) ---- */

/* Ask, now or when the process to be asked can take it. */
void session_ask(struct session *s, enum question q);
/* It is answered: nothing is waited for. */
void question_done(struct session *s);
/* The message has its reply; a process that stops says 421 right behind it (RFC 5321 3.8). */
void question_message_over(struct session *s);
/* A peer can be asked (again): send what has not been sent. */
void questions_send(struct receive *r, enum process_kind peer);
/* That peer is gone: its questions are open again. */
void questions_lost(struct receive *r, struct ipc_channel *peer);
void questions_peer_up(struct receive *r, struct ipc_channel *c);
/* Files are asked for again. */
void questions_file_again(struct receive *r);
void question_message(struct receive *r, struct ipc_message *m);

/* ---- `users ask` (verify.c) ---- */

/* RCPT is taken if the next hop takes it too; what cannot be asked in time is taken. */
void verify_begin(struct session *s, const struct ipc_rcpt_answer *a);
bool verify_send_plan(struct session *s, struct ipc_channel *resolve, uint64_t ticket);
bool verify_send(struct session *s, struct ipc_channel *send, uint64_t ticket);
void verify_planned(struct session *s, const struct ipc_plan_answer *a);
void verify_answered(struct session *s, const struct ipc_verify_answer *a);
/* Nobody answered in time. */
void verify_overdue(struct session *s);
/* Add the recipient and say 250; without memory 452. */
void recipient_taken(struct session *s, bool plain, uint64_t max_size);

/* ---- a message (transaction.c, content.c) ---- */

void transaction_begin(struct session *s);
/* An id may be there now: go on with MAIL. */
void transaction_take_id(struct session *s);
void transaction_drop(struct session *s);
/* False: the envelope would not fit into a commit with it, and the client was told to send it in another transaction. */
bool transaction_has_room(struct session *s, const struct smtp_path *path);
bool transaction_add(struct session *s, const struct smtp_path *path, bool plain, uint64_t max_size);
/* The content is whole: judge it, expand, commit. */
void transaction_end_of_data(struct session *s, const struct smtp_content_facts *facts);
void transaction_expanded(struct session *s, const struct ipc_expand_answer *a);
void transaction_commit_send(struct session *s, struct ipc_channel *queue);
void transaction_stored(struct session *s, enum ipc_storage status, uint32_t batch, uint64_t sync_usec);

/* Storage for content: memory, or a file. */
bool content_begin(struct session *s);   /* false: QUESTION_FILE was asked, 354 waits */
bool content_add(struct session *s, struct str span); /* false: the file could not be written */
void content_drop(struct session *s);
/* It was sent to the queue: the file is its own again, memory is given back. */
void content_given(struct session *s);
/* A file came (FD is taken over), or did not. */
void content_file(struct session *s, int fd, uint64_t number, enum ipc_storage status);
/* The queue that lent it is no more; its successor removes what no message names. */
void content_file_lost(struct session *s);

/* ---- submission (submission.c) ---- */

/* Content follows: false without memory. */
bool submission_begin(struct session *s);
/* As content_add(), of what becomes of it. */
bool submission_content(struct session *s, struct str span);
/* What was held back of it is kept too. */
void submission_end(struct session *s);
/* FACTS are of what came in: now of what is kept. */
void submission_facts(const struct session *s, struct smtp_content_facts *facts);
void submission_done(struct transaction *tx);
/* When it may leave, and how its sender said so; zeros: at once. */
struct submission_release {
    int64_t msec;
    char request[64];
};
void submission_release(const struct session *s, struct submission_release *out);

/* ---- clients of this machine (local.c, drop.c) ---- */

/* The socket of sendmail(1), which it takes over unless it cannot. */
void local_socket(struct receive *r, struct ipc_message *m);
/* The listener that stands for it, with or without a socket; NULL: no room. */
struct receive_listener *local_listener(struct receive *r);
/* A message from the drop folder. */
void drop_take(struct receive *r, struct ipc_message *m);
/* The queue can be asked: about those that wait for it. */
void drops_ask(struct receive *r);
/* The queue is gone, and with it what it was asked. */
void drops_lost(struct receive *r);
/* Answers to questions of drop.c have tickets of this slot, which no session has. */
#define DROP_TICKET_SLOT UINT32_MAX
void drop_token(struct receive *r, const struct ipc_token_answer *a);
/* The process ends: none is begun any more. */
void drops_leave(struct receive *r);

/* ---- records (record.c) ---- */

void record_connect(struct session *s);
void record_disconnect(struct session *s);
void record_refused(struct session *s, const char *stage, enum smtp_reply_name row, enum log_reason reason,
                    struct str rule, struct str to, const struct smtp_slots *slots);
/* The same, of a reply in somebody's own words. */
void record_refused_with(struct session *s, const char *stage, const struct smtp_reply *reply,
                         enum log_reason reason, struct str rule, struct str to);
void record_accept(struct session *s, uint32_t batch, int64_t sync_usec);
void record_tls(struct session *s, const struct tls_facts *f);
void record_tls_fail(struct session *s, const char *error);
void record_auth(struct session *s, const char *mechanism);
/* ACCOUNT: as it was said. */
void record_auth_fail(struct session *s, const char *mechanism, enum log_reason reason,
                      const struct ipc_login_answer *a);
/* One that was put off, or kept to no mechanism. */
void record_auth_refused(struct session *s, enum smtp_reply_name row, enum log_reason reason,
                         const struct ipc_login_answer *a);
void record_auth_limit(struct session *s, const struct ipc_login_answer *a);
/* Why its log-in is over. */
void record_auth_end(struct session *s);
/* How lookup changed a recipient: enum route_by, and the place that says so. */
struct receive_expansion {
    uint8_t by;
    struct str rule;
};
/* INTO: the N recipients that one recipient became by X. */
void record_expand(struct session *s, const struct receive_expansion *x, const struct envelope_recipient *into,
                   size_t n);
struct str session_client_text(struct session *s, struct ip_text *room);

#endif
